/*
 * Crossing from one stack to another in the middle of a call: arguments and results of every kind arrive, at every
 * frame size, from many tasks at once that yield at depth and so go on on other threads.
 */
// arch: x86_64 (stack checks)
// also: paged
// not-with: paged (frames of 100,000 bytes want stacks that grow)
// timeout: 120
#include <gossamer.h>
#include <immintrin.h>
#include <setjmp.h>

#include "tests/test.h"

#define NOINLINE __attribute__((noinline))

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

/* A frame that no nursery has room for. */
#define FRAME(bytes)                                                                                                   \
    volatile char frame[bytes];                                                                                        \
    touch(frame, sizeof frame);                                                                                        \
    pause_here()

enum { WORKERS = 4, FRAME_SIZE = 700, LARGE_FRAME = 100000 };

static int tasks, rounds;
static int yields; /* 1: yield at depth */
static gos_waitgroup all;

static void pause_here(void)
{
    if (yields)
        gos_yield();
}

static NOINLINE void touch(volatile char *frame, size_t size)
{
    for (size_t i = 0; i < size; i += 64)
        frame[i] = 1;
    frame[size - 1] = 1;
}

/* ---- integer and double arguments ---- */

static NOINLINE long no_arguments(void)
{
    FRAME(FRAME_SIZE);
    return 42;
}

static NOINLINE long six(long a, int b, short c, char d, long e, void *f)
{
    FRAME(FRAME_SIZE);
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * (long)f;
}

static NOINLINE long seven(long a, long b, long c, long d, long e, long f, long g)
{
    FRAME(FRAME_SIZE);
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g;
}

static NOINLINE long twenty_two(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k,
                                long l, long m, long n, long o, long p, long q, long r, long s, long t, long u, long v)
{
    FRAME(FRAME_SIZE);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + k * 11 + l * 12 + m * 13 +
           n * 14 + o * 15 + p * 16 + q * 17 + r * 18 + s * 19 + t * 20 + u * 21 + v * 22;
}

static NOINLINE double twelve_doubles(double a, double b, double c, double d, double e, double f, double g, double h,
                                      int n, double i, double j, long double k, double l)
{
    FRAME(FRAME_SIZE);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + (double)k * 11 + l * 12 + n;
}

static NOINLINE void arguments(long x)
{
    CHECK_EQ(no_arguments(), 42);
    CHECK_EQ(six(x, 2, -3, 4, x, (void *)6), x + 4 - 9 + 16 + 5 * x + 36);
    CHECK_EQ(seven(x, 2, 3, 4, 5, 6, x), x + 4 + 9 + 16 + 25 + 36 + 7 * x);
    CHECK_EQ(twenty_two(x, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, x), x + 230 + 22 * x);
    CHECK_EQ((long)twelve_doubles(1, 2, 3, 4, 5, 6, 7, 8, 1000, 9, 10, 11, (double)x), 506 + 1000 + 12 * x);
}

/* ---- structs ---- */

typedef struct big { long v[9]; } big;
typedef struct longs { long a, b; } longs;
typedef struct doubles { double a, b; } doubles;
typedef struct mixed { long a; double b; } mixed;

static NOINLINE big make_big(big in, long x)
{
    FRAME(FRAME_SIZE);
    for (int i = 0; i < 9; i++)
        in.v[i] += x;
    return in;
}

static NOINLINE longs make_longs(long x)
{
    FRAME(FRAME_SIZE);
    return (longs){ x + 1, x + 2 };
}

static NOINLINE doubles make_doubles(double x)
{
    FRAME(FRAME_SIZE);
    return (doubles){ x + 3, x + 4 };
}

static NOINLINE mixed make_mixed(long x, double y)
{
    FRAME(FRAME_SIZE);
    return (mixed){ x + 5, y + 6 };
}

static NOINLINE long double make_long_double(long double x)
{
    FRAME(FRAME_SIZE);
    return x / 3;
}

static NOINLINE _Complex long double make_complex(long double x)
{
    FRAME(FRAME_SIZE);
    return __builtin_complex(x + 1, x + 2);
}

