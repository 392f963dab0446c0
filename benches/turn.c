/*
 * Lock step: several programs on one CPU take turns, a repetition a turn, in the order that scripts/bench.py draws.
 * What disturbs one disturbs the next as well, so that their ratio stays. docs/ADDING-A-CONTENDER.md has the protocol.
 *
 * The anchor: a loop of arithmetic that no memory and no other core can slow down, timed beside the turns. Where it
 * takes longer than it did, the CPU itself was slower, and so was what was measured.
 */
#include "bench.h"

#include <stdio.h>

enum { ANCHOR_LOOPS = 5, ANCHOR_STEPS = 40000 };

bool turn_comes(const options *opt)
{
    static bool over;
    if (!opt->lockstep) return true;
    if (over) return false;
    fputs("ready\n", stdout);
    fflush(stdout);
    char line[64];
    over = fgets(line, sizeof line, stdin) == NULL;
    return !over;
}

/* Each step needs the one before it: the time is that of the multiplier, in cycles. */
static uint64_t steps(uint64_t x)
{
    for (int i = 0; i < ANCHOR_STEPS; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

void anchor_serve(void)
{
    char line[64];
    uint64_t x = 1;
    pin_to_one_cpu();
    while (fgets(line, sizeof line, stdin) != NULL) {
        int64_t least = INT64_MAX;
        for (int i = 0; i < ANCHOR_LOOPS; i++) {
            int64_t begin = clock_ns();
            x = steps(x);
            int64_t ns = clock_ns() - begin;
            if (ns < least) least = ns;
        }
        printf("%lld\n", (long long)least);
        fflush(stdout);
    }
}
