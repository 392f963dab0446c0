/* gos_mutex: one at a time; whoever runs first, but nobody starves; trylock; unlocking for another task and from other
 * threads. */
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { TASKS = 20 };

static int rounds;
static gos_mutex mutex = GOS_MUTEX_INIT;
static gos_waitgroup all;
static long counter; /* plain: the mutex alone keeps it right */
static int inside;

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

static void add(void *arg)
{
    for (int i = 0; i < rounds; i++) {
        gos_mutex_lock(&mutex);
        CHECK_EQ(inside++, 0);
        counter++;
        if (arg && i % 16 == 0)
            gos_yield(); /* held across a switch */
        CHECK_EQ(--inside, 0);
        gos_mutex_unlock(&mutex);
        if (i % 64 == 0)
            gos_yield();
    }
    gos_waitgroup_done(&all);
}

static void try_add(void *unused)
{
    (void)unused;
    for (int got = 0; got < rounds / 10;) {
        int result = gos_mutex_trylock(&mutex);
        if (result) {
            CHECK_EQ(result, -EBUSY);
            gos_yield();
            continue;
        }
        CHECK_EQ(inside++, 0);
        counter++;
        got++;
        CHECK_EQ(--inside, 0);
        gos_mutex_unlock(&mutex);
    }
    gos_waitgroup_done(&all);
}

static void exclusion(void)
{
    counter = 0;
    for (intptr_t i = 0; i < TASKS; i++)
        start(add, (void *)(i % 2));
    start(try_add, NULL);
    gos_waitgroup_wait(&all);
    CHECK_EQ(counter, TASKS * (long)rounds + rounds / 10);
}

static void trylock(void)
{
    gos_mutex own;
    memset(&own, 0, sizeof own); /* valid when zero */
    CHECK_EQ(gos_mutex_trylock(&own), 0);
    CHECK_EQ(gos_mutex_trylock(&own), -EBUSY);
    gos_mutex_unlock(&own);
    gos_mutex_lock(&own);
    CHECK_EQ(gos_mutex_trylock(&own), -EBUSY);
    gos_mutex_unlock(&own);
}

static int order[TASKS], n;

static void take_turn(void *arg)
{
    gos_mutex_lock(&mutex);
    order[n++] = (int)(intptr_t)arg;
    gos_mutex_unlock(&mutex);
    gos_waitgroup_done(&all);
}

/* A task that locks it again before a waiter runs is first: nobody switches for each time that it is held. Once a
 * waiter has lost for 1 ms, it is handed from one to the next in the order of arrival; else this would never end. */
static void fairness(void)
{
    n = 0;
    bool alone = gos_procs(0) == 1;
    gos_mutex_lock(&mutex);
    for (intptr_t i = 0; i < TASKS; i++) {
        start(take_turn, (void *)i);
        await_tasks(take_turn, GOS_WAIT_MUTEX, (int)i + 1);
    }
    CHECK_EQ(n, 0);
    if (alone) {
        gos_mutex_unlock(&mutex);
        gos_mutex_lock(&mutex);
        CHECK_EQ(n, 0);
    }
    for (bool done = false; !done;) {
        gos_yield(); /* the waiter that was woken finds it locked */
        done = n;
        gos_mutex_unlock(&mutex);
        gos_mutex_lock(&mutex);
    }
    CHECK(n == TASKS || !alone); /* behind all of them */
    gos_mutex_unlock(&mutex);
    gos_waitgroup_wait(&all);
    for (int i = 0; i < TASKS && alone; i++)
        CHECK_EQ(order[i], i);
}

static void *unlock_elsewhere(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_mutex_trylock(&mutex), -EBUSY);
    gos_mutex_unlock(&mutex);
    return NULL;
}

static void from_a_thread(void)
{
    pthread_t thread;
    for (int i = 0; i < 20; i++) {
        gos_mutex_lock(&mutex);
        CHECK_EQ(pthread_create(&thread, NULL, unlock_elsewhere, NULL), 0);
        gos_mutex_lock(&mutex);
        gos_mutex_unlock(&mutex);
        pthread_join(thread, NULL);
    }
}

static int run(void *unused)
{
    (void)unused;
    trylock();
    exclusion();
    fairness();
    from_a_thread();
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    rounds = san && *san ? 200 : 5000;
    for (int workers = 1; workers <= 4; workers++) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
