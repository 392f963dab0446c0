/* gos_cond: no wake-up without a signal, first come first served, the mutex is held again, bounded buffers add up. */
// timeout: 60
// also: paged
#include <gossamer.h>
#include <pthread.h>

#include "tests/test.h"

static gos_mutex mutex = GOS_MUTEX_INIT;
static gos_cond cond = GOS_COND_INIT;
static gos_waitgroup all;
static int waiting, order[10], woken, inside;

static void waiter(void *arg)
{
    gos_mutex_lock(&mutex);
    int ticket = waiting++;
    (void)arg;
    gos_cond_wait(&cond, &mutex);
    CHECK_EQ(inside++, 0);
    order[woken++] = ticket;
    gos_yield();
    CHECK_EQ(--inside, 0);
    gos_mutex_unlock(&mutex);
    gos_waitgroup_done(&all);
}

static void start_waiters(int n)
{
    waiting = woken = 0;
    gos_waitgroup_add(&all, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(waiter, NULL), 0);
    for (int there = 0; there < n; gos_yield()) {
        gos_mutex_lock(&mutex);
        there = waiting;
        gos_mutex_unlock(&mutex);
    }
}

static int woken_now(void)
{
    gos_mutex_lock(&mutex);
    int n = woken;
    gos_mutex_unlock(&mutex);
    return n;
}

static void signals_one_by_one(void)
{
    gos_cond_signal(&cond); /* nobody: lost */
    start_waiters(10);
    CHECK_EQ(woken_now(), 0);
    for (int i = 0; i < 10; i++) {
        if (i % 2)
            gos_mutex_lock(&mutex);
        gos_cond_signal(&cond);
        if (i % 2)
            gos_mutex_unlock(&mutex);
        while (woken_now() < i + 1)
            gos_yield();
        gos_sleep(10000);
        CHECK_EQ(woken_now(), i + 1);
    }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(order[i], i);
}

static void broadcasts(void)
{
    start_waiters(10);
    gos_cond_broadcast(&cond);
    gos_waitgroup_wait(&all);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(order[i], i);
    start_waiters(10);
    gos_mutex_lock(&mutex);
    gos_cond_broadcast(&cond);
    CHECK_EQ(woken, 0);
    gos_mutex_unlock(&mutex);
    gos_waitgroup_wait(&all);
}

static void *signal_from_outside(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        usleep(100);
        gos_cond_signal(&cond);
    }
    return NULL;
}

static void from_outside(void)
{
    pthread_t thread;
    start_waiters(10);
    CHECK_EQ(pthread_create(&thread, NULL, signal_from_outside, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* A bounded buffer between many producers and consumers. */
enum { PRODUCERS = 7, CONSUMERS = 5, EACH = 3000, ROOM = 4 };

static gos_mutex buffer_mutex;
static gos_cond not_empty, not_full;
static uint64_t buffer[ROOM], buffer_n, produced, consumed, seed;
static long to_consume;

static void producer(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg, sum = 0;
    for (int i = 0; i < EACH; i++) {
        uint64_t value = test_random(&random) >> 8;
        gos_mutex_lock(&buffer_mutex);
        while (buffer_n == ROOM)
            gos_cond_wait(&not_full, &buffer_mutex);
        buffer[buffer_n++] = value;
        gos_cond_signal(&not_empty);
        gos_mutex_unlock(&buffer_mutex);
        sum += value;
    }
    __atomic_fetch_add(&produced, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void consumer(void *arg)
{
    (void)arg;
    uint64_t sum = 0;
    for (;;) {
        gos_mutex_lock(&buffer_mutex);
        while (!buffer_n && to_consume)
            gos_cond_wait(&not_empty, &buffer_mutex);
        if (!to_consume)
            break;
        sum += buffer[--buffer_n];
        if (!--to_consume)
            gos_cond_broadcast(&not_empty);
        gos_mutex_unlock(&buffer_mutex);
        gos_cond_signal(&not_full);
    }
    gos_mutex_unlock(&buffer_mutex);
    __atomic_fetch_add(&consumed, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void bounded_buffer(void)
{
    produced = consumed = 0;
    to_consume = PRODUCERS * EACH;
    gos_waitgroup_add(&all, PRODUCERS + CONSUMERS);
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        CHECK_EQ(gos_go(producer, (void *)i), 0);
    for (int i = 0; i < CONSUMERS; i++)
        CHECK_EQ(gos_go(consumer, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(produced, consumed);
    CHECK_EQ(buffer_n, 0);
}

static int body(void *arg)
{
    (void)arg;
    signals_one_by_one();
    broadcasts();
    from_outside();
    bounded_buffer();
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
