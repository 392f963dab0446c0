/*
 * thread.c: OS threads and how workers pass between them.
 *
 * Hand-off
 *   A worker is run by one thread at a time. Whoever takes it from a thread holds it by the biased lock first
 *   (worker.h, T1-T5) and then writes `locked = GOS_LOST` where a thief would write GOS_UNLOCKED, so that the thread
 *   finds at its next O3 that it lost its worker, however long that takes. It then owns nothing but its spare region
 *   and the task it carries, and asks for a worker: an idle one at once, else it joins `returning` and gets the
 *   worker of the next thread that switches, which becomes a spare.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/netpoll.h"
#include "sched/worker.h"

/* A spare thread without work for so long ends. */
#define SPARE_NS 5000000000

/* Patience with a thread that neither is blocked nor comes to a scheduling point, at the end of a run. */
#define STARVED_NS 1500000000

static uintptr_t *limit_word(void)
{
    char *self;
    __asm__("movq %%fs:0, %0" : "=r"(self));
    return (uintptr_t *)(self + GOS_LIMIT_WORD);
}

void gos__thread_wake(gos__thread *thread)
{
    gos__store_release(&thread->futex, 1u);
    gos__futex_wake(&thread->futex, 1);
    gos__netpoll_wake(thread);
}

/* Ties worker and thread; the worker is held by the caller. */
static void tie(gos__worker *worker, gos__thread *thread)
{
    thread->worker = worker;
    thread->cache = &worker->stacks;
    worker->thread = thread;
    worker->seen_since = 0;
    if (thread->pinned_task)
        gos__call_attention(worker);
}

void gos__worker_detach(gos__worker *worker)
{
    gos__thread *self = &gos__self;
    gos__spin_lock(&worker->lock);
    worker->thread = NULL;
    gos__spin_unlock(&worker->lock);
    self->worker = NULL;
    self->cache = NULL;
    self->locked = GOS_LOST;
}

/* The thread is asleep for want of a worker. It counts as inside the runtime from now on, so that nobody takes the
 * worker from it before it has woken. */
static void grant(gos__worker *worker, gos__thread *thread)
{
    tie(worker, thread);
    gos__store_relaxed(&thread->in_runtime, 1u);
    gos__store_release(&thread->locked, (uint32_t)GOS_UNLOCKED);
    gos__thread_wake(thread);
}

static gos__thread *pop(gos__thread **list, uint32_t *count)
{
    gos__runtime *rt = gos__rt;
    if (!gos__load_relaxed(count))
        return NULL;
    gos__spin_lock(&rt->threads_lock);
    gos__thread *thread = *list;
    if (thread) {
        *list = thread->next;
        gos__store_relaxed(count, *count - 1);
    }
    gos__spin_unlock(&rt->threads_lock);
    return thread;
}

/* Whoever waits longest gets a worker first; the others' turn is at its next switch. */
static gos__thread *pop_returning(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__thread *thread = pop(&rt->returning, &rt->returning_n);
    if (thread && gos__load_relaxed(&rt->returning_n))
        gos__call_attention(worker);
    return thread;
}

static gos__thread *pop_spare(void)
{
    return pop(&gos__rt->spares, &gos__rt->spares_n);
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
            self->locked = GOS_LOST;
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
    gos__spin_lock(&worker->lock);
    grant(worker, thread);
    gos__spin_unlock(&worker->lock);
}

static gos__thread *find_heir(gos__worker *worker)
{
    gos__thread *heir = pop_returning(worker);
    return heir ? heir : pop_spare();
}

void gos__worker_give_away(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__worker_detach(worker);
    gos__thread *heir = find_heir(worker);
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
    gos__thread *heir = find_heir(worker);
    if (heir)
        gos__worker_grant(worker, heir);
    else if (gos__thread_start(worker))
        gos__store_relaxed(&worker->orphan, 1u); /* the system refuses a thread: again at the next look */
}

