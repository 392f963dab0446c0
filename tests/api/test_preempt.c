/* On one worker, tasks that compute do not keep the others from running, as long as they call functions. */
// also: paged
// not-with: paged (without stack checks nothing is preempted)
// env: GOS_PROCS=1
#include <gossamer.h>
#include <time.h>

#include "tests/test.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

static const int64_t ms = 1000000;

static volatile int stop;
static volatile unsigned count;
static gos_waitgroup all;

__attribute__((noinline)) static void step(void)
{
    volatile char frame[40];
    REAL(frame);
    frame[0] = 1;
    count += frame[0];
}

__attribute__((noinline)) static double step_with_arguments(double a, double b, long c, long d, long e, long f, long g,
                                                            long h, long i)
{
    volatile char frame[300];
    REAL(frame);
    frame[0] = 1;
    return a * (double)c + b * (double)(d + e + f + g + h + i) + frame[0];
}

__attribute__((noinline)) static void step_in_libc(void)
{
    char text[40];
    count += snprintf(text, sizeof text, "%u", count);
}

/* Everything that is live across a call survives being preempted in it. */
static void computes(void *unused)
{
    (void)unused;
    double sum = 0;
    for (long i = 1; !stop; i++) {
        step();
        double x = step_with_arguments(2, 3, i, 1, 2, 3, 4, 5, 6);
        CHECK(x == 2 * (double)i + 64);
        sum += x;
    }
    CHECK(sum >= 0);
    gos_waitgroup_done(&all);
}

__attribute__((noinline)) static void compute_deep(void)
{
    volatile char frame[2000];
    REAL(frame);
    frame[0] = 1;
    while (!stop)
        step();
    CHECK_EQ(frame[0], 1);
}

static void computes_deep(void *unused)
{
    (void)unused;
    compute_deep();
    gos_waitgroup_done(&all);
}

static void computes_in_libc(void *unused)
{
    (void)unused;
    while (!stop)
        step_in_libc();
    gos_waitgroup_done(&all);
}

__attribute__((noinline)) static void compute_deep_in_libc(void)
{
    char text[2000];
    while (!stop) {
        step_in_libc();
        count += snprintf(text, sizeof text, "%u", count);
    }
}

static void computes_deep_in_libc(void *unused)
{
    (void)unused;
    compute_deep_in_libc();
    gos_waitgroup_done(&all);
}

/* Of the whole process: what others on the machine take of its time does not count. */
static int64_t processor_time(void)
{
    struct timespec used;
    CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return used.tv_sec * 1000 * ms + used.tv_nsec;
}

/* A sleeper does not queue up behind them, each of which would have a slice before it; nor does their parent. */
static int among_many(void *unused)
{
    (void)unused;
    enum { HOGS = 500, SLEEPS = 10 };
    stop = 0;
    gos_waitgroup_add(&all, HOGS);
    int64_t start = processor_time();
    for (int i = 0; i < HOGS; i++)
        CHECK_EQ(gos_go(computes, NULL), 0);
    for (int i = 0; i < SLEEPS; i++)
        gos_sleep(ms);
    int64_t took = processor_time() - start;
    stop = 1;
    gos_waitgroup_wait(&all);
    fprintf(stderr, "%lld ms\n", (long long)(took / ms));
    CHECK(took < 3000 * ms); /* about 20 slices of 10 ms, where one round of all takes 5 s */
    return 0;
}

static int beside(void *fn)
{
    stop = 0;
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go((void (*)(void *))fn, NULL), 0);
    for (int i = 0; i < 5; i++) {
        gos_sleep(ms);
        gos_yield();
    }
    stop = 1; /* else it would compute for ever */
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    CHECK_EQ(gos_run(beside, (void *)computes), 0);
    CHECK_EQ(gos_run(beside, (void *)computes_deep), 0);
    CHECK_EQ(gos_run(beside, (void *)computes_in_libc), 0);
    CHECK_EQ(gos_run(beside, (void *)computes_deep_in_libc), 0);
    CHECK_EQ(gos_run(among_many, NULL), 0);
    return 0;
}
