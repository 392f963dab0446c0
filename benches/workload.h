/*
 * workload.h: the units that every contender runs. Task code: compiled as programs on gossamer are, and run by all
 * contenders from the same object file.
 *
 * Each workload has a `main` that run() starts as the first unit, and counts what its units did, so that the harness
 * can compare it with what was asked for.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "observer.h"

/* A run warms up for so long before anything is timed: caches, and whatever a contender does at its start only (a
 * watching thread that looks often at first takes three quarters of the only CPU for a millisecond). */
enum { WARM_UP_NS = 5000000 };

/* How often two sides that are apart change between words and the bare line. */
enum { LINE_BATCHES = 31 };

typedef struct workload {
    const contender *who;
    uint64_t asked;            /* units to spawn, or operations of each side */
    bool warm_up;              /* spawn: untimed rounds first, for WARM_UP_NS */
    bool no_memory;            /* a gate, latch or channel could not be made */

    uint64_t spawned;          /* by this workload, warm-up included */
    uint64_t ran;              /* units that did their work */
    uint64_t ops;              /* operations counted by the units themselves */
    bool apart;                /* handover: each side pinned, on a CPU of its own */
    uint64_t warm_words;       /* handover: words that are not counted */
    uint64_t batch;            /* apart: words, then passes of the line, in the batch under way; of each batch: */
    double line_ns[LINE_BATCHES];      /* a cache line's way between the two CPUs */
    double over_line[LINE_BATCHES];    /* a word's way over it */
    uint64_t errors;           /* words that came over wrong */
    int error;                 /* errno of the spawn that failed, 0: none did */
    bool stopped;              /* spawning ended early; the_observer.why says why */
    int64_t begin, end;        /* clock of the timed part */
    int slow;                  /* per cent that the timed part is made longer by */
    const char *unsettled;     /* memory: why the contender did not do what is to be measured; NULL: it did */

    uint8_t *marks;            /* spawn: one a unit, set by it */
    void *gate, *arrived, *finished;    /* gate and latches */
    void *there, *back;        /* channels */
} workload;

/* Spawns `asked` units that park at a gate, stops while they are parked, lets them end, stops again. */
void memory_main(void *arg);

/* Spawns `asked` units that mark their slot and end; times from the first spawn to the last end. With warm_up,
 * as often as it takes; the last round is timed. */
void spawn_main(void *arg);

/* Two units that yield `asked` times each; counts the times control really passed from one to the other. */
void yield_main(void *arg);

/* Two units that send a word there and back `asked` times. Apart: in batches, and after each the two pass a cache line
 * to each other by plain loads and stores: how far their CPUs are from each other may differ from one moment to the
 * next where the host moves them. */
void handover_main(void *arg);

/* Four epochs of two arms in one process, in an order such as ABBA: what disturbs one disturbs the other. */
enum { BLOCK_EPOCHS = 4 };

typedef struct block {
    uint64_t (*arm[2])(uint64_t rounds);    /* each returns the operations it did */
    uint64_t rounds;
    unsigned char order[BLOCK_EPOCHS];      /* which arm runs in which epoch */
    int64_t ns[BLOCK_EPOCHS];
    uint64_t ops[BLOCK_EPOCHS];
    const contender *who;                   /* block_on_unit: the contender */
    int error;                              /* block_on_unit: errno of a spawn that failed */
} block;

/* Runs the block on the caller's stack. */
void block_run(void *arg);

/* As a contender's first unit: runs the block, after a warm-up, on another unit, whose stack is as small as units'
 * stacks are. */
void block_on_unit(void *arg);

/* The crossing loop without checks, moved to a large stack when its caller stands on a small one. */
uint64_t crossing_on_large_stack(uint64_t rounds);

/* With checks, on a nursery. Ends with a park: without one gossamer would in the end have the loop as a whole cross,
 * and none of its calls. */
uint64_t crossing_on_nursery(uint64_t rounds);

#endif
