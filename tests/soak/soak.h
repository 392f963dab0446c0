/* soak.h: what the activities of soak.c share. */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <gossamer.h>
#include <stdint.h>

#include "base/rng.h"
#include "tests/test.h"

/* What is counted; not judged. */
typedef struct soak_counts {
    _Atomic long operations, processes, most_tasks;
} soak_counts;
extern soak_counts soak_counts_now;

extern long soak_most_tasks; /* of a storm */
extern _Atomic long soak_storm_edges; /* beginnings and ends of storms of that many: odd in one */

/* One round of an activity; ends the program when a sum is wrong. What it starts has ended when it returns. */
typedef void soak_round(gos__rng *rng);
soak_round soak_storm, soak_depths, soak_selects, soak_timers, soak_sockets, soak_pins, soak_processes, soak_workers;

/* From 0 to n - 1. */
static inline long soak_draw(gos__rng *rng, long n)
{
    return (long)(gos__rng_next(rng) % (uint64_t)n);
}

#endif
