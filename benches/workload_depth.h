/*
 * workload_depth.h: units that use their stacks: by real recursion through frames that are all touched. Task code, as
 * workload.h says. All contenders run the same recursion from the same object file.
 */
#ifndef WORKLOAD_DEPTH_H
#define WORKLOAD_DEPTH_H

#include "observer.h"

/* Bytes of stack that a call of the recursion takes, measured; 0: could not be. Needs no contender. */
uint64_t depth_frame(void);

/* ---- memory of units that have touched their stacks ------------------------------------------------------------ */

typedef struct depth_work {
    const contender *who;
    uint64_t asked;            /* units */
    uint64_t calls;            /* how deep each goes */
    bool after;                /* parks when it has come back; otherwise at the deepest point */
    bool no_memory;
    uint64_t spawned, ran;
    uint64_t reached;          /* calls that all units made, counted on the way up, or before parking deep */
    bool stopped;
    void *gate, *arrived, *finished;
} depth_work;

/* Spawns `asked` units, which go down `calls` calls and park; stops while they are parked. */
void depth_main(void *arg);

/* ---- cost of going down and up ---------------------------------------------------------------------------------- */

typedef struct descent {
    const contender *who;
    uint64_t calls;            /* how deep */
    uint64_t times;            /* descents a warm sample */
    int samples;               /* warm ones wanted */
    int64_t first_ns;          /* of the first descent, on a stack nobody used before */
    int64_t *warm_ns;          /* [samples] */
    uint64_t made;             /* calls counted by the recursion itself */
    uint64_t spawned;
    int error;
    void *finished;
} descent;

/* One unit goes down and up: once, then samples * times. */
void descent_main(void *arg);

/* ---- a burst of recursion, over time ---------------------------------------------------------------------------- */

/* What the units are doing, for the thread that samples memory beside them. */
enum burst_phase { BURST_SPAWN, BURST_SHALLOW, BURST_RECURSION, BURST_AFTER, BURST_SECOND, BURST_DEEP, BURST_OVER };

typedef struct burst_work {
    const contender *who;
    uint64_t asked, wave;      /* units; how many are deep at once */
    uint64_t deep_calls;       /* how deep they go */
    uint64_t kept_calls;       /* where half of them park in the end, having been as deep */
    int hold_ms[BURST_OVER + 1];   /* how long a phase is held once its units are parked */
    int phase;                 /* enum burst_phase */
    uint64_t spawned, ran, reached;
    int error;
    bool no_memory;
    void *gate, *arrived, *finished;    /* the last gate; latches */
    void **start[2], **rise[2];         /* gates by round and wave: go down; come up */
    void **deep[2], **risen[2];         /* latches: all are down; all are up and parked */
} burst_work;

/* All units park; recurse, a wave at a time; park again; half of them recurse again and park at kept_calls. */
void burst_main(void *arg);

#endif
