/* gos_procs: up and down while tasks run, its results, its bounds. */
// also: paged
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { TASKS = 50 };

static _Atomic int stop;
static _Atomic long turns;
static gos_waitgroup all;

static void busy(void *arg)
{
    while (!stop) {
        atomic_fetch_add(&turns, 1);
        if (arg)
            gos_sleep((int64_t)(intptr_t)arg * 1000);
        else
            gos_yield();
    }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    static const int numbers[] = { 2, 1, 5, 3, 3, 8, 1, 2, 4, 1 };
    CHECK_EQ(gos_procs(0), 3);
    CHECK_EQ(gos_procs(-1), 3);
    stop = 0;
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(busy, (void *)(i % 5 * i)), 0);
    int before = 3;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            CHECK_EQ(gos_procs(numbers[i]), before);
            before = numbers[i];
            CHECK_EQ(gos_procs(0), before); /* in effect */
            long seen = turns;
            while (turns < seen + 2 * TASKS) /* nobody was lost with its worker */
                gos_yield();
        }
    }
    stop = 1;
    gos_waitgroup_wait(&all);
    return 0;
}

static int bounds(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_procs(0), 256);
    CHECK_EQ(gos_procs(1), 256);
    CHECK_EQ(gos_procs(1), 1);
    return 0;
}

int main(void)
{
    int own = gos_procs(0);
    CHECK(own >= 1);
    CHECK_EQ(gos_procs(3), own);
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK_EQ(gos_procs(0), 1); /* what a task asked for stays */
    CHECK_EQ(gos_procs(100000), 1);
    CHECK_EQ(gos_procs(0), 256);
    CHECK_EQ(gos_run(bounds, NULL), 0);
    return 0;
}
