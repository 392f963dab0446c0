/*
 * observer.h: a thread beside the contender that stops the process where its memory is read, and the safety net.
 *
 * Units ask and wait; what is asked happens on the observer's own stack, so that it neither needs nor dirties the stack
 * of a unit. What units call is inline: it makes no call that a small stack could not take.
 *
 *   unit                                     observer
 *   1 writes the request's arguments         a loads the request (acquire, pairs with 2)
 *   2 stores the request (release)           b does it, writes the answer
 *   3 spins until the request is 0           c stores 0 (release, pairs with the acquire load of 3)
 */
#ifndef OBSERVER_H
#define OBSERVER_H

#include "bench.h"

enum observer_request { OBSERVER_IDLE, OBSERVER_STOP, OBSERVER_LIMITS };

typedef struct observer {
    int request;         /* enum observer_request */
    int error;           /* OBSERVER_LIMITS: the errno to explain; 0: why it raised `stop` */
    int stop;            /* raised when 80 % of the memory that was left are used, or the time is over */
    char why[512];       /* answer of OBSERVER_LIMITS */
} observer;

extern observer the_observer;

/* Starts and ends the thread. */
void observer_start(int cap_seconds);
void observer_end(void);

/* One unit at a time. */
static inline void observer_ask(enum observer_request what, int error)
{
    the_observer.error = error;
    __atomic_store_n(&the_observer.request, what, __ATOMIC_RELEASE);
    while (__atomic_load_n(&the_observer.request, __ATOMIC_ACQUIRE) != OBSERVER_IDLE) bench_relax();
}

/* True when units must stop spawning. */
static inline bool observer_says_stop(void) { return __atomic_load_n(&the_observer.stop, __ATOMIC_RELAXED) != 0; }

#endif
