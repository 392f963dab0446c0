/*
 * pin.h: pinned tasks, and locks of the C library that know their owner by the thread (io/lock.c). A task that holds
 * one may not leave its thread, which it can only do by a door that may park: there it is pinned (gos__held_up), if it
 * holds one still. Most are held between two such doors, and cost no pin.
 */
#ifndef GOS_SCHED_PIN_H
#define GOS_SCHED_PIN_H

#include <stdbool.h>

#include "base/compiler.h"
#include "sched/worker.h"

/* On a thread that goes on with its pinned task without a look at all else: counts that as a switch, so that timers,
 * descriptors and the shared queue have their turn here as well; what is due is in the queue then. */
void gos__count_switch(gos__worker *worker);

/* What the doors call for a thread that may not touch its worker, or whose task owns locks. */
void gos__held_up(void);

/* The task has one more, as the C library has just said: no checked prologue, and so no change of threads, between. */
static GOS_ALWAYS_INLINE void gos__own(void)
{
    gos__self.owned += GOS_OWNED;
}

/* And one less; true: the last one, and the task is pinned: gos__own_none. */
static GOS_ALWAYS_INLINE bool gos__disown(void)
{
    uint32_t owned = gos__self.owned;
    if (gos__unlikely(owned < GOS_OWNED))
        return false; /* it was taken while no task ran here */
    gos__self.owned = owned - GOS_OWNED;
    return owned - GOS_OWNED == GOS_OWNED_PINNED;
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

static inline void gos__own_none(void)
{
    gos__self.owned = 0;
    gos__unpin_here();
}

#endif
