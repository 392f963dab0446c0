/*
 * pin.h: gos_pin and gos_unpin where no other thread has to hear of it, for task code that does so all the time: a lock
 * that knows its owner pins its task to the thread (io/lock.c).
 */
#ifndef GOS_SCHED_PIN_H
#define GOS_SCHED_PIN_H

#include "base/compiler.h"
#include "sched/worker.h"

/* Pins the task, if it is the last one that was pinned to this thread; false: that takes gos_pin. */
static inline bool gos__pin_again(void)
{
    gos__thread *self = &gos__self;
    gos__task *task = self->task;
    uint8_t depth = gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH;
    if (depth && depth < GOS_PIN_DEPTH) {
        gos__store_relaxed(&task->pinned, (uint8_t)(depth + 1));
        return true;
    }
    const gos__pin_slot *slot = self->pin_slot;
    if (depth || !slot || gos__load_relaxed(&slot->task) != task || gos__load_relaxed(&slot->thread) != self)
        return false;
    gos__store_relaxed(&self->in_runtime, 1u);
    gos__compiler_fence(); /* O2, partner: the membarrier of T3 */
    if (gos__likely(!gos__load_acquire(&self->locked))) {
        gos__store_relaxed(&task->pinned, (uint8_t)1);
        gos__store_relaxed(&self->pinned_task, task);
        gos__store_relaxed(&self->worker->attention, gos__load_relaxed(&self->worker->attention) | GOS_ATTEND);
        gos__store_release(&self->in_runtime, 0u);        /* O5 */
        return true;
    }
    gos__store_release(&self->in_runtime, 0u);
    return false;
}

/* Undoes one gos_pin. This thread stays listed, and its worker looks once in vain. */
static inline void gos__unpin_here(void)
{
    gos__thread *self = &gos__self;
    uint8_t depth = gos__load_relaxed(&self->task->pinned) & GOS_PIN_DEPTH;
    if (depth)
        gos__store_relaxed(&self->task->pinned, (uint8_t)(depth - 1));
    if (depth == 1)
        gos__store_relaxed(&self->pinned_task, NULL);
}

#endif
