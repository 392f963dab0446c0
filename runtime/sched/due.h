/*
 * due.h: a worker's timers in the order of their times.
 *
 * They are in a heap. In one of a million each change would touch some twenty timers, which are nowhere near each
 * other; so where there are more than a few thousand, it has those alone that are due within a millisecond or so, and
 * the others are on a wheel (wheel.h), one slot of which after the other comes into the heap. Nothing is due later, or
 * in another order, for that.
 */
#ifndef GOS_SCHED_DUE_H
#define GOS_SCHED_DUE_H

#include "sched/timer.h"

void gos__due_init(gos__timers *timers);
void gos__due_free(gos__timers *timers);

/* False: no memory. Never after one has been taken out. */
bool gos__due_add(gos__timers *timers, gos__timer timer);

/* Takes out the first, whose time is timers->first. There is one. */
gos__timer gos__due_pop(gos__timers *timers);

/* Takes out one that is set. */
void gos__due_take(gos__timers *timers, gos__alarm *alarm);

#endif