static NOINLINE __int128 make_int128(__int128 x, __int128 y)
{
    FRAME(FRAME_SIZE);
    return x * y;
}

static NOINLINE void structs(long x)
{
    big b = { { 0, 1, 2, 3, 4, 5, 6, 7, 8 } };
    b = make_big(b, x);
    for (int i = 0; i < 9; i++)
        CHECK_EQ(b.v[i], x + i);
    longs l = make_longs(x);
    CHECK_EQ(l.a, x + 1);
    CHECK_EQ(l.b, x + 2);
    doubles d = make_doubles((double)x);
    CHECK(d.a == (double)x + 3 && d.b == (double)x + 4);
    mixed m = make_mixed(x, (double)x);
    CHECK_EQ(m.a, x + 5);
    CHECK(m.b == (double)x + 6);
    CHECK(make_long_double(x) == (long double)x / 3);
    _Complex long double c = make_complex(x);
    CHECK(__real__ c == (long double)x + 1 && __imag__ c == (long double)x + 2);
    CHECK(make_int128((__int128)x << 60, 16) == (__int128)x << 64);
}

/* ---- variadic: al holds the number of vector registers ---- */

#ifndef __clang__ /* which refuses variadic functions with stack checks */
#include <stdarg.h>

static NOINLINE double sum(const char *kinds, ...)
{
    FRAME(FRAME_SIZE);
    double total = 0;
    va_list list;
    va_start(list, kinds);
    for (int i = 1; *kinds; kinds++, i++)
        total += i * (*kinds == 'i' ? va_arg(list, int) : *kinds == 'l' ? (double)va_arg(list, long)
                                                                        : va_arg(list, double));
    va_end(list);
    return total;
}

/* It calls unchecked code that has no thunk: on a nursery it crosses, on a region its body runs in place. */
static NOINLINE long spell(char *text, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, size, format, list);
    va_end(list);
    return getpagesize() > 0 ? n : 0;
}

static NOINLINE void spelled(long x)
{
    char text[200], same[200];
    FRAME(FRAME_SIZE); /* leaves the nursery */
    for (int i = 0; i < 3; i++) {
        spell(text, sizeof text, "%ld %d %g %s %ld %d %g %s %ld", x, 1, 2.5, "three", x + 4, 5, 6.5, "seven", x + 8);
        snprintf(same, sizeof same, "%ld 1 2.5 three %ld 5 6.5 seven %ld", x, x + 4, x + 8);
        CHECK_STR(text, same);
    }
}

static NOINLINE void variadic(long x)
{
    spelled(x);
    CHECK_EQ((long)sum(""), 0);
    CHECK_EQ((long)sum("id", 7, 8.0), 23);
    long many =
        (long)sum("dlidlidlidlidlidlid", 1.0, x, 1, 1.0, 1L, 1, 1.0, 1L, 1, 1.0, 1L, 1, 1.0, 1L, 1, 1.0, 1L, 1, 1.0);
    CHECK_EQ(many, 190 - 2 + 2 * x);
    CHECK_EQ((long)sum("dddddddddd", 1., 1., 1., 1., 1., 1., 1., 1., 1., (double)x), 45 + 10 * x);
}
#else
static void variadic(long x)
{
    (void)x;
}
#endif

/* ---- vectors ---- */

static NOINLINE __m128 add4(__m128 a, __m128 b, __m128 c)
{
    FRAME(FRAME_SIZE);
    return _mm_add_ps(_mm_add_ps(a, b), c);
}

static NOINLINE void is_aligned(const void *address, size_t to)
{
    CHECK_EQ((uintptr_t)address % to, 0);
}

#define AVX __attribute__((target("avx"), noinline))
#define AVX512 __attribute__((target("avx512f"), noinline))

