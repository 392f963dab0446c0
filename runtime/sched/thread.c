/*
 * thread.c: OS threads and how workers pass between them.
 *
 * Hand-off
 *   A worker is run by one thread at a time. Whoever takes it from a thread holds it by the biased lock first
 *   (worker.h, T1-T5) and then writes `locked = GOS_LOST` where a thief would write GOS_UNLOCKED, so that the thread
 *   finds at its next O3 that it lost its worker, however long that takes. It then owns nothing but its spare region
 *   and the task it carries, and asks for a worker.
 *
 *     the monitor (handoff.c), a thread being blocked that thread, back at O3
 *     H1  T1-T4                                       R1  LOST? take an idle worker's bit; none: R4
 *     H2  it is back, or dozes: T6                    R2  T1-T4; its thread does not doze: wake it, R4
 *     H3  an heir as in G1; none: T6, start a         R3  tie it to this thread, and clear its bit, should it be
 *         spare, and look again                           set again; the sleeper: AWAITS, then into the spares,
 *                                                         woken; this one: UNLOCKED
 *     H4  the blocked thread: LOST                    R4  AWAITS, then into `returning`; attention everywhere
 *     H5  G2-G4; no spare is left: start one for      R5  fence, wake one (as S3: an idle worker sees it at I3 or
 *         the next time                                   is seen); sleep until UNLOCKED
 *     a thread that gives its worker away             R6  the run ends: leave, but not while somebody who took
 *     G1  let go of it; an heir: the first of             it off the list has yet to grant it a worker
 *         `returning`, else a spare
 *     G2  tie worker and heir, under worker->lock
 *     G3  the heir: in_runtime = 1, UNLOCKED
 *     G4  release worker->lock, wake it
 *
 *   AWAITS comes before the list, since G3 overwrites it without asking. At H3 nothing is held or taken while the C
 *   library makes a thread: that takes locks of its own and of the program's malloc, whose holder may be this thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/handoff.h"
#include "sched/netpoll.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* A spare thread without work for so long ends. */
#define SPARE_NS 5000000000

/* So many spares are looked at for the right one. */
enum { SPARE_LOOKS = 8 };

void gos__thread_wake(gos__thread *thread)
{
    gos__store_release(&thread->futex, 1u);
    gos__futex_wake(&thread->futex, 1);
    gos__netpoll_wake(thread);
}

void gos__thread_tie(gos__worker *worker, gos__thread *thread)
{
    thread->worker = worker;
    thread->cache = &worker->stacks;
    thread->tag = worker->tag;
    thread->ring = &worker->trace.ring;
    worker->thread = thread;
    gos__trace_thread(worker, GOS_EV_THREAD, thread);
    if (gos__is_seeded())
        gos__store_relaxed(&thread->preempt, (uint32_t)GOS_PREEMPT_SEEDED);
    gos__store_relaxed(&worker->seen_since, (int64_t)0);
    worker->asked_cpu = -1;
    worker->seen_at = 0;
    worker->passed_at = gos__clock_ns();
    if (gos__load_relaxed(&thread->pinned_task))
        gos__call_attention(worker);
}

void gos__worker_detach(gos__worker *worker)
{
    gos__thread *self = &gos__self;
    gos__trace_note(worker, GOS_EV_GIVEN, 0, 0, (uint64_t)self->tid);
    gos__spin_lock(&worker->lock);
    worker->thread = NULL;
    gos__spin_unlock(&worker->lock);
    self->worker = NULL;
    self->cache = NULL;
    self->slept = INT64_MAX;
    gos__store_relaxed(&self->losses, self->losses + 1);
    gos__store_relaxed(&self->locked, (uint32_t)GOS_LOST);
}

/* To the worker's processor. A thread that runs has to be moved there and waits for its turn; one that sleeps wakes
 * there: so who wakes it sees to it. */
static void bind_to(gos__thread *thread, const gos__worker *worker)
{
    uint32_t bound = worker->index + 1;
    if (thread->bound != bound && !gos__env_get()->nobind && gos__load_relaxed(&gos__rt->procs) > 1)
        gos__cpu_bind(thread->tid, (int)worker->index);
    thread->bound = bound;
}

void gos__bind(gos__thread *self)
{
    bind_to(self, self->worker);
}

