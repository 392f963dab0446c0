/* Deadlines that pass at the moment at which they are met, by tasks and threads: nobody holds what he was not given,
 * and nothing that was given is lost. */
// timeout: 120
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/test.h"

enum { TASKS = 24, THREADS = 2, UNITS = 5 };

static int rounds;
static uint64_t seed;
static gos_mutex mutex;
static gos_rwmutex rwmutex;
static gos_sem sem;
static gos_cond cond;
static gos_waitgroup all;
static long under_mutex, under_writer; /* plain: the locks alone keep them right */
static int inside;
static uint32_t locked, written, late, tokens, given, taken;

static void count(uint32_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static int64_t soon(uint64_t *random)
{
    uint64_t draw = test_random(random);
    return draw % 8 == 0 ? INT64_MAX : gos_now() + (int64_t)(draw >> 8) % 100000 - 10000;
}

/* Some of those that hold it are away for a while, so that others are late. */
static void linger(uint64_t *random, bool is_task)
{
    uint64_t draw = test_random(random) % 16;
    if (is_task && draw < 4)
        gos_yield();
    else if (is_task && draw == 4)
        gos_sleep(20000);
}

static void lock_one(uint64_t *random, bool is_task)
{
    if (gos_mutex_lock_until(&mutex, soon(random))) {
        count(&late);
        return;
    }
    CHECK_EQ(inside++, 0);
    under_mutex++;
    count(&locked);
    linger(random, is_task);
    CHECK_EQ(--inside, 0);
    gos_mutex_unlock(&mutex);
}

static void read_or_write(uint64_t *random, bool is_task)
{
    bool writes = test_random(random) % 3 == 0;
    int result = (writes ? gos_rwmutex_lock_until : gos_rwmutex_rlock_until)(&rwmutex, soon(random));
    if (result) {
        CHECK_EQ(result, -ETIMEDOUT);
        count(&late);
        return;
    }
    long before = under_writer;
    if (writes) {
        under_writer++;
        count(&written);
    }
    linger(random, is_task);
    CHECK_EQ(under_writer, before + writes);
    (writes ? gos_rwmutex_unlock : gos_rwmutex_runlock)(&rwmutex);
}

static void take_units(uint64_t *random, bool is_task)
{
    long n = 1 + (long)(test_random(random) % UNITS);
    if (gos_sem_acquire_until(&sem, n, soon(random))) {
        count(&late);
        return;
    }
    linger(random, is_task);
    gos_sem_release(&sem, n);
}

/* Tokens under the mutex: a signal for each that is put there; who is late may have been signalled all the same, and
 * finds a token or not. */
static void give_or_take(uint64_t *random)
{
    gos_mutex_lock(&mutex);
    if (test_random(random) % 2) {
        tokens++;
        given++;
        gos_cond_signal(&cond);
    } else {
        int result = 0;
        int64_t deadline = gos_now() + (int64_t)(test_random(random) % 50000);
        while (!tokens && !result)
            result = gos_cond_wait_until(&cond, &mutex, deadline);
        if (tokens) {
            tokens--;
            taken++;
        }
    }
    gos_mutex_unlock(&mutex);
}

static void mix(uint64_t start, bool is_task)
{
    uint64_t random = seed + start;
    for (int i = 0; i < rounds; i++)
        switch (test_random(&random) % 4) {
        case 0: lock_one(&random, is_task); break;
        case 1: read_or_write(&random, is_task); break;
        case 2: take_units(&random, is_task); break;
        case 3: give_or_take(&random); break;
        }
}

static void task(void *arg)
{
    mix((uintptr_t)arg, true);
    gos_waitgroup_done(&all);
}

static void *thread(void *arg)
{
    mix((uintptr_t)arg + 1000, false);
    return NULL;
}

static int body(void *unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    sem = (gos_sem)GOS_SEM_INIT(UNITS);
    under_mutex = under_writer = 0;
    locked = written = tokens = given = taken = 0;
    gos_waitgroup_add(&all, TASKS);
    for (uintptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
    CHECK_EQ(gos_waitgroup_wait_until(&all, INT64_MAX), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(under_mutex, locked);
    CHECK_EQ(under_writer, written);
    CHECK_EQ(given - taken, tokens);
    CHECK_EQ(gos_mutex_trylock(&mutex), 0); /* nobody has them, and nobody waits */
    gos_mutex_unlock(&mutex);
    CHECK_EQ(gos_rwmutex_trylock(&rwmutex), 0);
    gos_rwmutex_unlock(&rwmutex);
    CHECK_EQ(gos_sem_tryacquire(&sem, UNITS), 0);
    CHECK_EQ(mutex.gos__word, 0);
    CHECK(!mutex.gos__waiters.gos__first && !rwmutex.gos__waiters.gos__first && !sem.gos__waiters.gos__first &&
          !cond.gos__waiters.gos__first && !all.gos__waiters.gos__first);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    rounds = san && *san ? 200 : 2000;
    seed = test_seed();
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    CHECK(late > 0);
    return 0;
}
