/*
 * pin.c: tasks that stay on their thread.
 *
 * A thread with a pinned task runs nothing else. When that task waits and nobody else wants to run there, the thread
 * keeps its worker and spins for a while, unless it did so already when it came to a channel (sync/watch.c):
 *
 *     owner, its task parked                        whoever makes the task ready, or finds it in a queue
 *     P1  turn = GOS_SPINS                          Q1  turn: GOS_SPINS -> the task; done
 *     P2  until patience ends: turn == a task?      Q2  it was not: into a queue, and from there by way of R1
 *         then turn = 0, go on with it
 *     P3  turn: GOS_SPINS -> 0, or go on with it
 *
 * Then it gives its worker away and sleeps; whoever then finds the task in a queue gives its own worker to that thread
 * (two changes of thread for each such wait, as in Go):
 *
 *     P4  give the worker away                      R1  take awaits_turn (under threads_lock); not set: Q1 again, and
 *     P5  awaits_turn = 1, sleep until a worker         else back into the queue
 *         is granted                                R2  grant the own worker to the owner
 *
 * While a thread has a pinned task its worker's `attention` stays set, which is how gos__next comes here.
 */
#include "base/check.h"
#include "sched/handoff.h"
#include "sched/pin.h"
#include "sched/task.h"
#include "sched/worker.h"

/* Spinning costs less than giving the worker away and getting one again. */
#define PATIENCE_NS 20000

/* Looks at `turn` between two looks at all else. */
enum { LOOKS = 20 };

static uint32_t slot_of(const gos__task *task)
{
    return (uint32_t)((uintptr_t)task / sizeof(gos__task)) * 0x9e3779b1u >> 26;
}
_Static_assert(GOS_PIN_SLOTS == 1 << (32 - 26), "as many slots as the hash has values");

/* Into the list, and the task's slot names this thread. Tasks that own locks are pinned and unpinned all the time
 * (sched/pin.h), so the thread stays listed, and the slot its own, until it is somebody else's turn: who looks for
 * a task has it parked and pinned in hand, and reads nothing of slots whose task is not. */
static GOS_NOINLINE void list(gos__thread *self, gos__task *task)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->threads_lock);
    if (!self->listed) {
        self->pinned_next = rt->pinned;
        rt->pinned = self;
    }
    gos__pin_slot *former = &rt->pins[slot_of(self->listed)], *slot = &rt->pins[slot_of(task)];
    if (self->listed && former->task == self->listed && gos__load_relaxed(&former->thread) == self)
        gos__store_relaxed(&former->task, NULL);
    if (!slot->task || slot->task == task) {
        gos__store_relaxed(&slot->thread, self);
        gos__store_release(&slot->task, task);
        self->pin_slot = slot;
    }
    self->listed = task;
    gos__spin_unlock(&rt->threads_lock);
}

static void unlist(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->threads_lock);
    for (gos__thread **at = &rt->pinned; *at; at = &(*at)->pinned_next)
        if (*at == self) {
            *at = self->pinned_next;
            break;
        }
    gos__pin_slot *slot = &rt->pins[slot_of(self->listed)];
    if (slot->task == self->listed && gos__load_relaxed(&slot->thread) == self)
        gos__store_relaxed(&slot->task, NULL);
    self->listed = NULL;
    self->pin_slot = NULL;
    gos__store_relaxed(&self->pinned_task, NULL);
    gos__spin_unlock(&rt->threads_lock);
}

void gos__pin(void)
{
    gos__thread *self = &gos__self;
    gos__task *task = self->task;
    gos__require(task != NULL, "gos_pin called outside a task");
    /* A running task cannot be claimed: the plain store wipes out what a claimer put there in vain (sched/claim.h). */
    uint8_t depth = gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH;
    gos__require(depth < GOS_PIN_DEPTH, "gos_pin: nested more than %d times", GOS_PIN_DEPTH);
    gos__store_relaxed(&task->pinned, (uint8_t)(depth + 1));
    if (depth)
        return;
    const gos__pin_slot *slot = &gos__rt->pins[slot_of(task)];
    if (self->listed != task || (gos__load_relaxed(&slot->task) == task && gos__load_relaxed(&slot->thread) != self))
        list(self, task);
    gos__store_relaxed(&self->pinned_task, task);
    /* Its own, but for what others set as well. */
    gos__store_relaxed(&self->worker->attention, gos__load_relaxed(&self->worker->attention) | GOS_ATTEND);
}