/* Under worker->lock, which is released before the thread is woken: it may be on this processor at once, and want it.
 * The thread is asleep for want of a worker, and in no list. It counts as inside the runtime from now on, so that
 * nobody takes the worker from it before it has woken. */
static void grant(gos__worker *worker, gos__thread *thread)
{
    gos__thread_tie(worker, thread); /* G2 */
    gos__store_relaxed(&thread->in_runtime, 1u);
    gos__store_release(&thread->locked, (uint32_t)GOS_UNLOCKED); /* G3 */
    gos__store_release(&thread->futex, 1u);
    gos__spin_unlock(&worker->lock);
    gos__futex_wake(&thread->futex, 1); /* G4: it may have ended by now: an address, no more */
    gos__netpoll_wake(thread);
}

/* Whoever waits longest gets a worker first; the others' turn is at its next switch. */
static gos__thread *pop_returning(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    if (!gos__load_relaxed(&rt->returning_n))
        return NULL;
    gos__spin_lock(&rt->threads_lock);
    gos__thread *thread = rt->returning;
    if (thread) {
        rt->returning = thread->next;
        gos__store_relaxed(&rt->returning_n, rt->returning_n - 1);
    }
    gos__spin_unlock(&rt->threads_lock);
    if (thread && gos__load_relaxed(&rt->returning_n))
        gos__call_attention(worker);
    return thread;
}

/* A thread without a worker, which has written GOS_AWAITS or had it written, becomes a spare. */
static void push_spare(gos__thread *thread)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->threads_lock);
    thread->next = rt->spares;
    rt->spares = thread;
    gos__store_relaxed(&rt->spares_n, rt->spares_n + 1);
    gos__spin_unlock(&rt->threads_lock);
}

static void append_returning(gos__thread *thread)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->threads_lock);
    thread->next = NULL;
    if (rt->returning)
        rt->returning_last->next = thread;
    else
        rt->returning = thread;
    rt->returning_last = thread;
    gos__store_relaxed(&rt->returning_n, rt->returning_n + 1);
    gos__spin_unlock(&rt->threads_lock);
}

/* Takes `self` off a list; false: somebody was quicker and is granting it a worker. */
static bool take_off(gos__thread **list, uint32_t *count, gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    bool found = false;
    gos__spin_lock(&rt->threads_lock);
    gos__thread *before = NULL;
    for (gos__thread **at = list; *at; before = *at, at = &(*at)->next)
        if (*at == self) {
            *at = self->next;
            if (list == &rt->returning && rt->returning_last == self)
                rt->returning_last = before;
            gos__store_relaxed(count, *count - 1);
            gos__store_relaxed(&self->locked, (uint32_t)GOS_LOST);
            found = true;
            break;
        }
    gos__spin_unlock(&rt->threads_lock);
    return found;
}

static bool leave_spares(gos__thread *self)
{
    return take_off(&gos__rt->spares, &gos__rt->spares_n, self);
}

static bool leave_returning(gos__thread *self)
{
    return take_off(&gos__rt->returning, &gos__rt->returning_n, self);
}

void gos__worker_grant(gos__worker *worker, gos__thread *thread)
{
    bind_to(thread, worker);
    gos__spin_lock(&worker->lock);
    grant(worker, thread);
}

void gos__worker_grant_locked(gos__worker *worker, gos__thread *thread)
{
    bind_to(thread, worker);
    grant(worker, thread);
}

/* One that wakes on the worker's processor, if it is among the first: to move a thread takes as long as to wake it. */
static gos__thread *pop_spare(const gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    if (!gos__load_relaxed(&rt->spares_n))
        return NULL;
    gos__spin_lock(&rt->threads_lock);
    gos__thread **at = &rt->spares;
    for (int looks = 0; *at && (*at)->bound != worker->index + 1 && looks < SPARE_LOOKS; looks++)
        at = &(*at)->next;
    if (!*at || (*at)->bound != worker->index + 1)
        at = &rt->spares;
    gos__thread *spare = *at;
    if (spare) {
        *at = spare->next;
        gos__store_relaxed(&rt->spares_n, rt->spares_n - 1);
    }
    gos__spin_unlock(&rt->threads_lock);
    return spare;
}

gos__thread *gos__find_heir(gos__worker *worker)
{
    gos__thread *heir = pop_returning(worker);
    return heir ? heir : pop_spare(worker);
}

