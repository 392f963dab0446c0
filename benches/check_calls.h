/*
 * check_calls.h: calls whose only difference is the stack check. check_calls.c is compiled twice, as VARIANT plain and
 * as VARIANT checked, with the same flags otherwise.
 */
#ifndef CHECK_CALLS_H
#define CHECK_CALLS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct check_calls {
    const char *build;                       /* plain or checked */
    uint64_t (*shallow)(uint64_t rounds);    /* a binary tree of calls with small frames; returns the calls made */
    uint64_t (*deep)(uint64_t rounds);       /* a chain of calls with frames below 256 bytes */
    uint64_t (*deep256)(uint64_t rounds);    /* a chain of calls with frames of 256 bytes and more */
} check_calls;

extern const check_calls check_calls_plain, check_calls_checked;

/* A loop of calls whose frame no nursery holds: from a nursery each crosses to a deep region and back (checked), from a
 * large stack none does (plain). Returns the calls made. */
uint64_t crossing_plain(uint64_t rounds);
uint64_t crossing_checked(uint64_t rounds);

/* ---- case_fib.c ---- */
struct options;

/* Measures fib in every code layout and writes its rows; false when a value was wrong. */
bool fib_layouts(const struct options *opt);

/* For callgrind: rounds of fib in one layout; returns the calls. */
uint64_t fib_loop(const char *build, uint64_t rounds);

#endif
