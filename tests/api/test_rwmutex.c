/* gos_rwmutex: readers share, writers do not, a waiting writer is next, tries do not wait. */
// timeout: 60
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>

#include "tests/parked.h"
#include "tests/test.h"

static gos_rwmutex mutex = GOS_RWMUTEX_INIT;
static gos_waitgroup all;
static char order[8];
static int order_n;

static void mark(char who)
{
    order[__atomic_fetch_add(&order_n, 1, __ATOMIC_RELAXED)] = who;
}

static void reader(void *arg)
{
    (void)arg;
    gos_rwmutex_rlock(&mutex);
    mark('r');
    gos_rwmutex_runlock(&mutex);
    gos_waitgroup_done(&all);
}

static void writer(void *arg)
{
    (void)arg;
    gos_rwmutex_lock(&mutex);
    mark('w');
    gos_rwmutex_unlock(&mutex);
    gos_waitgroup_done(&all);
}

static void park(void (*fn)(void *))
{
    int parked = parked_tasks(fn, GOS_WAIT_RWMUTEX);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, NULL), 0);
    await_tasks(fn, GOS_WAIT_RWMUTEX, parked + 1);
}

static void tries(void)
{
    CHECK_EQ(gos_rwmutex_tryrlock(&mutex), 0);
    CHECK_EQ(gos_rwmutex_tryrlock(&mutex), 0);
    CHECK_EQ(gos_rwmutex_trylock(&mutex), -EBUSY);
    gos_rwmutex_runlock(&mutex);
    CHECK_EQ(gos_rwmutex_trylock(&mutex), -EBUSY);
    gos_rwmutex_runlock(&mutex);
    CHECK_EQ(gos_rwmutex_trylock(&mutex), 0);
    CHECK_EQ(gos_rwmutex_tryrlock(&mutex), -EBUSY);
    CHECK_EQ(gos_rwmutex_trylock(&mutex), -EBUSY);
    gos_rwmutex_unlock(&mutex);
}

static void first_come_first_served(void)
{
    order_n = 0;
    memset(order, 0, sizeof order);
    gos_rwmutex_rlock(&mutex);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(reader, NULL), 0); /* shares at once */
    gos_waitgroup_wait(&all);
    CHECK_STR(order, "r");
    park(writer);
    park(reader);
    park(reader);
    park(writer);
    park(reader);
    CHECK_EQ(gos_rwmutex_tryrlock(&mutex), -EBUSY); /* a writer waits */
    CHECK_STR(order, "r");
    gos_rwmutex_runlock(&mutex);
    gos_waitgroup_wait(&all);
    CHECK_STR(order, "rwrrwr");
}

/* Writers keep two numbers equal; readers see them so. */
enum { WRITERS = 5, READERS = 11, EACH = 2000 };

static volatile uint64_t a, b;
static int readers_inside;
static uint64_t seed;

static void stress_writer(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        if (test_random(&random) % 4 || gos_rwmutex_trylock(&mutex))
            gos_rwmutex_lock(&mutex);
        CHECK_EQ(__atomic_load_n(&readers_inside, __ATOMIC_RELAXED), 0);
        a++;
        if (test_random(&random) % 8 == 0)
            gos_yield();
        b++;
        gos_rwmutex_unlock(&mutex);
    }
    gos_waitgroup_done(&all);
}

static void stress_reader(void *arg)
{
    uint64_t random = seed + 100 + (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        if (test_random(&random) % 4 || gos_rwmutex_tryrlock(&mutex))
            gos_rwmutex_rlock(&mutex);
        __atomic_fetch_add(&readers_inside, 1, __ATOMIC_RELAXED);
        uint64_t seen = a;
        if (test_random(&random) % 8 == 0)
            gos_yield();
        CHECK_EQ(b, seen);
        __atomic_fetch_sub(&readers_inside, 1, __ATOMIC_RELAXED);
        gos_rwmutex_runlock(&mutex);
    }
    gos_waitgroup_done(&all);
}

static void stress(void)
{
    a = b = 0;
    gos_waitgroup_add(&all, WRITERS + READERS);
    for (uintptr_t i = 0; i < READERS; i++) {
        CHECK_EQ(gos_go(stress_reader, (void *)i), 0);
        if (i < WRITERS)
            CHECK_EQ(gos_go(stress_writer, (void *)i), 0);
    }
    gos_waitgroup_wait(&all);
    CHECK_EQ(a, WRITERS * EACH);
    CHECK_EQ(b, WRITERS * EACH);
}

static void *unlock_from_outside(void *arg)
{
    (void)arg;
    gos_rwmutex_unlock(&mutex);
    return NULL;
}

static void from_outside(void)
{
    order_n = 0;
    memset(order, 0, sizeof order);
    gos_rwmutex_lock(&mutex);
    park(writer);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(reader, NULL), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, unlock_from_outside, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_STR(order, "wr");
}

static int body(void *arg)
{
    (void)arg;
    tries();
    first_come_first_served();
    from_outside();
    stress();
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
