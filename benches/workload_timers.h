/* workload_timers.h: the units of the case `timers`. */
#ifndef WORKLOAD_TIMERS_H
#define WORKLOAD_TIMERS_H

#include "workload.h"

/* Timers are due at random 2 to 3 seconds after they were started: late enough that all are pending at once. */
enum { TIMERS_LEAST_MS = 2000, TIMERS_SPREAD_MS = 1000 };

typedef struct timers_work {
    const contender *who;
    uint64_t n;
    bool objects;              /* the contender's timers; otherwise units that sleep */
    uint64_t random;           /* state of the draws */
    int64_t *due;              /* [n]: when; then how late it was */
    void **timers;             /* [n], of objects */
    uint64_t started, fired;
    uint64_t early;            /* had fired before all were started */
    int64_t begin, end;        /* of starting them */
    int error;
    void *over;
} timers_work;

/* Stops, starts n timers, stops while they are pending, waits until all have fired, stops. */
void timers_main(void *arg);

#endif
