/* flight.h: the flight recorder: what workers recorded of the last seconds (sched/trace.h), as lines or as a trace. */
#ifndef GOS_DEBUG_FLIGHT_H
#define GOS_DEBUG_FLIGHT_H

#include <stdbool.h>

#include "base/check.h"
#include "debug/text.h"
#include "sched/worker.h"

/* The newest records of all workers, oldest first, a line each. may_look: names up; not in signal handlers. */
void gos__flight_add(gos__text *text, gos__runtime *rt, bool may_look);

/* The program ends by force: what GOS_DEBUG=flight says is done, in a signal handler too. */
void gos__flight_crash(gos__runtime *rt, bool may_look);

/* Ends a trace so that its file is whole, and does the same unless the program ends by exit. */
void gos__trace_crash(enum gos__end how);

#endif
