/* interrupt.c: signal handlers end waits of the main task. Protocol: interrupt.h. */
#include "sched/interrupt.h"

#include <unistd.h>

#include "base/spin.h"
#include "sched/worker.h"

uint32_t gos__handled[3];
const gos__task *gos__main_task;
void (*gos__main_entry)(void *);

gos__nudged gos__nudged_main;
uint32_t gos__nudgers;

static gos__spin lock; /* never taken in a handler */
static gos__fd_wait *published;

void gos__main_is(const gos__task *task)
{
    gos__main_entry = task ? gos__entry_of(task) : NULL;
    gos__main_task = task;
}

static bool is_due(const gos__fd_wait *wait)
{
    return wait && gos__load_acquire(&gos__handled[wait->interrupts]) != wait->seen;
}

/* Whoever left by a jump while it sends would be waited for, so no other handler may run meanwhile. */
static void nudge(bool restarts)
{
    const uint64_t all = ~0ull;
    uint64_t former;
    gos__syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&former, sizeof all, 0, 0);
    gos__add_seq(&gos__nudgers, 1u); /* N2, seq: before N3; partner: gos__nudge_no_more */
    int32_t thread = gos__load_acquire(&gos__nudged_main.thread);
    bool ends = !restarts || gos__load_relaxed(&gos__nudged_main.by) == GOS_BY_ANY;
    if (thread && ends && thread != gos__syscall(SYS_gettid, 0, 0, 0, 0, 0, 0)) { /* its own the kernel has ended */
        siginfo_t info = { .si_signo = GOS_NUDGE, .si_code = SI_QUEUE };
        info.si_value.sival_ptr = &gos__nudged_main;
        long self = gos__syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
        gos__syscall(SYS_rt_tgsigqueueinfo, self, thread, GOS_NUDGE, (long)&info, 0, 0); /* N3 */
    }
    gos__add_seq(&gos__nudgers, -1u); /* N4 */
    gos__syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&former, 0, sizeof former, 0, 0);
}

bool gos__is_nudge(int number, const siginfo_t *info)
{
    return number == GOS_NUDGE && info->si_code == SI_QUEUE && info->si_value.sival_ptr == &gos__nudged_main;
}

void gos__signal_handled(bool restarts)
{
    gos__add_seq(&gos__handled[GOS_BY_ANY], 1u); /* H2 */
    if (!restarts)
        gos__add_seq(&gos__handled[GOS_BY_UNRESTARTED], 1u);
    gos__fence_seq(); /* before H3; partner: gos__interrupt_publish */
    if (gos__load_relaxed(&published))
        gos__monitor_poke();
    if (gos__load_relaxed(&gos__nudged_main.thread))
        nudge(restarts);
}

bool gos__interrupt_publish(gos__fd_wait *wait)
{
    gos__spin_lock(&lock);
    gos__store_relaxed(&published, wait); /* M2 */
    gos__fence_seq();                     /* before M3; partner: gos__signal_handled */
    bool due = is_due(wait);
    if (due)
        gos__store_relaxed(&published, NULL);
    gos__spin_unlock(&lock);
    return !due;
}

void gos__interrupt_withdraw(gos__fd_wait *wait)
{
    gos__spin_lock(&lock);
    if (published == wait)
        gos__store_relaxed(&published, NULL);
    gos__spin_unlock(&lock);
}

bool gos__interrupt_is_due(void)
{
    if (gos__likely(!gos__load_relaxed(&published)))
        return false;
    gos__spin_lock(&lock); /* so that its frame stays */
    bool due = is_due(published);
    gos__spin_unlock(&lock);
    return due;
}

void gos__interrupt_attend(void)
{
    if (gos__likely(!gos__load_relaxed(&published)))
        return;
    gos__task *woken = NULL;
    gos__spin_lock(&lock);
    if (is_due(published)) {
        gos__fd_end(published, GOS_FD_INTERRUPTED, &woken);
        gos__store_relaxed(&published, NULL);
    }
    gos__spin_unlock(&lock);
    gos__fd_ready_all(woken, false);
}

/* ---- signals for channels ---- */

uint64_t gos__signals_wanted;
void (*gos__signals_send)(uint64_t arrived);
static uint64_t arrived;

void gos__signal_arrived(int number)
{
    gos__or_seq(&arrived, 1ull << (number - 1)); /* seq: before the monitor is looked at; partner: sleep_with_workers */
    gos__monitor_poke();
}

bool gos__signals_are_due(void)
{
    return gos__unlikely(gos__load_relaxed(&arrived) != 0);
}

void gos__signals_attend(void)
{
    if (!gos__signals_are_due())
        return;
    uint64_t numbers = gos__exchange_seq(&arrived, 0ull); /* seq: what comes from now on is for the next look */
    gos__load_relaxed(&gos__signals_send)(numbers);
}

void gos__interrupt_forget(void)
{
    lock = 0;
    published = NULL;
    gos__nudged_main.thread = 0;
    gos__nudgers = 0;
    gos__main_is(NULL);
}
