/*
 * Behind tasks that start others without end, and in a crowd of tasks that are ready, everybody has turns: a task that
 * was ready before, after a slice; a sleeper that is due, after a few turns of the others, however many wait.
 * Counted in starts and turns, which a busy machine makes no more of.
 */
// env: GOS_PROCS=1
// not-with: emulator (more tasks than there are mappings for guards)
#include <gossamer.h>

#include "tests/test.h"

/* A slice of 10 ms is less than a million starts. A look is 61 switches away at most, often nearer; now
 * and then the kernel keeps the sleeper's thread from running, so that the average is what is judged. */
enum { MOST_STARTS = 20000000, MOST_TURNS = 61 };
enum { SLEEP_NS = 50000, YIELDS = 4 };

static gos_waitgroup all, crowd;
/* Atomic: on a busy machine the worker may be taken from a thread that has not run for long, which then runs on beside
 * the next task for a moment. */
static _Atomic int has_run, stop;
static _Atomic int64_t due, turns;
static int64_t all_turns, sleeps;

static void waits(void *unused)
{
    (void)unused;
    gos_yield();
    has_run = 1;
    gos_waitgroup_done(&all);
}

static void nothing(void *unused)
{
    (void)unused;
}

/* A child that starts one before it ends: what waits in front are ever deeper families. */
static void starts(void *depth)
{
    if (depth)
        CHECK_EQ(gos_go(starts, (void *)((intptr_t)depth - 1)), 0);
}

static void beside_starts(void (*fn)(void *), void *arg)
{
    has_run = 0;
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(waits, NULL), 0);
    int n = 0;
    for (; !has_run && n <= MOST_STARTS; n++)
        CHECK_EQ(gos_go(fn, arg), 0);
    printf("%d starts before it ran\n", n);
    CHECK(n <= MOST_STARTS);
    gos_waitgroup_wait(&all);
}

static void takes_turns(void *unused)
{
    (void)unused;
    for (int i = 0; i < YIELDS; i++) {
        turns += due && gos_now() >= due;
        gos_yield();
    }
    gos_waitgroup_done(&crowd);
}

static void sleeper(void *unused)
{
    (void)unused;
    while (!stop) {
        turns = 0;
        due = gos_now() + SLEEP_NS;
        gos_sleep(SLEEP_NS);
        due = 0;
        sleeps++;
        all_turns += turns;
    }
    gos_waitgroup_done(&all);
}

/* All are ready at once, nearly all of them in the shared queue. */
static void in_a_crowd(int n)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(sleeper, NULL), 0);
    gos_waitgroup_add(&crowd, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(takes_turns, NULL), 0);
    gos_waitgroup_wait(&crowd);
    stop = 1;
    gos_waitgroup_wait(&all);
    printf("%lld sleeps, %lld turns after one was due\n", (long long)sleeps, (long long)all_turns);
    CHECK(sleeps > 1);
    CHECK(all_turns <= sleeps * MOST_TURNS);
}

static int run(void *crowd)
{
    beside_starts(nothing, NULL);
    beside_starts(starts, (void *)(intptr_t)20);
    in_a_crowd((int)(intptr_t)crowd);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    return gos_run(run, (void *)(intptr_t)(san && *san ? 5000 : 100000));
}