void gos__worker_give_away(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__worker_detach(worker);
    gos__thread *heir = gos__find_heir(worker);
    if (heir) {
        gos__worker_grant(worker, heir);
    } else {
        gos__store_release(&worker->orphan, 1u);
        gos__futex_wake(&rt->done, 1); /* the monitor looks */
        gos__monitor_wake(rt);
    }
}

void gos__adopt(gos__worker *worker)
{
    gos__store_relaxed(&worker->orphan, 0u);
    gos__thread *heir = gos__find_heir(worker);
    if (heir)
        gos__worker_grant(worker, heir);
    else if (gos__thread_start(worker))
        gos__store_relaxed(&worker->orphan, 1u); /* the system refuses a thread: again at the next look */
}

bool gos__give_worker(gos__worker *worker)
{
    if (gos__load_relaxed(&gos__rt->returning_n) && !gos__may_pass(worker)) {
        gos__call_attention(worker);
        return false;
    }
    gos__thread *heir = pop_returning(worker);
    if (!heir)
        return false;
    gos__worker_detach(worker);
    gos__worker_grant(worker, heir);
    return true;
}

/* Takes over an idle worker; its sleeping thread becomes a spare. */
static bool claim_idle(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    gos__worker *worker = gos__idle_pick();
    if (!worker)
        return false;
    if (!gos__worker_lock(worker)) {
        gos__spin_lock(&worker->lock);
        if (worker->thread)
            gos__thread_wake(worker->thread); /* it was waking anyway; its bit is gone, so it must look around */
        gos__spin_unlock(&worker->lock);
        return false;
    }
    gos__thread *sleeper = worker->thread;
    if (sleeper && !worker->dozing) { /* it has woken, and looks around by itself */
        gos__worker_unlock(worker);
        return false;
    }
    gos__thread_tie(worker, self);
    gos__store_relaxed(&worker->dozing, 0u);
    gos__idle_clear(worker); /* it may have woken by itself and gone to sleep again since its bit was taken */
    if (sleeper) {
        sleeper->worker = NULL;
        gos__store_release(&sleeper->locked, (uint32_t)GOS_AWAITS); /* R3 */
        /* So that it ends like other spares; a poller sleeps elsewhere, and goes on with that. Once among the spares it
         * may end, and its memory with it: waking an address where nobody sleeps does no harm, but writing would. */
        gos__store_release(&sleeper->futex, 1u);
        push_spare(sleeper);
        gos__futex_wake(&sleeper->futex, 1);
    }
    gos__spin_unlock(&worker->lock);
    gos__monitor_wake(rt);
    return true;
}

/* For a thread that lost its worker and carries a task: comes back with a worker, or abandoned, or not at all. Inside
 * the runtime all the time (stop.c, B1). */
void gos__regain(void)
{
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__store_relaxed(&self->futex, 0u);
    uint32_t locked;
    gos__roam_over(self);
    gos__spares_flush(NULL); /* others may need them; what nobody needs goes back to the kernel */
    while ((locked = gos__load_acquire(&self->locked)) == GOS_LOST || locked == GOS_AWAITS) {
        /* In no list any more: somebody may still write to a thread that he took from one. */
        if (gos__load_relaxed(&rt->stopping) && (locked == GOS_LOST || leave_returning(self))) /* R6 */
            gos__leave_run();
        if (locked == GOS_AWAITS) {
            gos__futex_wait(&self->futex, 0, INT64_MAX);
            gos__exchange_seq(&self->futex, 0u); /* seq: before the look at `locked`, or it wipes a waker's 1 out */
        } else if (claim_idle(self)) {
            gos__store_relaxed(&self->locked, (uint32_t)GOS_UNLOCKED);
        } else {
            gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS); /* R4 */
            append_returning(self);
            for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
                gos__call_attention(rt->workers[i]);
            gos__fence_seq(); /* R5: a worker going idle meanwhile sees us (I3), or we see it */
            gos__wake_one(NULL);
        }
    }
    if (locked != GOS_ABANDONED)
        gos__bind(self);
}

