/* queue.c: the worker's bounded queue and the shared, unbounded one. */
#include "sched/worker.h"

#define MASK (GOS_QUEUE_SIZE - 1)

void gos__shared_push(gos__task *first, gos__task *last, uint32_t count)
{
    gos__runtime *rt = gos__rt;
    last->next = NULL;
    gos__spin_lock(&rt->lock);
    if (rt->shared_n)
        rt->shared_last->next = first;
    else
        rt->shared_first = first;
    rt->shared_last = last;
    gos__store_relaxed(&rt->shared_n, rt->shared_n + count);
    gos__spin_unlock(&rt->lock);
}

/* Moves the back half of a full queue to the shared one. */
GOS_NOINLINE void gos__queue_overflow(gos__worker *worker)
{
    uint32_t half = GOS_QUEUE_SIZE / 2;
    uint32_t at = worker->back - half;
    gos__task *first = worker->queue[at & MASK], *last = first;
    for (uint32_t i = 1; i < half; i++) {
        last->next = worker->queue[(at + i) & MASK];
        last = last->next;
    }
    gos__store_relaxed(&worker->back, at);
    gos__shared_push(first, last, half);
}

/* Moves all of it to the front of the shared queue: their turn would have come before that of those who wait there. */
void gos__queue_give_up(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    uint32_t n = worker->back - worker->front;
    if (!n)
        return;
    gos__spin_lock(&rt->lock);
    if (!rt->shared_n)
        rt->shared_last = worker->queue[(worker->back - 1) & MASK];
    for (uint32_t at = worker->back; at != worker->front; at--) {
        gos__task *task = worker->queue[(at - 1) & MASK];
        task->next = rt->shared_first;
        rt->shared_first = task;
    }
    gos__store_relaxed(&rt->shared_n, rt->shared_n + n);
    gos__spin_unlock(&rt->lock);
    gos__store_relaxed(&worker->front, worker->back);
}

/* One task to run, and a fair share of the others into the worker's queue. */
gos__task *gos__shared_take(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    if (!gos__load_relaxed(&rt->shared_n))
        return NULL;
    gos__spin_lock(&rt->lock);
    uint32_t share = rt->shared_n / gos__load_relaxed(&rt->procs) + 1, length = worker->back - worker->front;
    /* What a full queue has no room for would soon be back here. */
    uint32_t room = length < GOS_QUEUE_SIZE / 2 ? GOS_QUEUE_SIZE / 2 - length : 1;
    if (share > room)
        share = room;
    if (share > rt->shared_n)
        share = rt->shared_n;
    gos__task *first = rt->shared_first, *task = first;
    for (uint32_t i = 0; i < share; i++)
        task = task->next;
    rt->shared_first = task;
    gos__store_relaxed(&rt->shared_n, rt->shared_n - share);
    gos__spin_unlock(&rt->lock);
    if (!share)
        return NULL;
    /* The chain is ours; the last link still points into the shared queue, so count. */
    gos__task *rest = first->next;
    for (uint32_t i = 1; i < share; i++) {
        gos__task *next = rest->next;
        gos__push_back(worker, rest);
        rest = next;
    }
    return first;
}
