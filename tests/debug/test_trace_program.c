/* What tests/debug/test_trace.py traces; alone: a run without any. */
// not-with: paged (no larger stacks)
#define _GNU_SOURCE 1
#include <gossamer/trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

enum { SLEEPERS = 40, SLEEPS = 5, RECEIVERS = 30, SPINNERS = 60, MOST_SPINNERS = 1500 };
#define HOT_NS 500000000 /* the monitor gives new budgets meanwhile, also on a busy machine */

static gos_waitgroup group;
static gos_chan *chan;
static _Atomic long yields;

static gos_stats counters(void)
{
    gos_stats stats;
    gos_stats_read(&stats);
    return stats;
}

static void sleeper(void *unused)
{
    (void)unused;
    for (int i = 0; i < SLEEPS; i++)
        gos_sleep(200000);
    gos_waitgroup_done(&group);
}

static void receiver(void *unused)
{
    (void)unused;
    uint64_t word;
    gos_chan_recv(chan, &word);
    gos_waitgroup_done(&group);
}

static void spinner(void *unused)
{
    (void)unused;
    for (int64_t end = gos_now() + 100000; gos_now() < end;)
        continue;
    gos_waitgroup_done(&group);
}

static void blocker(void *unused)
{
    (void)unused;
    for (int i = 0; i < (gos_procs(0) > 1 ? 1 : 100) && !counters().handoffs; i++)
        syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 50000000 }, NULL);
    gos_waitgroup_done(&group);
}

static void fires(void *unused)
{
    (void)unused;
    gos_waitgroup_done(&group);
}

static __attribute__((noinline)) int deep(int n)
{
    volatile char frame[2000];
    frame[n % 1000] = (char)n; /* an index that is not known keeps the frame whole */
    frame[1000 + n % 1000] = (char)(n ? deep(n - 1) : 0);
    return frame[n % 1000] + frame[1000 + n % 1000];
}

static void yielder(void *unused)
{
    (void)unused;
    for (int64_t end = gos_now() + HOT_NS; gos_now() < end; yields += 1000)
        for (int i = 0; i < 1000; i++)
            gos_yield();
    gos_waitgroup_done(&group);
}

static void start(void (*fn)(void *), int n)
{
    gos_waitgroup_add(&group, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(fn, NULL), 0);
}

/* Everything, and what the counters say of it. */
static int all(void *unused)
{
    (void)unused;
    chan = gos_chan_new(sizeof(uint64_t), 0);
    start(sleeper, SLEEPERS);
    start(receiver, RECEIVERS);
    for (uint64_t i = 0; i < RECEIVERS; i++)
        gos_chan_send(chan, &i);
    start(blocker, 1);
    int spinners = 0;
    do {
        start(spinner, SPINNERS);
        spinners += SPINNERS;
        gos_waitgroup_wait(&group);
    } while (gos_procs(0) > 1 && !counters().steals && spinners < MOST_SPINNERS);
    gos_waitgroup_add(&group, 1);
    gos_timer *timer = gos_timer_new(1000000, fires, NULL);
    gos_waitgroup_wait(&group);
    gos_timer_free(timer);
    deep(200);
    gos_stats stats = counters();
    int64_t waits = 0;
    for (int i = 0; i < GOS_STATS_WAITS; i++)
        waits += stats.waits[i];
    printf("started %lld steals %lld handoffs %lld borrows %lld waits %lld spinners %d\n",
           (long long)stats.tasks_started, (long long)stats.steals, (long long)stats.handoffs,
           (long long)stats.region_borrows, (long long)waits, spinners);
    gos_chan_free(chan);
    return 0;
}

static int hot(void *unused)
{
    (void)unused;
    start(yielder, 2);
    gos_waitgroup_wait(&group);
    printf("yields %ld\n", yields);
    return 0;
}

static int api(void *file)
{
    printf("stop %d\n", gos_trace_stop());
    printf("bad %d\n", gos_trace_start("/nonexistent/trace"));
    printf("start %d\n", gos_trace_start(file));
    printf("again %d\n", gos_trace_start(file));
    start(sleeper, 1);
    gos_waitgroup_wait(&group);
    printf("stop %d\n", gos_trace_stop());
    if (!strcmp(file, "/dev/full"))
        return 0;
    gos_trace_start(file);
    start(sleeper, 2); /* to the end of the run */
    gos_waitgroup_wait(&group);
    return gos_flight_write(STDERR_FILENO);
}

static __attribute__((noinline)) int endless(volatile int *n)
{
    volatile char frame[500];
    frame[0] = 1;
    return *n ? endless(n) + frame[0] : 0;
}

static int dies(void *how)
{
    start(sleeper, 2);
    gos_waitgroup_wait(&group);
    static volatile int always = 1;
    static volatile int *volatile nowhere = (volatile int *)16; /* the null page; a null itself UBSan reports */
    if (!strcmp(how, "overflow"))
        return endless(&always);
    if (!strcmp(how, "segv"))
        *nowhere = 1;
    if (!strcmp(how, "misuse"))
        gos_mutex_unlock(&(gos_mutex)GOS_MUTEX_INIT);
    if (!strcmp(how, "deadlock"))
        gos_chan_recv(gos_chan_new(8, 0), &(uint64_t){ 0 });
    exit(3);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return gos_run(all, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(argv[1], "hot"))
        return gos_run(hot, NULL);
    if (!strcmp(argv[1], "twice")) {
        gos_run(all, NULL);
        return gos_run(all, NULL);
    }
    if (!strcmp(argv[1], "api")) {
        printf("outside %d\n", gos_trace_start(argv[2]));
        return gos_run(api, argv[2]);
    }
    return gos_run(dies, argv[1]);
}
