/*
 * block.h: what the cases about blocking share with their units: progress, handoff, lateness, wakeup.
 *
 * The harness (case_block.c, case_latency.c) runs on threads of its own, which no contender can hold up; the units
 * (workload_block.c) are task code and run on every contender's stacks.
 */
#ifndef BLOCK_H
#define BLOCK_H

#include "workload.h"

enum { MOST_WORKING = 64 };

/* What a unit did, on a line of its own. */
typedef struct work_count {
    _Alignas(64) uint64_t n;
} work_count;

typedef struct blocking {
    const contender *who;
    unsigned working;          /* units that compute and yield */
    uint64_t blockers;         /* units that will block in a raw read */
    int phase;                 /* the conductor's: PHASE_... */
    uint64_t entered;          /* blockers on their way into the call */
    uint64_t ran;              /* units that did their work, all kinds */
    uint64_t spawned;
    int error;                 /* errno of a spawn that failed */
    int fd[2];                 /* pipe: what is written ends a call each */
    void *finished;            /* latch */
    work_count work[MOST_WORKING];

    /* handoff, lateness, wakeup: one sample each */
    enum block_kind { BLOCK_RAW, BLOCK_FIRST, BLOCK_HINT, BLOCK_POSIX, BLOCK_OWN } kind;
    int64_t *samples;
    uint64_t n;
    int64_t sleep_ns;          /* lateness, and: */
    unsigned hogs;             /* units that compute all the while and do not yield */
    int64_t called;            /* handoff: when the call was entered */
    int armed;
    int returned;              /* and when it is over, where each is a unit's first */
    uint64_t random;
    void *chan;                /* wakeup by channel; NULL: from the pipe */
} blocking;

enum { PHASE_BEFORE, PHASE_BLOCK, PHASE_END };

/* First units. Each spawns its own, waits for them and counts. */
void progress_main(void *arg);
void handoff_main(void *arg);
void lateness_main(void *arg);
void wakeup_main(void *arg);

#endif
