/*
 * test.h: what a test program needs.
 *
 * A test is a program: it exits 0 when it passed, 77 when it cannot run here (SKIP), anything else when it failed.
 * tests/run.py lists what it may ask for in lines of its source (timeout, expected end, environment). Everything
 * here may be used from tasks: failures are written with write(2) and end the whole program at once.
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_HELPER __attribute__((noinline, unused)) static

TEST_HELPER void test_end(const char *line, int length, int status)
{
    if (length > 0 && write(2, line, (size_t)length) < 0)
        status = status ? status : 1;
    _exit(status);
}

TEST_HELPER void test_fail(const char *file, int at, const char *what)
{
    char line[512];
    test_end(line, snprintf(line, sizeof line, "%.100s:%d: not true: %.300s\n", file, at, what), 1);
}

TEST_HELPER void test_fail_eq(const char *file, int at, const char *what, long long a, long long b)
{
    char line[512];
    test_end(line, snprintf(line, sizeof line, "%.100s:%d: %.200s: %lld (0x%llx), not %lld (0x%llx)\n", file, at, what,
                            a, (unsigned long long)a, b, (unsigned long long)b), 1);
}

TEST_HELPER void test_fail_str(const char *file, int at, const char *what, const char *a, const char *b)
{
    char line[1024];
    test_end(line, snprintf(line, sizeof line, "%.100s:%d: %.200s: \"%.300s\", not \"%.300s\"\n", file, at, what, a, b),
             1);
}

TEST_HELPER void test_skip(const char *why)
{
    char line[512];
    test_end(line, snprintf(line, sizeof line, "skipped: %.400s\n", why), 77);
}

/* The condition holds. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            test_fail(__FILE__, __LINE__, #condition);                                                                 \
    } while (0)

/* Two integers or pointers are equal; prints both. The expected value comes second. */
#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long test_a = (long long)(a), test_b = (long long)(b);                                                    \
        if (test_a != test_b)                                                                                          \
            test_fail_eq(__FILE__, __LINE__, #a " == " #b, test_a, test_b);                                            \
    } while (0)

/* Two strings are equal; prints both. */
#define CHECK_STR(a, b)                                                                                                \
    do {                                                                                                               \
        const char *test_a = (a), *test_b = (b);                                                                       \
        if (strcmp(test_a, test_b) != 0)                                                                               \
            test_fail_str(__FILE__, __LINE__, #a " == " #b, test_a, test_b);                                           \
    } while (0)

/* This machine cannot run the test: says why and ends it. */
#define SKIP(why) test_skip(why)

/* The run's seed: SEED from the environment, which tests/run.py sets and prints; 1 without. */
TEST_HELPER uint64_t test_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text && *text ? strtoull(text, NULL, 0) : 1;
    fprintf(stderr, "seed %" PRIu64 "\n", seed);
    return seed;
}

/* The next number of the sequence in *state (splitmix64); start it with test_seed() plus a constant of your own. */
TEST_HELPER uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
