/* Too deep: checked code is told its limit, unchecked code meets a guard, a nursery its canary. */
#include <gossamer.h>

#include "base/config.h"
#include "tests/death/death.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

static void in_a_run(void *fn)
{
    gos_run((int (*)(void *))fn, NULL);
}

/* The compiler must not see that it never ends. */
__attribute__((noinline)) static long checked(long n)
{
    volatile char frame[300];
    REAL(frame);
    frame[0] = 1;
    return n == -1 ? 0 : checked(n + 1) + frame[0];
}

static __attribute__((noinline)) void checked_task(void *unused)
{
    (void)unused;
    checked(0);
    __asm__ volatile("" : : : "memory"); /* no tail call */
}

static int overflow(void *unused)
{
    gos_go(checked_task, unused);
    gos_sleep(INT64_MAX);
    return 0;
}

static void small_limit(void *fn)
{
    setenv("GOS_MAXSTACK", "256k", 1);
    in_a_run(fn);
}

__attribute__((noinline)) static long one_frame(long n)
{
    volatile char frame[70 << 20];
    REAL(frame);
    frame[n] = 1;
    frame[sizeof frame - 1] = 1;
    return frame[n];
}

static int frame_too_large(void *unused)
{
    (void)unused;
    return (int)one_frame(5);
}

static void largest_limit(void *fn)
{
    setenv("GOS_MAXSTACK", "1g", 1);
    in_a_run(fn);
}

static int deeper_than_default(void *unused)
{
    (void)unused;
    checked(-640000); /* ends at -1: at least 300 bytes each, 183 MiB */
    return 0;
}

/* Of each frame's 1 MiB only the ends are touched. */
__attribute__((noinline)) static long mebibytes(long n)
{
    volatile char frame[1 << 20];
    REAL(frame);
    frame[0] = 1;
    return n == 0 ? 0 : mebibytes(n - 1) + frame[0];
}

static int up_to_1g(void *unused)
{
    (void)unused;
    return mebibytes(1000) == 1000 ? 0 : 3;
}

static int beyond_1g(void *unused)
{
    (void)unused;
    return (int)mebibytes(1025);
}

static void within_largest_limit(void *unused)
{
    (void)unused;
    setenv("GOS_MAXSTACK", "1g", 1);
    _exit(gos_run(up_to_1g, NULL));
}

__attribute__((noinline)) static long frame_2g(long n)
{
    volatile char frame[2000000000];
    REAL(frame);
    return frame[n];
}

static int frame_of_2g(void *unused)
{
    (void)unused;
    return (int)frame_2g(5);
}

/* As if compiled without -fsplit-stack. */
__attribute__((noinline, no_split_stack)) static long unchecked(long n)
{
    volatile char frame[300];
    REAL(frame);
    frame[0] = 1;
    return n == -1 ? 0 : unchecked(n + 1) + frame[0];
}

/* Gets a paged stack. (The linker does not notice calls to such functions of the caller's own file.) */
__attribute__((no_split_stack)) static void unchecked_task(void *arg)
{
    unchecked((long)(intptr_t)arg);
}

static int overrun(void *unused)
{
    gos_go(unchecked_task, unused);
    gos_sleep(INT64_MAX);
    return 0;
}

static void paged_overrun(void *unused)
{
    setenv("GOS_DEBUG", "paged", 1);
    gos_run(overrun, unused);
}

/* 400 bytes below a nursery's frame lies somebody else; the linker does not see a call through a pointer. */
__attribute__((noinline, no_split_stack)) static void scribble(void)
{
    volatile char frame[1000];
    REAL(frame);
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 7;
}

static void (*volatile through_a_pointer)(void) = scribble;

static void overruns_nursery(void *unused)
{
    (void)unused;
    through_a_pointer();
    gos_yield();
}

static int nursery(void *unused)
{
    for (int i = 0; i < 3; i++) /* the middle one has its neighbours' memory around it */
        gos_go(overruns_nursery, unused);
    return 0;
}

int main(void)
{
    /* The backtrace: the same return address over and over, then who called first. */
    static char recurs[] = "*test_overflow(*)\\[0x*\\]";
    static const char *const too_deep[] = { "gossamer: task stack exceeds 67108864-byte limit",
                                            "gossamer: sp=0x* stack=\\[0x*", "fatal error: stack overflow",
                                            "gossamer: backtrace of [12]????? frames*", recurs, recurs,
                                            "...", "gossamer: [12]????? frames not shown", recurs, "...", NULL };
    static const char *const too_deep_256k[] = { "gossamer: task stack exceeds 262144-byte limit",
                                                 "gossamer: sp=0x* stack=\\[0x*", "fatal error: stack overflow",
                                                 "gossamer: backtrace of *", recurs, "...", NULL };
    static const char *const one_too_large[] = { "gossamer: task stack exceeds 67108864-byte limit",
                                                 "gossamer: sp=0x* stack=\\[0x*", "fatal error: stack overflow",
                                                 "gossamer: backtrace of [23] frames*", recurs, recurs, "...", NULL };
    static const char *const too_deep_1g[] = { "gossamer: task stack exceeds 1073741824-byte limit", "...", NULL };
    static const char *const guard[] = { "gossamer: task stack overrun in unchecked code", "gossamer: fault at 0x*",
                                         "gossamer: fatal error: stack overflow*", NULL };
    static const char *const canary[] = { "gossamer: fatal error: unchecked code called through a pointer, or*overran*",
                                          NULL };
    static const char *const nothing[] = { NULL };
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers build without stack checks");
    if (GOS_PAGED_ONLY) {
        expect_death("recursion, paged", in_a_run, (void *)overflow, 0, 2, guard);
        expect_death("one frame, paged", in_a_run, (void *)frame_too_large, 0, 2, guard);
        return 0;
    }
    expect_death("recursion", in_a_run, (void *)overflow, 0, 2, too_deep);
    expect_death("recursion to 256k", small_limit, (void *)overflow, 0, 2, too_deep_256k);
    expect_death("one frame", in_a_run, (void *)frame_too_large, 0, 2, one_too_large);
    expect_death("one frame of 2 GiB", largest_limit, (void *)frame_of_2g, 0, 2, too_deep_1g);
    expect_death("200 MiB", largest_limit, (void *)deeper_than_default, 0, 0, nothing);
    expect_death("1000 MiB", within_largest_limit, NULL, 0, 0, nothing);
    expect_death("1025 MiB", largest_limit, (void *)beyond_1g, 0, 2, too_deep_1g);
    expect_death("unchecked", in_a_run, (void *)overrun, 0, 2, guard);
    expect_death("unchecked, paged", paged_overrun, NULL, 0, 2, guard);
    expect_death("nursery", in_a_run, (void *)nursery, SIGABRT, 0, canary);
    return 0;
}
