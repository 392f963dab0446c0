/*
 * handoff.c: a worker's way from a thread that blocks to another: taken by the monitor (H1-H5 at the top of thread.c),
 * or given away before.
 *
 * Roaming
 *   Whose worker was taken in a call goes on without one when that returns, until it enters the runtime; so a task that
 *   blocks again at once costs what a thread would. The monitor ends that when it has used too much of the processor.
 *   In the runtime it waits for a worker, and its task is marked, GOS_BLOCKS, if it has slept. The next turn of a
 *   marked one begins with giving the worker away (G1-G4), as if it had called gos_block_begin, where others wait. The
 *   mark goes when it comes back without having slept.
 *
 *   To pass a worker on takes some 8 us of a processor, two changes of threads and what caches lose. Where there is
 *   work for it on the spot, marked tasks and returning threads wait until it has been there for a moment.
 */
#define _GNU_SOURCE
#include "sched/handoff.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/seed.h"
#include "sched/trace.h"

/* How much of the processor a roaming thread may use: a slice if its task is marked. */
#define ROAM_NS 1000000
#define ROAM_MARKED_NS 10000000

/* Between two looks at roaming threads, and how many threads each is at. */
#define ROAM_LOOK_NS 1000000
enum { ROAM_LOOKS = 32 };

/* So many tasks of a function whose tasks block begin marked. */
#define BLOCKER_CREDIT 100

/* Before a worker that has work is passed on again. */
#define PACE_NS 10000

/* ---- roaming ---- */

static int64_t sleeps_of_thread(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) ? INT64_MAX : usage.ru_nvcsw;
}

bool gos__may_pass(const gos__worker *worker)
{
    return !gos__queue_length(worker) || gos__clock_ns() - worker->passed_at >= PACE_NS;
}

void gos__thread_lax(bool is_lax)
{
    gos__thread *self = &gos__self;
    if (self->is_lax == is_lax)
        return;
    gos__timer_slack(is_lax ? gos__rt->slack : 1);
    gos__store_relaxed(&self->is_lax, (uint32_t)is_lax);
}

/* So that the task can leave its nursery without asking C, which takes a worker. */
static void bring_spare_region(gos__worker *worker, const gos__task *task)
{
    gos__thread *self = &gos__self;
    if (!gos__has_nursery(task) || self->spare || self->more_spares)
        return;
    gos__region *region = gos__region_alloc(&worker->stacks, false);
    if (!region)
        return;
    region->prev = NULL;
    region->plain = 1;
    self->spare = region;
}

/* How many tasks have been put off one after the other. */
static uint32_t in_a_row(const gos__worker *worker)
{
    return worker->put_off_at == worker->tick - 1 ? worker->put_off : 0;
}

static bool put_off(gos__worker *worker, gos__task *task)
{
    worker->put_off = in_a_row(worker) + 1;
    worker->put_off_at = worker->tick;
    worker->trace.ready_since = 0;
    gos__push_back(worker, task);
    return false;
}

/* By the monitor, soon. */
static void ask_for_spare(gos__runtime *rt)
{
    gos__store_relaxed(&rt->spare_wanted, 1u);
    gos__futex_wake(&rt->done, 1); /* the monitor looks */
}

static bool spare_is_coming(const gos__runtime *rt)
{
    return gos__load_relaxed(&rt->spare_wanted) || gos__load_relaxed(&rt->starting);
}

bool gos__roam(gos__worker *worker, gos__task *task)
{
    gos__runtime *rt = gos__rt;
    bool others_wait = gos__queue_length(worker) || gos__load_relaxed(&rt->shared_n);
    if (!others_wait || gos__is_seeded())
        return true;
    bool may_wait = in_a_row(worker) < gos__queue_length(worker); /* else all others have been put off as well */
    if (may_wait && (in_a_row(worker) || !gos__may_pass(worker)))
        return put_off(worker, task);
    gos__thread *heir = gos__find_heir(worker);
    if (!gos__load_relaxed(&rt->spares_n) && !spare_is_coming(rt))
        ask_for_spare(rt);
    if (!heir)
        return may_wait && spare_is_coming(rt) ? put_off(worker, task) : true;
    worker->trace.ready_since = 0;
    bring_spare_region(worker, task);
    gos__thread_lax(true);
    gos__worker_detach(worker);
    gos__self.slept = sleeps_of_thread();
    gos__add_relaxed(&rt->handoffs, 1);
    gos__worker_grant(worker, heir);
    return true;
}

void gos__roam_over(gos__thread *self)
{
    gos__task *task = self->task;
    uint8_t depth = gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH;
    bool is_marked = !depth && !gos__is_seeded() && sleeps_of_thread() > self->slept;
    /* A running task cannot be claimed: as in gos__pin. */
    gos__store_relaxed(&task->pinned, (uint8_t)(depth | (is_marked ? GOS_BLOCKS : 0)));
    if (is_marked)
        gos__thread_lax(true);
}

/* Its budget begins with the first look at it. Whether it is to be looked at again soon: not while it is blocked. */
static bool look_at_roaming(gos__thread_record *record, gos__thread *thread)
{
    if (gos__load_acquire(&thread->locked) != GOS_LOST || gos__load_relaxed(&thread->preempt) ||
        gos__load_relaxed(&thread->in_runtime))
        return false;
    int64_t cpu = gos__thread_cpu_ns(thread->tid), seen = record->roams_cpu;
    uint32_t losses = gos__load_relaxed(&thread->losses);
    record->roams_cpu = cpu;
    if (record->losses != losses) {
        record->losses = losses;
        record->roams_from = cpu;
        return true;
    }
    if (cpu - record->roams_from >= (gos__load_relaxed(&thread->is_lax) ? ROAM_MARKED_NS : ROAM_NS)) {
        gos__preempt(thread);
        return false;
    }
    return cpu != seen;
}

