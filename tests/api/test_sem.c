/* gos_sem: units are neither lost nor made, a large request is not overtaken, tries do not wait. */
// timeout: 60
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>

#include "tests/parked.h"
#include "tests/test.h"

static gos_waitgroup all;
static gos_sem sem = GOS_SEM_INIT(3);
static int order[8], order_n;

static void take(void *units)
{
    gos_sem_acquire(&sem, (long)(intptr_t)units);
    order[__atomic_fetch_add(&order_n, 1, __ATOMIC_RELAXED)] = (int)(intptr_t)units;
    gos_waitgroup_done(&all);
}

static void park(long units)
{
    int parked = parked_tasks(take, GOS_WAIT_SEM);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(take, (void *)units), 0);
    await_tasks(take, GOS_WAIT_SEM, parked + 1);
}

static void counts(void)
{
    CHECK_EQ(gos_sem_tryacquire(&sem, 4), -EAGAIN);
    CHECK_EQ(gos_sem_tryacquire(&sem, 2), 0);
    CHECK_EQ(gos_sem_tryacquire(&sem, 2), -EAGAIN);
    gos_sem_acquire(&sem, 1);
    CHECK_EQ(gos_sem_tryacquire(&sem, 1), -EAGAIN);
    CHECK_EQ(gos_sem_tryacquire(&sem, 0), 0);
    gos_sem_acquire(&sem, 0);
    gos_sem_release(&sem, 3);
}

static void large_request_is_not_overtaken(void)
{
    order_n = 0;
    park(5); /* 3 are there */
    park(1);
    park(2);
    CHECK_EQ(gos_sem_tryacquire(&sem, 1), -EAGAIN);
    gos_sem_release(&sem, 1);
    gos_sleep(1000000);
    CHECK_EQ(order_n, 0);
    gos_sem_release(&sem, 2); /* 6: for 5 and 1 */
    while (__atomic_load_n(&order_n, __ATOMIC_RELAXED) < 2)
        gos_yield();
    gos_sleep(1000000);
    CHECK_EQ(order_n, 2);
    CHECK_EQ(order[0] + order[1], 6);
    gos_sem_release(&sem, 2);
    gos_waitgroup_wait(&all);
    CHECK_EQ(order[2], 2);
    CHECK_EQ(gos_sem_tryacquire(&sem, 1), -EAGAIN);
    gos_sem_release(&sem, 3);
}

/* Never more than UNITS in use. */
enum { UNITS = 7, TASKS = 24, EACH = 1500 };

static gos_sem units = GOS_SEM_INIT(UNITS);
static int in_use;
static uint64_t seed;

static void user(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        long n = 1 + (long)(test_random(&random) % UNITS);
        if (test_random(&random) % 4 || gos_sem_tryacquire(&units, n))
            gos_sem_acquire(&units, n);
        CHECK(__atomic_add_fetch(&in_use, (int)n, __ATOMIC_RELAXED) <= UNITS);
        if (test_random(&random) % 4 == 0)
            gos_yield();
        __atomic_sub_fetch(&in_use, (int)n, __ATOMIC_RELAXED);
        gos_sem_release(&units, n);
    }
    gos_waitgroup_done(&all);
}

static void stress(void)
{
    gos_waitgroup_add(&all, TASKS);
    for (uintptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(user, (void *)i), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(gos_sem_tryacquire(&units, UNITS), 0);
    CHECK_EQ(gos_sem_tryacquire(&units, 1), -EAGAIN);
    gos_sem_release(&units, UNITS);
}

static void *release_from_outside(void *arg)
{
    for (int i = 0; i < 1000; i++)
        gos_sem_release(arg, 1);
    return NULL;
}

static void from_outside(void)
{
    gos_sem zero = { 0 };
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, release_from_outside, &zero), 0);
    for (int i = 0; i < 1000; i++)
        gos_sem_acquire(&zero, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(gos_sem_tryacquire(&zero, 1), -EAGAIN);
}

static int body(void *arg)
{
    (void)arg;
    counts();
    large_request_is_not_overtaken();
    stress();
    from_outside();
    return 0;
}

int main(void)
{
    seed = test_seed();
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    return 0;
}
