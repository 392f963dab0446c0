/*
 * pin.c: tasks that stay on their thread.
 *
 * A thread with a pinned task runs nothing else. When that task waits, the thread gives its worker away and sleeps;
 * whoever then finds the task in a queue gives its own worker to that thread (two changes of thread for each wait,
 * as in Go). While a thread has a pinned task its worker's `attention` stays set, which is how gos__next comes here.
 */
#include "base/check.h"
#include "sched/task.h"
#include "sched/worker.h"

static void list(gos__thread *self)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->threads_lock);
    self->pinned_next = rt->pinned;
    rt->pinned = self;
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
    gos__spin_unlock(&rt->threads_lock);
}

void gos__pin(void)
{
    gos__thread *self = &gos__self;
    gos__require(self->task != NULL, "gos_pin called outside a task");
    gos__require(self->task->pinned < UINT8_MAX, "gos_pin: nested more than %d times", UINT8_MAX);
    if (self->task->pinned++)
        return;
    self->pinned_task = self->task;
    list(self);
    gos__call_attention(self->worker);
}

void gos__unpin(void)
{
    gos__thread *self = &gos__self;
    gos__require(self->task != NULL, "gos_unpin called outside a task");
    if (!self->task->pinned || --self->task->pinned)
        return;
    self->pinned_task = NULL;
    unlist(self);
}

void gos__pin_forget(gos__thread *self)
{
    if (self->pinned_task)
        unlist(self);
    self->pinned_task = NULL;
}

void gos__pinned_ended(void)
{
    gos__thread *self = &gos__self;
    self->pinned_task = NULL;
    self->must_end = 1; /* it may carry what the task did to its thread: credentials, masks, name spaces */
    unlist(self);
    gos__call_attention(self->worker);
}

/* On a thread with a pinned task, which waits in a list or a queue: comes back with that task when it may run. */
static gos__task *wait_for_turn(gos__worker *worker, gos__thread *self)
{
    gos__task *task = self->pinned_task;
    if (worker->back - worker->front == 1 && worker->queue[worker->front & (GOS_QUEUE_SIZE - 1)] == task) {
        gos__store_relaxed(&worker->front, worker->front + 1);
        return task; /* nobody else wants to run here */
    }
    gos__worker_give_away(worker);
    return gos__pinned_turn();
}

/* False: somebody is just giving this thread a worker. */
static bool stop_waiting(gos__thread *self)
{
    gos__spin_lock(&gos__rt->threads_lock);
    bool waited = self->awaits_turn;
    self->awaits_turn = 0;
    if (waited)
        self->locked = GOS_LOST;
    gos__spin_unlock(&gos__rt->threads_lock);
    return waited;
}

gos__task *gos__pinned_turn(void)
{
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__task *task = self->pinned_task;
    if (!task || gos__load_relaxed(&rt->stopping))
        return NULL;
    gos__store_relaxed(&self->futex, 0u);
    gos__store_release(&self->in_runtime, 0u);
    gos__store_relaxed(&self->locked, (uint32_t)GOS_AWAITS);
    gos__store_release(&self->awaits_turn, 1u);
    while (gos__load_acquire(&self->locked) == GOS_AWAITS) {
        if (gos__load_relaxed(&rt->stopping) && stop_waiting(self))
            gos__leave_run();
        gos__futex_wait(&self->futex, 0, INT64_MAX);
        gos__store_relaxed(&self->futex, 0u);
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
    for (owner = rt->pinned; owner && owner->pinned_task != task; owner = owner->pinned_next)
        ;
    /* It may still be on its way to sleep. */
    bool ready = owner && gos__load_acquire(&owner->awaits_turn);
    if (ready)
        owner->awaits_turn = 0;
    gos__spin_unlock(&rt->threads_lock);
    if (!ready) {
        gos__push_back(worker, task);
        gos__cpu_relax();
        return false;
    }
    gos__worker_detach(worker);
    gos__worker_grant(worker, owner);
    return true;
}

void gos__block_begin(void)
{
    gos__thread *self = &gos__self;
    if (!self->task)
        return;
    gos__store_relaxed(&self->blocking, 1u);
    gos__worker *worker = self->worker;
    if (worker && (gos__queue_length(worker) || gos__load_relaxed(&gos__rt->shared_n)))
        gos__worker_give_away(worker);
}

void gos__block_end(void)
{
    gos__store_relaxed(&gos__self.blocking, 0u);
}
