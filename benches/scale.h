/* scale.h: programs of many units whose result proves that all of the work was done. */
#ifndef SCALE_H
#define SCALE_H

#include "workload.h"

typedef struct scale {
    const contender *who;
    uint64_t n;                /* leaves, hops, words or the argument of fib */
    void (*round)(struct scale *);   /* one run of the program, on the first unit */
    uint64_t result;           /* what came out */
    uint64_t spawned;          /* units of all rounds; added up where they are many */
    uint64_t ops;              /* of one round */
    uint64_t failed;           /* spawns that were refused */
    int64_t begin, end;        /* of the timed round */
} scale;

/* The programs. `result` and `ops` are theirs; scale_expect says what they must be. */
void skynet_round(scale *s);         /* a tree of n leaves, ten children a node, joined on the parent's stack */
void skynet_chan_round(scale *s);    /* the same, a channel for each parent and a malloc for each node */
void ring_round(scale *s);           /* n hops of tokens round a ring of units */
void fan_round(scale *s);            /* n words from one unit to many, and from these to one */
void tree_round(scale *s);           /* fib(n): a unit for the larger half of each node, as uneven as the numbers */

/* First unit: rounds for a warm-up, then one that is timed. */
void scale_main(void *arg);

#endif