/* Whether one of the next few threads roams and runs. */
static bool look_at_some(gos__runtime *rt)
{
    bool found = false;
    for (int i = 0; i < ROAM_LOOKS; i++) {
        gos__thread_record *record = rt->roam_next ? rt->roam_next : rt->records;
        if (!record)
            break;
        rt->roam_next = record->next;
        gos__thread *thread = gos__load_acquire(&record->thread);
        if (thread && !gos__load_acquire(&record->left))
            found |= look_at_roaming(record, thread);
        if (!rt->roam_next)
            break;
    }
    return found;
}

int64_t gos__roam_look(gos__runtime *rt, int64_t now)
{
    static bool found; /* at the last look */
    if (now >= rt->roam_look_at) {
        rt->roam_look_at = now + ROAM_LOOK_NS;
        found = look_at_some(rt);
    }
    return found ? rt->roam_look_at : INT64_MAX;
}

/* ---- hand-off ---- */

/* Who runs a loop stops at its next checked prologue. Who comes back from a call that is not known to block roams. */
static void take_from(gos__thread *blocked, bool loops)
{
    if (loops)
        gos__preempt(blocked);
    blocked->slept = loops || gos__says_blocking(blocked, blocked->worker) ? INT64_MAX : -1;
    blocked->worker = NULL;
    gos__store_relaxed(&blocked->losses, blocked->losses + 1);
    gos__store_release(&blocked->locked, (uint32_t)GOS_LOST);
}

/* After two in a row the next tasks of the function begin marked, behind their parents, as those do that use up their
 * slices. */
static void note_function(gos__worker *worker, void (*fn)(void *))
{
    if (worker->blocker == fn) {
        worker->hog = fn;
        worker->hog_credit = BLOCKER_CREDIT;
        worker->hog_blocks = 1;
        gos__store_relaxed(&worker->usual_entry, NULL);
    }
    worker->blocker = fn;
}

/* To a thread that has one for it; false: there is none. */
static bool give_to_heir(gos__worker *worker, gos__thread *blocked, bool loops)
{
    gos__thread *heir = gos__find_heir(worker);
    if (!heir)
        return false;
    gos__trace_thread(worker, GOS_EV_HANDOFF, blocked);
    const gos__task *task = gos__load_relaxed(&blocked->task); /* NULL while it is back and waits for its worker */
    if (!loops && task)
        note_function(worker, gos__entry_of(task));
    take_from(blocked, loops); /* H4 */
    gos__worker_grant_locked(worker, heir); /* H5 */
    return true;
}

/* H3. is_needed: a worker waits for it. */
static void start_spare(gos__runtime *rt, bool is_needed)
{
    if (gos__load_acquire(&rt->starting)) /* it will be one in a moment */
        return;
    gos__store_relaxed(&rt->starting, 1u);
    int failed = gos__thread_start(NULL);
    if (!failed)
        return;
    gos__store_relaxed(&rt->starting, 0u);
    static bool said;
    if (!said && is_needed)
        gos__warn("a task blocks its worker: the system refuses another thread (%s)",
                  failed == -EAGAIN ? "pids or memory limit" : "no memory");
    said |= is_needed;
}

/* Who blocks is likely to block again, or others are: the next hand-off shall not have to wait until there is a thread.
 * The last one that the limit allows is made only when it is needed. */
static bool may_keep_spare(const gos__runtime *rt)
{
    return !gos__load_relaxed(&rt->spares_n) && rt->threads_n + 1 < (uint32_t)gos__env_get()->maxthreads;
}

void gos__spare_ahead(gos__runtime *rt)
{
    if (!gos__load_relaxed(&rt->spare_wanted))
        return;
    gos__store_relaxed(&rt->spare_wanted, 0u);
    if (may_keep_spare(rt))
        start_spare(rt, false);
}

/* The worker is to go out of use, and its thread cannot see to it: run.c, U1-U5. */
static bool retake(gos__worker *worker, gos__thread *blocked)
{
    gos__worker_clear(worker);
    worker->thread = NULL;
    gos__trace_thread(worker, GOS_EV_HANDOFF, blocked);
    take_from(blocked, true);
    gos__spin_unlock(&worker->lock);
    gos__worker_left(worker);
    return true;
}

/*
 * The worker of a thread that stays outside the runtime, blocked or in a loop, goes to another thread, or out of use
 * if it is to. On the monitor, which alone creates threads and records.
 */
bool gos__hand_off(gos__worker *worker, bool loops)
{
    gos__runtime *rt = gos__rt;
    uint32_t tick = gos__load_relaxed(&worker->tick);
    bool is_soon = gos__load_acquire(&rt->starting) && !gos__load_relaxed(&rt->spares_n);
    if (is_soon && !gos__load_relaxed(&rt->returning_n) && !gos__load_relaxed(&worker->quit))
        return false;
    if (!gos__worker_lock(worker)) /* H1 */
        return false;
    gos__thread *blocked = worker->thread;
    if (!blocked || gos__load_relaxed(&worker->tick) != tick || worker->dozing || blocked->keeps_worker ||
        gos__load_relaxed(&rt->stopping)) {
        gos__worker_unlock(worker);
        return false;
    }
    bool quits = gos__load_relaxed(&worker->quit), done = quits && retake(worker, blocked);
    done = quits ? done : give_to_heir(worker, blocked, loops);
    if (done) {
        GOS_PROBE1(handoff, worker->index);
        gos__add_relaxed(&rt->handoffs, 1);
    } else {
        gos__worker_unlock(worker);
    }
    if (!quits && (!done || may_keep_spare(rt)))
        start_spare(rt, !done);
    return done;
}
