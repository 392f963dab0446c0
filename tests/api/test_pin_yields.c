/* A pinned task that yields lets sleepers, timers and what comes from other threads run on its worker. By a seed, where
 * nobody takes the worker from it. */
// also: paged
// env: GOS_SEED=7
#include <gossamer.h>

#include <pthread.h>

#include "tests/test.h"

static int done;

static void set(void *unused)
{
    (void)unused;
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
}

static void sleep_and_set(void *unused)
{
    gos_sleep(1000000);
    set(unused);
}

static void *start_task(void *unused)
{
    CHECK_EQ(gos_go(set, NULL), 0);
    return unused;
}

static void yield_until_done(void)
{
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST))
        gos_yield();
    done = 0;
}

static int run(void *unused)
{
    pthread_t thread;
    (void)unused;
    gos_pin();
    CHECK_EQ(gos_go(sleep_and_set, NULL), 0);
    yield_until_done();
    gos_timer *timer = gos_timer_new(1000000, set, NULL);
    yield_until_done();
    gos_timer_free(timer);
    CHECK_EQ(pthread_create(&thread, NULL, start_task, NULL), 0);
    yield_until_done();
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_unpin();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
