/* everything.h: how the parts of everything.c judge what they are told. */
#ifndef TESTS_FAULT_EVERYTHING_H
#define TESTS_FAULT_EVERYTHING_H

#include <gossamer.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/test.h"

/* Whether it was done: true for 0 and positive results. A -errno is a refusal, which is in order while calls are made
 * to fail, and then counted; afterwards it fails the test, as an errno does that no kernel call can have given. */
bool done(const char *what, int result);

/* The same of a POSIX call's result and errno. */
bool posix_done(const char *what, long result);

/* Calls are made to fail. */
extern bool may_be_refused;

#define MS 1000000

/* What parts add up in, and wait for. */
extern gos_waitgroup all;
extern _Atomic long total;
extern gos_chan *gate;

/* Starts n tasks, each with its number; gives the sum of the numbers of those that were started. */
long start(const char *what, int n, void (*fn)(void *number));

/* A task that adds its number to `total`. */
void add_number(void *number);

/* Each checks its own sums. */
#define PARTS(X) \
    X(storm) X(depths) X(allocas) X(timers) X(deadlines) X(contexts) X(channels) X(groups) \
    X(pairs) X(tcp) X(polls) X(locks) X(hand_offs) X(pins) X(outsiders) X(processors) \
    X(processes) X(signals) X(crowd)
#define DECLARE(name) void part_##name(void);
PARTS(DECLARE)

#endif