static AVX __m256d add256(__m256d a, __m256d b, __m256d c, __m256d d, __m256d e, __m256d f, __m256d g, __m256d h)
{
    FRAME(FRAME_SIZE);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

/* The last vector goes by memory, aligned to its size, with something behind it. */
static AVX __m256d add256_memory(long x, __m256d a, __m256d b, __m256d c, __m256d d, __m256d e, __m256d f, __m256d g,
                                 __m256d h, __m256d i, long l, long m, long n, long o, long p, long q)
{
    FRAME(LARGE_FRAME); /* the caller's vectors do not fit a nursery: another change of stacks, here */
    is_aligned(&i, sizeof i);
    double rest = (double)(x + l + m + n + o + p + q);
    return a + b + c + d + e + f + g + h + i * 2 + _mm256_set1_pd(rest);
}

static AVX void vectors256(long x)
{
    __m256d v = { (double)x, 1, 2, 3 };
    __m256d r = add256(v, v, v, v, v, v, v, v);
    for (int i = 0; i < 4; i++)
        CHECK(r[i] == 36 * v[i]);
    r = add256_memory(1, v, v, v, v, v, v, v, v, v, 1, 1, 1, 1, 1, x);
    for (int i = 0; i < 4; i++)
        CHECK(r[i] == 10 * v[i] + 6 + (double)x);
}

static AVX512 __m512d add512(__m512d a, __m512d b, __m512d c, __m512d d, __m512d e, __m512d f, __m512d g, __m512d h)
{
    FRAME(FRAME_SIZE);
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8;
}

static AVX512 __m512d add512_memory(__m512d a, __m512d b, __m512d c, __m512d d, __m512d e, __m512d f, __m512d g,
                                    __m512d h, __m512d i, long double last)
{
    FRAME(LARGE_FRAME); /* the caller's vectors do not fit a nursery: another change of stacks, here */
    is_aligned(&i, sizeof i);
    return a + b + c + d + e + f + g + h + i * 2 + _mm512_set1_pd((double)last);
}

static AVX512 void vectors512(long x)
{
    __m512d v = { (double)x, 1, 2, 3, 4, 5, 6, 7 };
    __m512d r = add512(v, v, v, v, v, v, v, v);
    for (int i = 0; i < 8; i++)
        CHECK(r[i] == 36 * v[i]);
    r = add512_memory(v, v, v, v, v, v, v, v, v, x);
    for (int i = 0; i < 8; i++)
        CHECK(r[i] == 10 * v[i] + (double)x);
}

static NOINLINE long aligned_local(long x, long y)
{
    _Alignas(64) volatile char frame[FRAME_SIZE];
    CHECK_EQ((uintptr_t)frame % 64, 0);
    touch(frame, sizeof frame);
    pause_here();
    return x + y;
}

static NOINLINE void vectors(long x)
{
    __m128 v = { (float)(x % 1000), 1, 2, 3 }, w = add4(v, v, v);
    for (int i = 0; i < 4; i++)
        CHECK(w[i] == 3 * v[i]);
    if (__builtin_cpu_supports("avx"))
        vectors256(x);
    if (__builtin_cpu_supports("avx512f"))
        vectors512(x);
    CHECK_EQ(aligned_local(x, 1), x + 1);
}

/* ---- frames and depths ---- */

#define FUNCTION_WITH_FRAME(bytes)                                                                                     \
    static NOINLINE long frame_##bytes(long a, long b, long c, long d, long e, long f, long g)                         \
    {                                                                                                                  \
        FRAME(bytes);                                                                                                  \
        return a + b + c + d + e + f + g + frame[bytes - 1];                                                           \
    }
FUNCTION_WITH_FRAME(100)
FUNCTION_WITH_FRAME(300)
FUNCTION_WITH_FRAME(9000)
FUNCTION_WITH_FRAME(50000)
FUNCTION_WITH_FRAME(102400)
FUNCTION_WITH_FRAME(1048576)

static NOINLINE void frames(long x)
{
    CHECK_EQ(frame_100(x, 1, 1, 1, 1, 1, 1), x + 7);
    CHECK_EQ(frame_300(x, 1, 1, 1, 1, 1, 1), x + 7);
    CHECK_EQ(frame_9000(x, 1, 1, 1, 1, 1, 1), x + 7);
    CHECK_EQ(frame_50000(x, 1, 1, 1, 1, 1, 1), x + 7);
    if (x % 8 == 0) { /* these take a large region each, while others yield on theirs */
        CHECK_EQ(frame_102400(x, 1, 1, 1, 1, 1, 1), x + 7);
        CHECK_EQ(frame_1048576(x, 1, 1, 1, 1, 1, 1), x + 7);
    }
}

static NOINLINE long recurse(long depth, long stop)
{
    volatile char frame[200];
    REAL(frame);
    frame[depth % 200] = (char)depth;
    if (depth == stop) {
        pause_here();
        return 0;
    }
    long below = recurse(depth + 1, stop);
    if (depth % 1024 == 1023)
        pause_here();
    CHECK_EQ(frame[depth % 200], (char)depth);
    return below + 1;
}

static NOINLINE long odd(long n);

static NOINLINE long even(long n)
{
    volatile char frame[300];
    touch(frame, sizeof frame);
    return n == 0 ? 1 : odd(n - 1) + frame[0] - 1;
}

static NOINLINE long odd(long n)
{
    volatile char frame[40];
    REAL(frame);
    frame[0] = 1;
    return n == 0 ? 0 : even(n - 1) + frame[0] - 1;
}

static NOINLINE void depths(long x)
{
    for (long depth = 1; depth <= 512; depth *= 2)
        CHECK_EQ(recurse(0, depth), depth);
    CHECK_EQ(even(101 + x % 2), (x + 1) % 2 == 0);
    if (x % 16 == 0)
        CHECK_EQ(recurse(0, 5000), 5000);
}

/* ---- called back from unchecked code ---- */

static NOINLINE int by_value(const void *a, const void *b)
{
    FRAME(2000);
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static NOINLINE void callbacks(long x)
{
    long numbers[40];
    uint64_t state = (uint64_t)x;
    for (int i = 0; i < 40; i++)
        numbers[i] = (long)(test_random(&state) % 1000);
    qsort(numbers, 40, sizeof *numbers, by_value);
    for (int i = 1; i < 40; i++)
        CHECK(numbers[i - 1] <= numbers[i]);
}

/* ---- jumps out of deep stacks ---- */

static NOINLINE void jump_far(jmp_buf target, long depth)
{
    FRAME(3000);
    if (depth == 0)
        longjmp(target, 7);
    if (depth > 0)
        jump_far(target, depth - 1);
    touch(frame, sizeof frame); /* no tail call */
}

static NOINLINE void jump_light(void **target, long depth)
{
    FRAME(3000);
    if (depth == 0)
        __builtin_longjmp(target, 1);
    if (depth > 0)
        jump_light(target, depth - 1);
    touch(frame, sizeof frame);
}

/* The compilers' own setjmp calls nothing, so that this function stays on its nursery. */
static NOINLINE void jump_to_nursery(long depth)
{
    void *target[5];
    if (__builtin_setjmp(target) == 0)
        jump_light(target, depth);
}

static NOINLINE void jump_to_region(long depth)
{
    jmp_buf target;
    if (setjmp(target) == 0)
        jump_far(target, depth);
}

static NOINLINE void jumps(long x)
{
    for (long depth = 0; depth < 40; depth += 13) {
        jump_to_nursery(depth);
        gos_yield(); /* parks with what the jump left behind */
        CHECK_EQ(no_arguments(), 42);
        jump_to_region(depth);
        CHECK_EQ(seven(x, 0, 0, 0, 0, 0, 0), x);
        gos_yield();
    }
}

/* ---- all of it ---- */

static void everything(void *arg)
{
    long x = (long)(intptr_t)arg;
    for (int i = 0; i < rounds; i++) {
        arguments(x);
        structs(x);
        variadic(x);
        vectors(x);
        frames(x);
        depths(x);
        callbacks(x);
        jumps(x);
    }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(recurse(0, 100000), 100000); /* 25 MiB and more */
    for (yields = 0; yields < 2; yields++) {
        gos_waitgroup_add(&all, tasks);
        for (intptr_t i = 0; i < tasks; i++)
            CHECK_EQ(gos_go(everything, (void *)(i * 1001)), 0);
        gos_waitgroup_wait(&all);
    }
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    tasks = san && *san ? 8 : 64;
    rounds = san && *san ? 1 : 5;
    arguments(3); /* and on a thread that is not the runtime's */
    frames(3);
    gos_procs(WORKERS);
    return gos_run(run, NULL);
}