/* Waits for a worker, inside the runtime (stop.c, B1); false: the run is over or there is nothing to do for long. */
static bool wait_as_spare(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    int64_t deadline = gos__clock_ns() + SPARE_NS;
    uint32_t locked;
    gos__spares_flush(NULL); /* as in gos__regain: of tasks that it carried to their end, and of its last sleep */
    while ((locked = gos__load_acquire(&self->locked)) == GOS_LOST || locked == GOS_AWAITS) {
        if (gos__load_relaxed(&rt->stopping) && (locked == GOS_LOST || leave_spares(self)))
            return false;
        if (locked == GOS_LOST) {
            gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS);
            push_spare(self);
        }
        if (gos__clock_ns() >= deadline && leave_spares(self))
            return false;
        gos__futex_wait(&self->futex, 0, deadline);
        gos__exchange_seq(&self->futex, 0u); /* seq: as in gos__regain */
    }
    return true;
}

/* H3: one that was started so that there is an heir. */
static void begin_as_spare(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    push_spare(self);
    gos__store_release(&rt->starting, 0u);
    gos__futex_wake(&rt->done, 1); /* the monitor looks */
    gos__monitor_wake(rt);
}

static void *thread_main(void *arg)
{
    gos__thread_record *record = arg;
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__timer_slack(1); /* the thread's sleeps are the tasks' */
    size_t size;
    void *signals = gos__signal_stack_alloc(&size);
    if (signals)
        gos__signal_stack(signals, size);
    *self = (gos__thread){ .in_runtime = 1, .limit_word = gos__limit_word(), .error = &errno, .tid = gos__thread_id(),
                           .status_fd = -1, .bound = record->binds ? record->worker->index + 1 : 0,
                           .locked = record->worker ? GOS_UNLOCKED : GOS_AWAITS };
    self->usual_mask = gos__signal_mask();
    gos__worker *worker = record->worker;
    if (worker) {
        gos__spin_lock(&worker->lock);
        gos__thread_tie(worker, self);
        gos__spin_unlock(&worker->lock);
    }
    gos__trace_note_outside(rt, GOS_EV_BEGINS, (uint64_t)self->tid);
    gos__store_release(&record->thread, self);
    if (!worker)
        begin_as_spare(self);

    gos__thread_guard(true);
    for (;;) {
        gos__wait_unlocked();
        if (gos__load_acquire(&self->locked) == GOS_UNLOCKED) {
            gos__bind(self);
            gos__task *task = gos__next(self->worker, GOS_LEFT_ENDED);
            if (task)
                gos__enter(task);
            gos__store_relaxed(&self->task, NULL);
        }
        if (gos__load_relaxed(&rt->stopping) || self->must_end || !wait_as_spare(self))
            break;
    }
    gos__assert(self->in_runtime); /* to the end, so that it is waited for, not abandoned: stop.c */
    while (gos__load_acquire(&self->locked) == GOS_AWAITS && !leave_spares(self))
        sched_yield(); /* it is just being given a worker */
    if (self->worker)
        gos__worker_detach(self->worker);
    gos__pin_forget(self);
    if (signals) {
        gos__signal_stack(NULL, 0);
        gos__signal_stack_free(signals);
    }
    gos__spares_flush(NULL);
    gos__thread_guard(false);
    gos__trace_note_outside(rt, GOS_EV_ENDS, (uint64_t)self->tid);
    gos__store_release(&record->left, 1u);
    gos__futex_wake(&record->left, 1);
    return NULL;
}

int gos__thread_start(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    const gos__env *env = gos__env_get();
    gos__reap_threads(rt);
    if (rt->threads_n >= (uint32_t)env->maxthreads)
        gos__die("fatal error: %u threads, as many as GOS_MAXTHREADS allows, and another is needed: raise it, or let "
                 "fewer tasks block at once", rt->threads_n);
    gos__thread_record *record = malloc(sizeof *record);
    if (!record)
        return -ENOMEM;
    *record = (gos__thread_record){
        .worker = worker, .next = rt->records, .binds = worker && !env->nobind && rt->procs > 1
    };
    int index = record->binds ? (int)worker->index : -1;
    int failed = gos__thread_create(&record->pthread, index, thread_main, record);
    if (failed) {
        free(record);
        return -failed;
    }
    rt->records = record;
    gos__store_relaxed(&rt->threads_n, rt->threads_n + 1); /* gos_stats_read reads these, from anywhere */
    if (rt->threads_n > rt->threads_peak)
        gos__store_relaxed(&rt->threads_peak, rt->threads_n);
    return 0;
}
