/*
 * Calls with very many arguments, from functions with small frames, at every depth of a nursery: what the caller puts
 * on the stack for them must be part of the frame that its prologue checks. A parked task's canary would tell.
 */
// also: paged
#include <gossamer.h>

#include "tests/test.h"

enum { DEPTHS = 24, TASKS = 10 };

#define TEN(x) x, x, x, x, x, x, x, x, x, x
#define TEN_LONGS(p)                                                                                                   \
    long p##0, long p##1, long p##2, long p##3, long p##4, long p##5, long p##6, long p##7, long p##8, long p##9

static int done;

__attribute__((noinline)) static long fifty(TEN_LONGS(a), TEN_LONGS(b), TEN_LONGS(c), TEN_LONGS(d), TEN_LONGS(e))
{
    volatile char frame[100];
    __asm__ volatile("" : : "r"(frame) : "memory");
    return a0 + a9 + b0 + b9 + c0 + c9 + d0 + d9 + e0 + e9 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + b1 + b2 + b3 + b4 +
           b5 + b6 + b7 + b8 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + e1 + e2 +
           e3 + e4 + e5 + e6 + e7 + e8;
}

/* A frame just below 256 bytes is checked by its stack pointer alone. */
__attribute__((noinline)) static long caller(long x)
{
    volatile char frame[180];
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 1;
    return fifty(TEN(x), TEN(x), TEN(x), TEN(x), TEN(x)) + frame[0];
}

__attribute__((noinline)) static long at_depth(long depth, long x)
{
    volatile char frame[8];
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 0;
    return (depth ? at_depth(depth - 1, x) : caller(x)) + frame[0];
}

static void task(void *arg)
{
    long x = (long)(intptr_t)arg;
    for (long depth = 0; depth < DEPTHS; depth++) {
        CHECK_EQ(at_depth(depth, x), 50 * x + 1);
        gos_yield(); /* looks at the canary */
    }
    done++;
}

static int run(void *unused)
{
    (void)unused;
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    while (done < TASKS)
        gos_yield();
    return 0;
}

int main(void)
{
    gos_procs(1);
    return gos_run(run, NULL);
}
