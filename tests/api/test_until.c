/* Deadlines of all that synchronises, from tasks and from threads: what comes in time is taken, what does not is left,
 * those behind get their turn, and nothing is lost when both happen at once. */
// not-with: emulator (it is too slow for limits of a millisecond)
// timeout: 120
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/test.h"

enum { KINDS = 6 };
static const int64_t ms = 1000000;

/* ---- one of each, held by `hold` for as long as `yield_it` is not called ---- */

static gos_mutex mutex, outer;
static gos_rwmutex rwmutex;
static gos_cond cond;
static gos_sem sem;
static gos_waitgroup group;

static void hold(int kind)
{
    switch (kind) {
    case 0: gos_mutex_lock(&mutex); break;
    case 1: gos_rwmutex_lock(&rwmutex); break;
    case 2: gos_rwmutex_rlock(&rwmutex); break;
    case 4: gos_waitgroup_add(&group, 1); break;
    default: break; /* a semaphore of 0, a condition */
    }
}

static void yield_it(int kind)
{
    switch (kind) {
    case 0: gos_mutex_unlock(&mutex); break;
    case 1: gos_rwmutex_unlock(&rwmutex); break;
    case 2: gos_rwmutex_runlock(&rwmutex); break;
    case 3: gos_sem_release(&sem, 3); break;
    case 4: gos_waitgroup_done(&group); break;
    case 5:
        gos_mutex_lock(&outer);
        gos_cond_signal(&cond);
        gos_mutex_unlock(&outer);
        break;
    }
}

/* Waits for it, and gives it back. */
static int take_until(int kind, int64_t deadline)
{
    int result = -1;
    switch (kind) {
    case 0:
        if (!(result = gos_mutex_lock_until(&mutex, deadline)))
            gos_mutex_unlock(&mutex);
        break;
    case 1:
        if (!(result = gos_rwmutex_rlock_until(&rwmutex, deadline)))
            gos_rwmutex_runlock(&rwmutex);
        break;
    case 2:
        if (!(result = gos_rwmutex_lock_until(&rwmutex, deadline)))
            gos_rwmutex_unlock(&rwmutex);
        break;
    case 3: result = gos_sem_acquire_until(&sem, 3, deadline); break;
    case 4: result = gos_waitgroup_wait_until(&group, deadline); break;
    case 5:
        gos_mutex_lock(&outer);
        result = gos_cond_wait_until(&cond, &outer, deadline);
        CHECK_EQ(gos_mutex_trylock(&outer), -EBUSY); /* whatever happened */
        gos_mutex_unlock(&outer);
        break;
    }
    return result;
}

static void in_time_and_late(int kind)
{
    hold(kind);
    CHECK_EQ(take_until(kind, 0), -ETIMEDOUT);
    CHECK_EQ(take_until(kind, gos_now() - 1), -ETIMEDOUT);
    int64_t until = gos_now() + 2 * ms;
    CHECK_EQ(take_until(kind, until), -ETIMEDOUT);
    CHECK(gos_now() >= until);
    yield_it(kind);
    if (kind != 5)
        CHECK_EQ(take_until(kind, 0), 0); /* what is to be had needs no time */
}

typedef struct later {
    int kind;
    uint32_t done;
} later;