bool gos__give_worker(gos__worker *worker)
{
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
    tie(worker, self);
    worker->dozing = 0;
    if (sleeper) {
        sleeper->worker = NULL;
        gos__store_release(&sleeper->locked, (uint32_t)GOS_AWAITS);
        push_spare(sleeper);
    }
    gos__spin_unlock(&worker->lock);
    gos__monitor_wake(rt);
    return true;
}

/* For a thread that lost its worker and carries a task: comes back with a worker, or not at all. */
void gos__regain(void)
{
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__store_relaxed(&self->futex, 0u);
    uint32_t locked;
    while ((locked = gos__load_acquire(&self->locked)) == GOS_LOST || locked == GOS_AWAITS) {
        /* In no list any more: somebody may still write to a thread that he took from one. */
        if (gos__load_relaxed(&rt->stopping) && (locked == GOS_LOST || leave_returning(self)))
            gos__leave_run();
        if (locked == GOS_AWAITS) {
            gos__futex_wait(&self->futex, 0, INT64_MAX);
            gos__store_relaxed(&self->futex, 0u);
        } else if (claim_idle(self)) {
            gos__store_relaxed(&self->locked, (uint32_t)GOS_UNLOCKED);
        } else {
            gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS);
            append_returning(self);
            for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
                gos__call_attention(rt->workers[i]);
            gos__membarrier(); /* as I2: a worker going idle meanwhile sees us, or we see it */
            gos__wake_one(NULL);
        }
    }
    gos__bind(self);
}

void gos__bind(gos__thread *self)
{
    uint32_t index = self->worker->index;
    if (self->bound != index + 1 && !gos__env_get()->nobind && gos__rt->procs > 1)
        gos__cpu_bind((int)index);
    self->bound = index + 1;
}

/* Waits for a worker; false: the run is over or there is nothing to do for long. */
static bool wait_as_spare(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    int64_t deadline = gos__clock_ns() + SPARE_NS;
    uint32_t locked;
    while ((locked = gos__load_acquire(&self->locked)) == GOS_LOST || locked == GOS_AWAITS) {
        if (gos__load_relaxed(&rt->stopping) && (locked == GOS_LOST || leave_spares(self)))
            return false;
        if (locked == GOS_LOST) {
            gos__store_release(&self->in_runtime, 0u);
            gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS);
            push_spare(self);
        }
        if (gos__clock_ns() >= deadline && leave_spares(self))
            return false;
        gos__futex_wait(&self->futex, 0, deadline);
        gos__store_relaxed(&self->futex, 0u);
    }
    return true;
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
    *self = (gos__thread){ .in_runtime = 1, .limit_word = limit_word(), .tid = gos__thread_id() };
    gos__spin_lock(&record->worker->lock);
    tie(record->worker, self);
    gos__spin_unlock(&record->worker->lock);
    gos__store_release(&record->thread, self);

    for (;;) {
        gos__wait_unlocked();
        if (gos__load_acquire(&self->locked) == GOS_UNLOCKED) {
            gos__bind(self);
            gos__task *task = gos__next(self->worker);
            if (task)
                gos__enter(task);
            self->task = NULL;
        }
        if (gos__load_relaxed(&rt->stopping) || self->must_end || !wait_as_spare(self))
            break;
    }
    /* Still inside, so that the run does not end before this thread is done with it. */
    gos__store_relaxed(&self->in_runtime, 1u);
    gos__compiler_fence(); /* partner: the membarrier in abandon */
    if (gos__load_acquire(&self->locked) == GOS_ABANDONED)
        gos__sleep_for_ever();
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
    gos__store_release(&self->in_runtime, 0u);
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
        gos__die("fatal error: %u threads, all blocked in system calls: the limit GOS_MAXTHREADS", rt->threads_n);
    gos__thread_record *record = malloc(sizeof *record);
    if (!record)
        return -ENOMEM;
    *record = (gos__thread_record){ .worker = worker, .next = rt->records };
    int failed = pthread_create(&record->pthread, NULL, thread_main, record);
    if (failed) {
        free(record);
        return -failed;
    }
    rt->records = record;
    rt->threads_n++;
    if (rt->threads_n > rt->threads_peak)
        rt->threads_peak = rt->threads_n;
    return 0;
}

