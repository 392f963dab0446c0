/*
 * A slice that ends in a prologue: what holds arguments there, vectors in full width included, goes through other
 * tasks that use the same registers, and through memory of the task's own.
 */
// arch: x86_64 (stack checks)
// also: paged
#include <gossamer.h>
#include <immintrin.h>
#include <stdarg.h>

#include "sched/worker.h"
#include "tests/test.h"

#define NOINLINE __attribute__((noinline))
#define AVX __attribute__((target("avx"), noinline))
#define AVX512 __attribute__((target("avx512f"), noinline))
/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

enum { ROUNDS = 300 };

static int done;
static long spoils; /* others ran in the midst of calls */

/* The next prologue ends the slice: what the monitor does from outside. */
static NOINLINE void end_slice(void)
{
    gos__store_relaxed(&gos__self.worker->attention, 1u);
    gos__store_relaxed(&gos__self.preempt, 1u);
    gos__set_limit_word((uintptr_t)GOS_POISON);
}

/* ---- the others ---- */

static AVX512 void spoil512(void)
{
    __asm__ volatile("vpternlogd $255, %%zmm0, %%zmm0, %%zmm0\n vmovdqa64 %%zmm0, %%zmm1\n vmovdqa64 %%zmm0, %%zmm2\n"
                     "vmovdqa64 %%zmm0, %%zmm3\n vmovdqa64 %%zmm0, %%zmm4\n vmovdqa64 %%zmm0, %%zmm5\n"
                     "vmovdqa64 %%zmm0, %%zmm6\n vmovdqa64 %%zmm0, %%zmm7"
                     : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

static AVX void spoil256(void)
{
    __asm__ volatile("vcmpps $15, %%ymm0, %%ymm0, %%ymm0\n vmovaps %%ymm0, %%ymm1\n vmovaps %%ymm0, %%ymm2\n"
                     "vmovaps %%ymm0, %%ymm3\n vmovaps %%ymm0, %%ymm4\n vmovaps %%ymm0, %%ymm5\n"
                     "vmovaps %%ymm0, %%ymm6\n vmovaps %%ymm0, %%ymm7"
                     : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

static NOINLINE void spoil128(void)
{
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n movaps %%xmm0, %%xmm1\n movaps %%xmm0, %%xmm2\n movaps %%xmm0, %%xmm3\n"
                     "movaps %%xmm0, %%xmm4\n movaps %%xmm0, %%xmm5\n movaps %%xmm0, %%xmm6\n movaps %%xmm0, %%xmm7"
                     : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

/* Not through zero: the vector registers are used as wide as the one who is interrupted uses them, or not. */
static void other(void *unused)
{
    (void)unused;
    while (!done) {
        spoil128();
        gos_yield();
        spoils++;
        if (__builtin_cpu_supports("avx"))
            spoil256();
        gos_yield();
        spoils++;
        if (__builtin_cpu_supports("avx512f"))
            spoil512();
        gos_yield();
        spoils++;
    }
}

/* ---- the interrupted ---- */

static NOINLINE double scalars(long a, long b, long c, long d, long e, long f, double g, double h, double i, double j,
                               double k, double l, double m, double n, long o, long p)
{
    volatile char frame[400];
    REAL(frame);
    return (double)(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f) + g * 7 + h * 8 + i * 9 + j * 10 + k * 11 + l * 12 +
           m * 13 + n * 14 + (double)(o * 15 + p * 16);
}

static NOINLINE __m128d add128(__m128d a, __m128d b, __m128d c, __m128d d, __m128d e, __m128d f, __m128d g, __m128d h)
{
    volatile char frame[40];
    REAL(frame);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

static AVX __m256d add256(__m256d a, __m256d b, __m256d c, __m256d d, __m256d e, __m256d f, __m256d g, __m256d h)
{
    volatile char frame[40];
    REAL(frame);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

static AVX512 __m512d add512(__m512d a, __m512d b, __m512d c, __m512d d, __m512d e, __m512d f, __m512d g, __m512d h)
{
    volatile char frame[40];
    REAL(frame);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

#ifndef __clang__ /* which refuses variadic functions with stack checks */
static NOINLINE double sum(int n, ...)
{
    va_list list;
    va_start(list, n);
    double total = 0;
    for (int i = 1; i <= n; i++)
        total += i * (i % 2 ? va_arg(list, double) : (double)va_arg(list, long));
    va_end(list);
    return total;
}

static void variadic(long x)
{
    end_slice();
    CHECK(sum(8, (double)x, 2l, 3., 4l, 5., 6l, 7., x) == (double)(9 * x + 4 + 9 + 16 + 25 + 36 + 49));
}
#else
static void variadic(long x)
{
    (void)x;
}
#endif

static AVX void vectors256(long x)
{
    __m256d v = { (double)x, 1, 2, 3 };
    end_slice();
    __m256d r = add256(v, v, v, v, v, v, v, v);
    for (int i = 0; i < 4; i++)
        CHECK(r[i] == 36 * v[i]);
}

static AVX512 void vectors512(long x)
{
    __m512d v = { (double)x, 1, 2, 3, 4, 5, 6, 7 };
    end_slice();
    __m512d r = add512(v, v, v, v, v, v, v, v);
    for (int i = 0; i < 8; i++)
        CHECK(r[i] == 36 * v[i]);
}

static NOINLINE void calls(long x)
{
    double y = (double)x;
    end_slice();
    CHECK(scalars(x, 1, 1, 1, 1, x, y, 1, 1, 1, 1, 1, 1, y, 1, x) == (double)(7 * x + 14 + 21 * x + 63 + 15 + 16 * x));
    __m128d v = { y, 1 };
    end_slice();
    __m128d r = add128(v, v, v, v, v, v, v, v);
    CHECK(r[0] == 36 * y && r[1] == 36);
    variadic(x);
    if (__builtin_cpu_supports("avx"))
        vectors256(x);
    if (__builtin_cpu_supports("avx512f"))
        vectors512(x);
}

static NOINLINE void deeper(long x)
{
    volatile char frame[3000]; /* the same on a deep region */
    REAL(frame);
    frame[0] = 0;
    calls(x + frame[0]);
}

static int run(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(gos_go(other, NULL), 0);
    for (long i = 0; i < ROUNDS; i++) {
        calls(i);
        deeper(i);
    }
    done = 1;
    const char *san = getenv("SAN");
    CHECK(spoils >= 3 * 6 * ROUNDS || (san && *san)); /* each slice did end */
    return 0;
}

int main(void)
{
    gos_procs(1);
    return gos_run(run, NULL);
}