void gos__unpin(void)
{
    gos__thread *self = &gos__self;
    gos__require(self->task != NULL, "gos_unpin called outside a task");
    gos__unpin_here();
}

void gos__held_up(void)
{
    gos__thread *self = &gos__self;
    if (gos__load_acquire(&self->locked))
        gos__wait_unlocked();
    if (self->owned < GOS_OWNED || self->owned & GOS_OWNED_PINNED)
        return;
    gos__pin();
    self->owned |= GOS_OWNED_PINNED;
}

void gos__pin_forget(gos__thread *self)
{
    if (self->listed)
        unlist(self);
}

bool gos__pin_any(gos__runtime *rt)
{
    gos__spin_lock(&rt->threads_lock);
    const gos__thread *thread = rt->pinned;
    while (thread && !gos__load_relaxed(&thread->pinned_task))
        thread = thread->pinned_next;
    gos__spin_unlock(&rt->threads_lock);
    return thread != NULL;
}

void gos__pinned_ended(void)
{
    gos__thread *self = &gos__self;
    unlist(self);
    self->owned = 0;
    self->must_end = 1; /* it may carry what the task did to its thread: credentials, masks, name spaces */
    gos__call_attention(self->worker);
}

static bool deliver(gos__thread *owner, gos__task *task)
{
    return owner && gos__load_relaxed(&owner->turn) == GOS_SPINS &&
           gos__cas_ptr_seq(&owner->turn, GOS_SPINS, (uintptr_t)task); /* Q1; seq: releases what was done before */
}

/* The slot names a thread that is there: its task is pinned to it, and ready, which is for the caller to say. */
bool gos__ready_pinned(gos__task *task)
{
    gos__runtime *rt = gos__rt;
    const gos__pin_slot *slot = &rt->pins[slot_of(task)];
    if (!(gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH) || gos__load_acquire(&slot->task) != task)
        return false;
    gos__thread *owner = gos__load_relaxed(&slot->thread);
    /* It has parked its task a moment ago, and is about to spin or to give its worker away. */
    for (int i = 0; i < 100 && owner != &gos__self && !gos__load_relaxed(&owner->turn) &&
                    !gos__load_relaxed(&owner->awaits_turn) && gos__load_relaxed(&owner->in_runtime); i++)
        gos__cpu_relax();
    if (deliver(owner, task))
        return true;
    /* In this queue it would have to wait until this thread has given its worker away. */
    if (owner == &gos__self || (!gos__load_relaxed(&rt->idle_n) && !gos__load_relaxed(&rt->searching)))
        return false;
    gos__shared_push(task, task, 1);
    gos__wake_one(NULL);
    return true;
}

bool gos__pin_spins(const gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    return gos__load_relaxed(&rt->procs) > 1 && worker->back == worker->front && !gos__load_relaxed(&worker->quit) &&
           !gos__load_relaxed(&rt->returning_n);
}

bool gos__pin_patience(const gos__worker *worker, int64_t *since)
{
    gos__runtime *rt = gos__rt;
    int64_t now = gos__clock_ns();
    if (!*since)
        *since = now;
    /* What is in the shared queue is for somebody who was woken for it, if he comes. */
    return !gos__load_relaxed(&worker->quit) && !gos__load_relaxed(&rt->returning_n) && now - *since < PATIENCE_NS &&
           (!gos__load_relaxed(&rt->shared_n) || now - *since < PATIENCE_NS / 2);
}

/* Spins for a pinned task as long as nobody else wants to run here; NULL: in vain. */
static gos__task *spin_for_turn(gos__worker *worker, gos__thread *self)
{
    if (!gos__pin_spins(worker))
        return NULL;
    int64_t since = 0;
    uintptr_t turn;
    gos__exchange_seq(&self->turn, GOS_SPINS); /* P1 */
    do { /* P2 */
        for (int i = 0; i < LOOKS && gos__load_relaxed(&self->turn) == GOS_SPINS; i++)
            gos__cpu_relax();
    } while (gos__load_relaxed(&self->turn) == GOS_SPINS && gos__pin_patience(worker, &since));
    turn = gos__exchange_seq(&self->turn, (uintptr_t)0); /* P3 */
    return turn == GOS_SPINS ? NULL : (gos__task *)turn;
}

