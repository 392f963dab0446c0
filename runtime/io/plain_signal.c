/*
 * plain_signal.c: masks from outside tasks; handlers, from everywhere.
 *
 * Every handler runs on its thread's signal stack, asked for or not: the kernel's frame alone is larger than a nursery.
 * Handlers of signals that a program waits for are called by one of ours, which afterwards ends a wait of the main task
 * (sched/interrupt.h). The program does not see that one: sigaction tells what was installed.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/lock.h"
#include "io/real.h"
#include "sched/interrupt.h"
#include "sched/worker.h"

static gos__action_handler *handlers[_NSIG];
static int flags[_NSIG]; /* as the program gave them */
uint8_t gos__unrestarted[_NSIG];

int gos__plain_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return GOS_REAL(pthread_sigmask)(how, set, old);
}

int gos__plain_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    int result = GOS_REAL(pthread_sigmask)(how, set, old);
    if (!result)
        return 0;
    errno = result;
    return -1;
}

/* The main task runs on this thread, or is pinned to it. In the runtime `task` may be one that has left it. */
static bool has_main(void)
{
    const gos__task *task = gos__self.in_runtime ? gos__self.pinned_task : gos__self.task;
    return task && gos__is_main(task);
}

/* A signal for one thread is none for the main task, unless that has it; or the thread called gos_run: the monitor. */
static bool is_for_main(const siginfo_t *info)
{
    bool is_monitor = gos__self.in_runtime && !gos__self.task && !gos__self.worker;
    return info->si_code != SI_TKILL || is_monitor || has_main();
}

static void handle(int number, siginfo_t *info, void *context)
{
    gos__action_handler *handler = gos__load_acquire(&handlers[number]);
    if (gos__is_nudge(number, info) || !handler) /* none: a nudge's signal, of which the program has never heard */
        return;
    bool restarts = gos__load_relaxed(&flags[number]) & SA_RESTART;
    handler(number, info, context);
    int error = errno;
    if (is_for_main(info))
        gos__signal_handled(restarts);
    errno = error;
}

/* Not those of faults, which belong to what the thread itself does, nor of its processor time. */
static bool may_interrupt(int number)
{
    switch (number) {
    case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP: case SIGABRT: case SIGSYS: case SIGPROF:
    case SIGVTALRM:
        return false;
    default:
        return number > 0 && number < _NSIG;
    }
}

static bool is_handler(const struct sigaction *action)
{
    return action && action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

const struct sigaction *gos__handler_wrap(gos__handler_change *change, int number, const struct sigaction *action)
{
    change->wraps = may_interrupt(number);
    change->former = change->wraps ? gos__load_relaxed(&handlers[number]) : NULL;
    change->former_flags = change->wraps ? gos__load_relaxed(&flags[number]) : 0;
    if (!is_handler(action))
        return action;
    change->action = *action;
    change->action.sa_flags |= SA_ONSTACK; /* a task's stack may be too small */
    if (change->wraps) {
        gos__store_relaxed(&flags[number], action->sa_flags);
        gos__store_release(&handlers[number], action->sa_sigaction);
        change->action.sa_flags |= SA_SIGINFO;
        change->action.sa_sigaction = handle;
    }
    return &change->action;
}

void gos__nudge_action(struct sigaction *action)
{
    gos__store_release(&handlers[GOS_NUDGE], NULL);
    *action = (struct sigaction){ .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
}

void gos__handler_done(const gos__handler_change *change, int number, int result, const struct sigaction *found,
                       struct sigaction *old)
{
    if (result && change->wraps) { /* it is still the former's */
        gos__store_relaxed(&flags[number], change->former_flags);
        gos__store_release(&handlers[number], change->former);
    }
    if (result || !old)
        return;
    *old = *found;
    if (change->wraps && found->sa_sigaction == handle) {
        old->sa_sigaction = change->former;
        old->sa_flags &= change->former_flags & SA_SIGINFO ? ~0 : ~SA_SIGINFO;
    }
}

int gos__plain_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    gos__handler_change change;
    struct sigaction found;
    action = gos__handler_wrap(&change, number, action);
    int result = GOS_REAL(sigaction)(number, action, &found);
    gos__handler_done(&change, number, result, &found, old);
    return result;
}

#if !GOS_SAN
GOS_EXPORT int sigaltstack(const stack_t *stack, stack_t *old);
GOS_EXPORT __attribute__((weak)) int siginterrupt(int number, int interrupts); /* weak: as in os/libc.c */

/* A worker's thread keeps the signal stack that it has, whatever a task asks for: the next task may be interrupted on
 * its nursery, and the memory be given back by then. */
int sigaltstack(const stack_t *stack, stack_t *old)
{
    return (int)syscall(SYS_sigaltstack, gos__self.task ? NULL : stack, old);
}

/* libc's own would change the kernel's flags alone, not those that a parked call goes by. */
int siginterrupt(int number, int interrupts)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action))
        return -1;
    gos__store_relaxed(&gos__unrestarted[number], interrupts != 0);
    action.sa_flags = interrupts ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
    return sigaction(number, &action, NULL);
}
#endif

gos__handler *gos__plain_signal(int number, gos__handler *handler)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = gos__signal_flags(number) }, old;
    return gos__plain_sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}