static void yield_later(void *arg)
{
    later *it = arg;
    gos_sleep(ms);
    for (bool done = false; !done; gos_yield()) { /* a signal that nobody waits for is lost */
        yield_it(it->kind);
        done = it->kind != 5 || __atomic_load_n(&it->done, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&it->done, 2, __ATOMIC_RELEASE);
}

/* It may have ended by itself before. */
static void end(later *it)
{
    uint32_t not_yet = 0;
    __atomic_compare_exchange_n(&it->done, &not_yet, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    while (__atomic_load_n(&it->done, __ATOMIC_ACQUIRE) != 2)
        gos_yield();
}

static void served(int kind)
{
    later it = { .kind = kind };
    hold(kind);
    CHECK_EQ(gos_go(yield_later, &it), 0);
    CHECK_EQ(take_until(kind, gos_now() + 60000 * ms), 0);
    end(&it);
    it = (later){ .kind = kind };
    hold(kind);
    CHECK_EQ(gos_go(yield_later, &it), 0);
    CHECK_EQ(take_until(kind, INT64_MAX), 0);
    end(&it);
}

/* ---- the same from a thread without a task ---- */

enum { TAKEN = -1, TIMED_OUT = -2 };

static void *outside(void *arg)
{
    int kind = *(int *)arg;
    CHECK_EQ(take_until(kind, gos_now() + ms), -ETIMEDOUT);
    CHECK_EQ(take_until(kind, 0), -ETIMEDOUT);
    __atomic_store_n((int *)arg, TIMED_OUT, __ATOMIC_RELEASE);
    CHECK_EQ(take_until(kind, gos_now() + 60000 * ms), 0);
    __atomic_store_n((int *)arg, TAKEN, __ATOMIC_RELEASE);
    return NULL;
}

static void serves_a_thread(int kind)
{
    pthread_t thread;
    int arg = kind;
    hold(kind);
    CHECK_EQ(pthread_create(&thread, NULL, outside, &arg), 0);
    while (__atomic_load_n(&arg, __ATOMIC_ACQUIRE) != TIMED_OUT)
        gos_sleep(ms);
    gos_sleep(ms); /* until it waits, most likely */
    yield_it(kind);
    while (__atomic_load_n(&arg, __ATOMIC_ACQUIRE) != TAKEN) {
        gos_sleep(ms);
        if (kind == 5)
            yield_it(kind);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- who leaves makes room for who is behind ---- */

static uint32_t readers;

static void read_once(void *unused)
{
    (void)unused;
    gos_rwmutex_rlock(&rwmutex);
    __atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
    gos_rwmutex_runlock(&rwmutex);
    gos_waitgroup_done(&group);
}

static void take_one(void *unused)
{
    (void)unused;
    gos_sem_acquire(&sem, 1);
    __atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&group);
}

static void write_in_vain(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_rwmutex_lock_until(&rwmutex, gos_now() + 20 * ms), -ETIMEDOUT);
    gos_waitgroup_done(&group);
}

static void take_many_in_vain(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_sem_acquire_until(&sem, 100, gos_now() + 20 * ms), -ETIMEDOUT);
    gos_waitgroup_done(&group);
}

static void those_behind(void)
{
    readers = 0;
    gos_waitgroup_add(&group, 4);
    gos_rwmutex_rlock(&rwmutex);
    gos_sem_release(&sem, 1);
    CHECK_EQ(gos_go(write_in_vain, NULL), 0);
    CHECK_EQ(gos_go(take_many_in_vain, NULL), 0);
    gos_sleep(ms);
    CHECK_EQ(gos_go(read_once, NULL), 0); /* behind a writer, and a large request, that leave */
    CHECK_EQ(gos_go(take_one, NULL), 0);
    gos_waitgroup_wait(&group);
    CHECK_EQ(readers, 2);
    gos_rwmutex_runlock(&rwmutex);
    CHECK_EQ(gos_sem_tryacquire(&sem, 1), -EAGAIN);
}

/* ---- once ---- */

static gos_once once;
static uint32_t runs;

static void run_slowly(void *unused)
{
    (void)unused;
    gos_sleep(30 * ms);
    runs++;
}

static void do_slowly(void *unused)
{
    (void)unused;
    gos_once_do(&once, run_slowly, NULL);
    gos_waitgroup_done(&group);
}

static void once_with_deadline(void)
{
    once = (gos_once)GOS_ONCE_INIT;
    runs = 0;
    gos_waitgroup_add(&group, 1);
    CHECK_EQ(gos_go(do_slowly, NULL), 0);
    gos_yield();
    CHECK_EQ(gos_once_do_until(&once, run_slowly, NULL, gos_now() + ms), -ETIMEDOUT);
    CHECK_EQ(gos_once_do_until(&once, run_slowly, NULL, gos_now() + 60000 * ms), 0);
    CHECK_EQ(runs, 1);
    CHECK_EQ(gos_once_do_until(&once, run_slowly, NULL, 0), 0);
    gos_waitgroup_wait(&group);
}

static int body(void *unused)
{
    (void)unused;
    for (int kind = 0; kind < KINDS; kind++) {
        in_time_and_late(kind);
        if (kind == 3)
            sem = (gos_sem)GOS_SEM_INIT(0);
        served(kind);
        serves_a_thread(kind);
    }
    sem = (gos_sem)GOS_SEM_INIT(0);
    those_behind();
    once_with_deadline();
    return 0;
}

/* Without any run. */
static void alone(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        in_time_and_late(kind);
    runs = 0;
    once = (gos_once)GOS_ONCE_INIT;
    sem = (gos_sem)GOS_SEM_INIT(0);
}

int main(void)
{
    alone();
    for (int procs = 1; procs <= 3; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    return 0;
}