/* On a thread with a pinned task, which waits in a list or a queue: comes back with that task when it may run. */
static gos__task *wait_for_turn(gos__worker *worker, gos__thread *self)
{
    gos__task *task = self->pinned_task;
    bool has_spun = self->has_spun;
    self->has_spun = 0;
    gos__count_switch(worker);
    if (worker->back - worker->front == 1 && worker->queue[worker->front & (GOS_QUEUE_SIZE - 1)] == task) {
        gos__store_relaxed(&worker->front, worker->front + 1);
        return task; /* nobody else wants to run here */
    }
    if (!has_spun && spin_for_turn(worker, self))
        return task;
    gos__worker_give_away(worker); /* P4 */
    return gos__pinned_turn();
}

/* False: somebody is just giving this thread a worker. */
static bool stop_waiting(gos__thread *self)
{
    gos__spin_lock(&gos__rt->threads_lock);
    bool waited = self->awaits_turn;
    gos__store_relaxed(&self->awaits_turn, 0u);
    if (waited)
        gos__store_relaxed(&self->locked, (uint32_t)GOS_LOST);
    gos__spin_unlock(&gos__rt->threads_lock);
    return waited;
}

gos__task *gos__pinned_turn(void)
{
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__task *task = self->pinned_task;
    self->has_spun = 0;
    if (!task || gos__load_relaxed(&rt->stopping))
        return NULL;
    gos__store_relaxed(&self->futex, 0u);
    gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS);
    gos__store_release(&self->awaits_turn, 1u); /* P5 */
    while (gos__load_acquire(&self->locked) == GOS_AWAITS) {
        if (gos__load_relaxed(&rt->stopping) && stop_waiting(self))
            gos__leave_run();
        gos__futex_wait(&self->futex, 0, INT64_MAX);
        gos__exchange_seq(&self->futex, 0u); /* seq: before the look at `locked`, as in gos__regain */
    }
    gos__wait_unlocked();
    gos__bind(self);
    return task;
}

bool gos__pin_attend(gos__worker *worker, gos__task **next)
{
    gos__thread *self = &gos__self;
    if (self->must_end) {
        gos__worker_give_away(worker);
        *next = NULL;
        return true;
    }
    if (!self->pinned_task)
        return false;
    *next = wait_for_turn(worker, self);
    if (*next)
        gos__call_attention(gos__self.worker);
    return true;
}

bool gos__pass_to_pinned(gos__worker *worker, gos__task *task)
{
    gos__runtime *rt = gos__rt;
    gos__thread *owner = NULL;
    gos__spin_lock(&rt->threads_lock);
    for (owner = rt->pinned; owner && gos__load_relaxed(&owner->pinned_task) != task; owner = owner->pinned_next)
        ;
    /* It may still be on its way to sleep, or to spin. */
    bool ready = owner && gos__load_acquire(&owner->awaits_turn); /* R1 */
    if (ready)
        gos__store_relaxed(&owner->awaits_turn, 0u);
    bool done = !ready && deliver(owner, task);
    gos__spin_unlock(&rt->threads_lock);
    if (done)
        return false;
    if (!ready) {
        gos__push_back(worker, task);
        sched_yield(); /* in case the owner waits for this processor */
        return false;
    }
    gos__worker_detach(worker);
    gos__worker_grant(worker, owner); /* R2 */
    return true;
}

void gos__block_begin(void)
{
    gos__thread *self = &gos__self;
    if (!self->task)
        return;
    gos__worker *worker = self->worker;
    gos__say_blocking(self, worker);
    if (gos__queue_length(worker) || gos__load_relaxed(&gos__rt->shared_n))
        gos__worker_give_away(worker);
}

void gos__block_end(void)
{
    gos__store_relaxed(&gos__self.blocking, (uint64_t)0);
}
