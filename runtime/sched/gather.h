/* gather.h: when tasks that talk to each other all the time are brought to one worker. */
#ifndef GOS_SCHED_GATHER_H
#define GOS_SCHED_GATHER_H

#include <stdint.h>

#include "arch/state.h"

/* What is known of a worker. */
typedef struct gos__gathering {
    uint32_t uses;      /* of channels that are not biased to it */
    uint32_t crossings; /* where another worker was the last to do so, since the last look */
    uint32_t with;      /* index of that worker, the last time */
    uint32_t seen_uses, seen_tick, seen_others; /* at the last look; and the uses of that worker */
    int64_t seen;
    int64_t apart_ns;   /* before it was gathered so many uses took so long, on both */
    uint32_t apart_uses;
    uint32_t slow;      /* periods in a row that were slower than that */
    uint32_t n;         /* how often it was gathered */
    int64_t span, until;
} gos__gathering;

/* Every GOS_SHARED_PERIOD switches of a gathered worker, and after GOS_CROSSINGS of any; on its thread. */
void gos__gather_look(struct gos__worker *worker);

/* The worker uses a channel that `other` was the last to use: indexes of workers; the new one. */
uint8_t gos__gather_crossing(struct gos__worker *worker, uint8_t other);

/* Others may steal from it again. On its thread. */
void gos__gather_end(struct gos__worker *worker);

#endif
