/* gos_sleep: never shorter than asked, in order, many at once, on one worker and on several. */
#include <gossamer.h>
#include <stdbool.h>

#include "tests/test.h"

enum { ORDERED = 20, LONGEST = 30 };

static const int64_t ms = 1000000;

static int sleepers;
static gos_waitgroup all;
static int done_order[ORDERED], done_n;
static gos_mutex mutex;

static void precise(void *arg)
{
    int64_t ns = (int64_t)(intptr_t)arg, start = gos_now();
    gos_sleep(ns);
    CHECK(gos_now() - start >= ns);
    gos_waitgroup_done(&all);
}

static void ordered(void *arg)
{
    int me = (int)(intptr_t)arg;
    gos_sleep((me + 1) * 10 * ms); /* steps that a busy machine keeps apart */
    gos_mutex_lock(&mutex);
    done_order[done_n++] = me;
    gos_mutex_unlock(&mutex);
    gos_waitgroup_done(&all);
}

static void start(void (*fn)(void *), int64_t arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, (void *)(intptr_t)arg), 0);
}

static void short_and_none(void)
{
    gos_sleep(0);
    gos_sleep(-5);
    gos_sleep(INT64_MIN); /* would last for ever if it were a time */
    for (int64_t ns = 1; ns < 20 * ms; ns *= 3)
        start(precise, ns);
    gos_waitgroup_wait(&all);
}

/* False: a start was late by more than the steps are apart. */
static bool in_order(void)
{
    done_n = 0;
    for (int i = ORDERED - 1; i >= 0; i--)
        start(ordered, i);
    gos_waitgroup_wait(&all);
    CHECK_EQ(done_n, ORDERED);
    bool ordered_all = true;
    for (int i = 0; gos_procs(0) == 1 && i < ORDERED; i++)
        ordered_all &= done_order[i] == i;
    return ordered_all;
}

static void at_once(void)
{
    uint64_t state = test_seed();
    for (int i = 0; i < sleepers; i++)
        start(precise, (int64_t)(test_random(&state) % (uint64_t)(LONGEST * ms)));
    gos_waitgroup_wait(&all); /* one after the other they would take longer than a test may */
}

/* A worker busy with its own tasks still looks at its sleepers. */
static _Atomic int awake;

static void wakes(void *unused)
{
    (void)unused;
    gos_sleep(5 * ms);
    awake = 1;
}

static void beside_busy_tasks(void)
{
    awake = 0;
    CHECK_EQ(gos_go(wakes, NULL), 0);
    while (!awake)
        gos_yield();
}

static int run(void *unused)
{
    (void)unused;
    short_and_none();
    while (!in_order())
        continue;
    at_once();
    beside_busy_tasks();
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    sleepers = san && *san ? 1000 : 10000;
    for (int workers = 1; workers <= 3; workers += 2) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
