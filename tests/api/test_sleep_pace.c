/*
 * A sleeper that is due runs after a few switches, however few there are in its sleep: the worker does not wait for its
 * next regular look, every 61 switches. Counted in switches, which a busy machine makes no more of.
 */
// env: GOS_PROCS=1
#include <gossamer.h>
#include <stdlib.h>

#include "tests/test.h"

enum { SLEEPS = 200, SLEEP_NS = 200000, STEP_NS = 20000, MANY = 15 };

static int64_t due; /* when the sleeper is; 0: it runs, or has not begun */
static int late[SLEEPS], asleep, done;

static void busy(void *group)
{
    while (!done) {
        int64_t now = gos_now(), until = now + STEP_NS;
        if (due && now >= due)
            late[asleep]++;
        while (gos_now() < until)
            ;
        gos_yield();
    }
    gos_waitgroup_done(group);
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int main_task(void *unused)
{
    (void)unused;
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    gos_waitgroup_add(&group, 1);
    CHECK_EQ(gos_go(busy, &group), 0);
    for (asleep = 0; asleep < SLEEPS; asleep++) {
        due = gos_now() + SLEEP_NS;
        gos_sleep(SLEEP_NS);
        due = 0;
    }
    done = 1;
    gos_waitgroup_wait(&group);
    qsort(late, SLEEPS, sizeof *late, by_value);
    CHECK(late[SLEEPS / 2] < MANY);
    return 0;
}

int main(void)
{
    return gos_run(main_task, NULL);
}
