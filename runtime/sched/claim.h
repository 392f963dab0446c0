/*
 * claim.h: work on tasks that are parked, by the monitor, while nobody runs them.
 *
 * A task that parks and one that is made ready pay nothing for it: who takes a task to run it looks at `pinned` anyway,
 * and a claim is two bits of it. They belong to the claimer; the depth below them to the task, which writes it only
 * while it runs, with plain stores that may wipe the bits out: a task that runs cannot be claimed.
 *
 *     who makes a task ready and runs it            claimer: the monitor
 *     R1  state = GOS_READY                         C1  pinned: 0 -> GOS_CLAIMED, of as many tasks as there are
 *     R2  compiler fence (C2 makes it a real one)   C2  membarrier, one for all of them
 *     R3  pinned has GOS_CLAIMED?                   C3  still parked, and pinned still GOS_CLAIMED? else C5
 *         no: runs it                               C4  works on its stack
 *     R4  pinned: GOS_CLAIMED -> both bits; the     C5  takes the bits off: was GOS_WANTED there? then the task is
 *         task is the claimer's now. Failed: R3         ready, in no queue: into the shared one
 *
 *   Either C3 sees R1, or R3 comes after C2 and sees C1. The bits can have been wiped out before C3 by a task that ran
 *   in between, so C3 looks at them after it has seen the state; afterwards nobody runs it. tests/model/claim.pml
 *
 * Without membarrier(2) nothing is claimed.
 */
#ifndef GOS_SCHED_CLAIM_H
#define GOS_SCHED_CLAIM_H

#include "arch/state.h"
#include "base/atomics.h"

/* Claimed with one membarrier. */
enum { GOS_CLAIMS = 32 };

/* Whether a task was parked at the last look already, and ever since. Each caller of its own kind of tasks gets an
 * answer: the look is noted in the state, which whoever makes the task ready writes over. On the monitor. */
static inline bool gos__parked_since_last_look(gos__task *task)
{
    uint8_t state = gos__load_acquire(&task->state); /* pairs with the release of GOS_PARKED: `pinned` is set up */
    if (state == GOS_PARKED)
        __atomic_compare_exchange_n(&task->state, &state, GOS_PARKED_SEEN, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return state == GOS_PARKED_SEEN;
}

/* Notes of a claimed task that nothing is to be done with it until it has run. */
void gos__claim_settle(gos__task *task);

/* Claims those of n tasks that are parked and not pinned; they come first in the array then. Returns how many; each is
 * to be released soon. On the monitor; at most GOS_CLAIMS. */
uint32_t gos__claim(gos__task **tasks, uint32_t n);

/* Somebody waits for the task to be released. */
static inline bool gos__claim_is_wanted(const gos__task *task)
{
    return gos__load_relaxed(&task->pinned) & GOS_WANTED;
}

/* C5: the task may run on. */
void gos__claim_release(gos__task *task);

/* R4: true: who claimed it makes it ready again; false: it may run. */
bool gos__claim_leave(gos__task *task);

/* For a task whose state was GOS_PARKED although it goes on at once: waits until no claimer is at it. */
void gos__claim_await(gos__task *task);

#endif