void gos__reap_threads(gos__runtime *rt)
{
    for (gos__thread_record **at = &rt->records; *at;) {
        gos__thread_record *record = *at;
        if (gos__load_acquire(&record->left)) {
            *record->thread->limit_word = 0; /* the C library gives the thread's memory to the next one as it is */
            pthread_join(record->pthread, NULL);
            *at = record->next;
            free(record);
            rt->threads_n--;
        } else {
            at = &record->next;
        }
    }
}

/*
 * The worker of a thread that is blocked outside the runtime goes to another thread. On the monitor, which alone
 * creates threads and records.
 */
bool gos__hand_off(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    uint32_t tick = worker->tick;
    if (!gos__worker_lock(worker))
        return false;
    gos__thread *blocked = worker->thread;
    if (!blocked || worker->tick != tick || worker->quit || worker->dozing || blocked->keeps_worker) {
        gos__worker_unlock(worker);
        return false;
    }
    gos__thread *heir = find_heir(worker);
    if (heir) {
        blocked->worker = NULL;
        gos__store_release(&blocked->locked, (uint32_t)GOS_LOST);
        grant(worker, heir);
        gos__spin_unlock(&worker->lock);
    } else {
        worker->thread = NULL;
        gos__spin_unlock(&worker->lock);
        int failed = gos__thread_start(worker);
        gos__spin_lock(&worker->lock);
        if (failed) {
            static bool said;
            if (!said)
                gos__warn("a task blocks its worker: the system refuses another thread (%s)",
                          failed == -EAGAIN ? "pids or memory limit" : "no memory");
            said = true;
            worker->thread = blocked;
            gos__store_release(&blocked->locked, (uint32_t)GOS_UNLOCKED);
        } else {
            blocked->worker = NULL;
            gos__store_release(&blocked->locked, (uint32_t)GOS_LOST);
        }
        gos__spin_unlock(&worker->lock);
        if (failed)
            return false;
    }
    rt->handoffs++;
    return true;
}

static bool abandon(gos__thread *thread)
{
    uint32_t before = gos__exchange_seq(&thread->locked, (uint32_t)GOS_ABANDONED);
    gos__membarrier();
    if (!gos__load_acquire(&thread->in_runtime))
        return true;
    gos__cas_seq(&thread->locked, GOS_ABANDONED, before); /* it is in the runtime, and about to leave by itself */
    return false;
}

bool gos__threads_stop(gos__runtime *rt, int64_t deadline)
{
    for (;;) {
        gos__reap_threads(rt);
        if (!rt->records)
            return true;
        int64_t now = gos__clock_ns();
        /* A thread that could run but did not get to on a busy machine has more patience than one that is blocked. */
        bool late = now >= deadline, too_late = now - deadline >= STARVED_NS;
        gos__thread_record *waited_for = NULL;
        for (gos__thread_record *record = rt->records; record; record = record->next) {
            gos__thread *thread = gos__load_acquire(&record->thread);
            if (!thread || gos__load_acquire(&record->left) || record->abandoned)
                continue;
            gos__preempt(thread);
            gos__thread_wake(thread);
            if (late && (too_late || gos__thread_blocked(thread->tid)) && abandon(thread)) {
                record->abandoned = true;
                pthread_detach(record->pthread);
                rt->abandoned++;
            } else {
                waited_for = record;
            }
        }
        if (waited_for)
            gos__futex_wait(&waited_for->left, 0, gos__clock_ns() + 1000000);
        else if (rt->abandoned)
            return false;
    }
}
