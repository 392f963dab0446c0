/* traced.h: what a worker keeps for the recording of what it does (trace.h). */
#ifndef GOS_SCHED_TRACED_H
#define GOS_SCHED_TRACED_H

#include "base/spin.h"
#include "include/gossamer.h"
#include "os/ring.h"
#include "stack/event.h"

/* Bits of gos__worker.attention and of its streak (sched/trace.h). */
enum { GOS_ATTEND = 1, GOS_TRACED = 2 };
#define GOS_STREAK_TRACED (1u << 31)

/* What is recorded of a worker (sched/trace.h), or of threads outside of any: by who holds it. */
typedef struct gos__trace {
    gos__ring ring;
    gos__spin lock;         /* of what is outside */
    uint32_t due;           /* by the monitor: 1: it may be traced again; GOS_TRACE_FRESH: with a full budget */
    int64_t gap_since;      /* read by the monitor; 0: it is traced, or nothing is recorded */
    int64_t last;           /* the clock at the last record, if it serves for the next; 0: it does not */
    uint64_t ready_since;   /* of the task that is about to run; 0: not known */
    int64_t gap_spawned, gap_ended;
    uint32_t gap_tick;
    int64_t waits[GOS_STATS_WAITS]; /* of tasks that were ready, by the highest bit of their nanoseconds */
} gos__trace;
enum { GOS_TRACE_FRESH = 2 };

#endif
