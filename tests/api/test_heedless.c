/*
 * Tasks that never come to a scheduling point by themselves: loops without calls, and raw system calls. Their workers
 * go to other threads, and gos_procs does not wait for them.
 */
// also: paged
// env: GOS_PROCS=1
#include <gossamer.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/config.h"
#include "sched/worker.h"
#include "tests/test.h"

enum { LOOPS = 3, BLOCKED = 3, ROUNDS = 6, STEPS = 20000000 /* more than a slice */ };

static const int64_t ms = 1000000;

static _Atomic int stop;
static _Atomic int begun, ended;
static int pipes[2];

static void loops(void *unused)
{
    (void)unused;
    atomic_fetch_add(&begun, 1);
    while (!stop)
        ;
    atomic_fetch_add(&ended, 1);
}

/* Not the read of <unistd.h>, which would park. */
static void blocks(void *unused)
{
    (void)unused;
    char byte;
    atomic_fetch_add(&begun, 1);
    CHECK_EQ(syscall(SYS_read, pipes[0], &byte, 1), 1);
    atomic_fetch_add(&ended, 1);
}

static void start(void (*fn)(void *), int n)
{
    begun = ended = 0;
    stop = 0;
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(fn, NULL), 0);
    while (begun < n)
        gos_yield();
}

static void finish(int n)
{
    stop = 1;
    while (ended < n)
        gos_sleep(ms);
}

static void release(int n)
{
    for (int i = 0; i < n; i++)
        CHECK_EQ(write(pipes[1], "x", 1), 1);
    finish(n);
}

/* Each loop starts on the only worker; this task goes on all the same. */
static int beside_loops(void *unused)
{
    (void)unused;
    start(loops, LOOPS);
    for (int i = 0; i < 5; i++)
        gos_sleep(ms);
    finish(LOOPS);
    return 0;
}

static int procs_beside_loops(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_procs(4), 1);
    start(loops, LOOPS);
    CHECK_EQ(gos_procs(1), 4);
    gos_yield();
    finish(LOOPS);
    return 0;
}

static int procs_beside_calls(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_procs(4), 1);
    start(blocks, BLOCKED);
    CHECK_EQ(gos_procs(1), 4);
    CHECK_EQ(gos_procs(3), 1);
    CHECK_EQ(gos_procs(2), 3);
    gos_yield();
    release(BLOCKED);
    CHECK_EQ(gos_procs(1), 2);
    return 0;
}

__attribute__((noinline)) static void step(void)
{
    volatile char frame[40];
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 1;
}

/* Where it runs may change at each call. */
static __attribute__((noinline)) bool has_worker(void)
{
    return gos__self.worker != NULL;
}

/* Between its calls it runs checked code for more than a slice, and until it is back on the worker that it lost in the
 * call. It never calls the runtime by itself. */
static void blocks_again_and_again(void *unused)
{
    (void)unused;
    char byte;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(syscall(SYS_read, pipes[0], &byte, 1), 1);
        atomic_fetch_add(&begun, 1);
        for (int steps = 0; steps < STEPS || !has_worker(); steps++)
            step();
    }
    atomic_fetch_add(&ended, 1);
}

/* It comes back to its worker each time, if not at once, or it would run beside it from the first call on. */
static int again_and_again(void *unused)
{
    (void)unused;
    gos_stats before, now;
    CHECK_EQ(gos_stats_read(&before), 0);
    begun = ended = 0;
    CHECK_EQ(gos_go(blocks_again_and_again, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        do {
            gos_yield();
            CHECK_EQ(gos_stats_read(&now), 0);
        } while (now.handoffs - before.handoffs < i);
        CHECK_EQ(write(pipes[1], "x", 1), 1);
        while (begun <= i)
            gos_yield();
    }
    while (!ended)
        gos_yield();
    return 0;
}

int main(void)
{
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(gos_run(beside_loops, NULL), 0);
    CHECK_EQ(gos_run(procs_beside_loops, NULL), 0);
    gos_procs(1);
    CHECK_EQ(gos_run(procs_beside_calls, NULL), 0);
    if (!GOS_PAGED_ONLY) /* without stack checks it does not notice that it lost its worker */
        CHECK_EQ(gos_run(again_and_again, NULL), 0);
    return 0;
}
