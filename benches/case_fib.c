/*
 * fib without and with checks in many code layouts: part of the case `check`. A short call is as fast as its place in
 * the processor's fetch windows lets it be, so one layout says little about a check of two instructions: all of them
 * are measured, in ABBA epochs as the other pairs of the case.
 */
#include "benches/fib/layouts.h"
#include "check_calls.h"
#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EPOCH_NS = 500000, FIB_N = 18, FIB_CALLS = 8361, FIB_VALUE = 2584, BLOCKS_EACH = 3 };

#define DECLARE(alignment, padding)                                                                                    \
    uint64_t fib_##alignment##_##padding##_plain(uint64_t n);                                                          \
    uint64_t fib_##alignment##_##padding##_checked(uint64_t n);
FIB_LAYOUTS(DECLARE)

typedef struct layout {
    const char *name;
    uint64_t (*fib[2])(uint64_t n);   /* plain, checked */
} layout;

#define ENTRY(alignment, padding)                                                                                      \
    { #alignment "-" #padding, { fib_##alignment##_##padding##_plain, fib_##alignment##_##padding##_checked } },
static const layout layouts[] = { FIB_LAYOUTS(ENTRY) };

/* Rounds of fib(FIB_N); returns the calls, 0 when a value was wrong. */
static uint64_t calls(uint64_t (*fib)(uint64_t), uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) sum += fib(FIB_N);
    return sum == rounds * FIB_VALUE ? rounds * FIB_CALLS : 0;
}

uint64_t fib_loop(const char *build, uint64_t rounds)
{
    return calls(layouts[0].fib[strcmp(build, "plain") != 0], rounds);
}

static bool measure(const options *opt, const layout *l, int first)
{
    static const char *const builds[] = { "plain", "checked" };
    sheet s = sheet_new(opt, "fib");
    snprintf(s.extra, sizeof s.extra, "\"layout\": \"%s\"", l->name);
    int64_t begin = clock_ns();
    if (calls(l->fib[1], 4) == 0 || calls(l->fib[0], 4) == 0) return sheet_fail(&s, "fib gives a wrong value");
    uint64_t rounds = (uint64_t)(EPOCH_NS / ((double)(clock_ns() - begin + 1) / 8)) + 1;
    int reps[2] = { 0, 0 };
    for (int i = 0; i < BLOCKS_EACH * BLOCK_EPOCHS; i++) {
        int place = i % BLOCK_EPOCHS, arm = (place == 0 || place == 3) == (first == 0);
        begin = clock_ns();
        uint64_t made = calls(l->fib[arm], rounds);
        double ns = (double)(clock_ns() - begin) / (double)made;
        s.contender = builds[arm];
        s.n = s.ops = made;
        if (made == 0) return sheet_fail(&s, "fib gives a wrong value");
        row_write(&s, reps[arm]++, "ns_per_op", ns);
    }
    return true;
}

bool fib_layouts(const options *opt)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        ok = measure(opt, &layouts[i], (int)((opt->seed >> i) & 1)) && ok;
    return ok;
}
