/* The C library's locks between tasks, and between tasks and threads: whoever waits holds up nobody, however many. One
 * part lets go of a mutex that it does not hold, to see EPERM, which thread sanitizer would report. */
// also: paged
// env: GOS_PROCS=2
// timeout: 120
// env: TSAN_OPTIONS=report_mutex_bugs=0
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "tests/cancelled.h"
#include "tests/test.h"

#ifdef GOS_TSAN
enum { MANY = 200, ROUNDS = 20 }; /* its atomic operations take longer the more tasks there are */
#else
enum { MANY = 1000, ROUNDS = 20 };
#endif

static gos_waitgroup all;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static int inside, count, stage;

static void start(int n, void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(fn, arg), 0);
}

static long long threads(void)
{
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    return stats.threads_peak;
}

/* In a function of its own: the task may have changed threads. */
__attribute__((noinline)) static int error_of(int result)
{
    return result == -1 ? errno : 0;
}

static struct timespec after(clockid_t clock, long ms)
{
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Inside, with other tasks in the way: nobody else may be. */
static void stay_inside(int round)
{
    CHECK_EQ(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
    if (round % 3 == 0)
        gos_yield();
    if (round % 5 == 0)
        gos_sleep(round % 10 * 1000);
    count++;
    CHECK_EQ(__atomic_fetch_add(&inside, -1, __ATOMIC_RELAXED), 1);
}

static void with_mutex(void *arg)
{
    pthread_mutex_t *mine = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(mine), 0);
        stay_inside(i);
        CHECK_EQ(pthread_mutex_unlock(mine), 0);
    }
    gos_waitgroup_done(&all);
}

static void *foreign_with_mutex(void *arg)
{
    pthread_mutex_t *mine = arg;
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(pthread_mutex_lock(mine), 0);
        CHECK_EQ(__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED), 0);
        count++;
        CHECK_EQ(__atomic_fetch_add(&inside, -1, __ATOMIC_RELAXED), 1);
        CHECK_EQ(pthread_mutex_unlock(mine), 0);
    }
    return NULL;
}

static void exclusion(int type, int tasks)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t mine;
    pthread_t thread;
    pthread_mutexattr_init(&attr);
    CHECK_EQ(pthread_mutexattr_settype(&attr, type), 0);
    CHECK_EQ(pthread_mutex_init(&mine, &attr), 0);
    count = 0;
    CHECK(!pthread_create(&thread, NULL, foreign_with_mutex, &mine));
    start(tasks, with_mutex, &mine);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(count, tasks * ROUNDS + 200);
    CHECK_EQ(pthread_mutex_destroy(&mine), 0);
}

/* A thousand wait for one that sleeps with it. */
static void lock_once(void *arg)
{
    (void)arg;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    count++;
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    gos_waitgroup_done(&all);
}

static void crowd(void)
{
    count = 0;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    start(MANY, lock_once, NULL);
    gos_sleep(5000000);
    CHECK_EQ(count, 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(count, MANY);
    CHECK(threads() <= 20);
}

static void owners_say(void *arg)
{
    pthread_mutex_t *both = arg;
    CHECK_EQ(pthread_mutex_trylock(&both[0]), EBUSY);
    CHECK_EQ(pthread_mutex_trylock(&both[1]), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&both[0]), EPERM);
    CHECK_EQ(pthread_mutex_unlock(&both[1]), EPERM);
    struct timespec soon = after(CLOCK_REALTIME, 2);
    CHECK_EQ(pthread_mutex_timedlock(&both[0], &soon), ETIMEDOUT);
    gos_waitgroup_done(&all);
}

/* While its owner is parked, whatever thread the others run on is not the owner. */
static void owners(void)
{
    pthread_mutex_t both[2];
    int types[2] = { PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK };
    for (int i = 0; i < 2; i++) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, types[i]);
        pthread_mutex_init(&both[i], &attr);
        CHECK_EQ(pthread_mutex_lock(&both[i]), 0);
    }
    CHECK_EQ(pthread_mutex_lock(&both[0]), 0);
    CHECK_EQ(pthread_mutex_trylock(&both[0]), 0);
    CHECK_EQ(pthread_mutex_lock(&both[1]), EDEADLK);
    start(20, owners_say, both);
    for (int i = 0; i < 100; i++)
        gos_yield();
    gos_waitgroup_wait(&all);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_mutex_unlock(&both[0]), 0);
    CHECK_EQ(pthread_mutex_unlock(&both[0]), EPERM);
    CHECK_EQ(pthread_mutex_unlock(&both[1]), 0);
    CHECK_EQ(pthread_mutex_unlock(&both[1]), EPERM);
}

/* ---- condition variables ---- */

static int turn;

static void take_turn(void *arg)
{
    int mine = (int)(intptr_t)arg;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    while (turn != mine)
        CHECK_EQ(pthread_cond_wait(&cond, &mutex), 0);
    turn++;
    CHECK_EQ(pthread_cond_broadcast(&cond), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    gos_waitgroup_done(&all);
}

static void turns(void)
{
    turn = 0;
    gos_waitgroup_add(&all, 200);
    for (int i = 199; i >= 0; i--)
        CHECK_EQ(gos_go(take_turn, (void *)(intptr_t)i), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(turn, 200);
}

static void wait_for_stage(int wanted)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    while (stage < wanted)
        CHECK_EQ(pthread_cond_wait(&cond, &mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static void next_stage(bool broadcast)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    stage++;
    CHECK_EQ(broadcast ? pthread_cond_broadcast(&cond) : pthread_cond_signal(&cond), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static void *foreign_partner(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i += 2) {
        wait_for_stage(i + 1);
        next_stage(false);
    }
    return NULL;
}

static void stage_waiter(void *arg)
{
    (void)arg;
    wait_for_stage(1);
    gos_waitgroup_done(&all);
}

static void conditions(void)
{
    pthread_t thread;
    turns();
    stage = 0;
    start(MANY, stage_waiter, NULL);
    gos_sleep(5000000);
    next_stage(true);
    gos_waitgroup_wait(&all);
    CHECK(threads() <= 20);
    stage = 0;
    CHECK(!pthread_create(&thread, NULL, foreign_partner, NULL));
    for (int i = 0; i < 1000; i += 2) {
        next_stage(false);
        wait_for_stage(i + 2);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    struct timespec soon = after(CLOCK_REALTIME, 3);
    CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
    soon = after(CLOCK_MONOTONIC, 3);
    CHECK_EQ(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    soon.tv_nsec = -1;
    CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &soon), EINVAL);
}

/* A thread that lets go of the mutex by waiting for a condition: a task waits for the mutex. */
static void *hold_and_wait(void *arg)
{
    (void)arg;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    __atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
    usleep(3000);
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 2)
        CHECK_EQ(pthread_cond_wait(&cond, &mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void foreign_lets_go(void)
{
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        stage = 0;
        CHECK(!pthread_create(&thread, NULL, hold_and_wait, NULL));
        while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 1)
            gos_yield();
        CHECK_EQ(pthread_mutex_lock(&mutex), 0); /* parks, while it is held */
        __atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
        CHECK_EQ(pthread_cond_signal(&cond), 0);
        CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

/* ---- cancelled threads give the mutex back locked ---- */

static void unlock_it(void *arg)
{
    CHECK_EQ(pthread_mutex_unlock(arg), 0);
}

static void *wait_until_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    pthread_cleanup_push(unlock_it, &mutex);
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancelled(void)
{
    pthread_t thread;
    void *result;
    CHECK(!pthread_create(&thread, NULL, wait_until_cancelled, NULL));
    gos_sleep(3000000);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

/* ---- semaphores ---- */

static void take_one(void *arg)
{
    (void)arg;
    CHECK_EQ(sem_wait(&sem), 0);
    __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void post_in_handler(int number)
{
    (void)number;
    sem_post(&sem);
}

static void *post_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY / 2; i++)
        sem_post(&sem);
    return NULL;
}

static void semaphores(void)
{
    pthread_t thread;
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    count = 0;
    start(MANY, take_one, NULL);
    gos_sleep(3000000);
    CHECK(!pthread_create(&thread, NULL, post_many, NULL));
    for (int i = 0; i < MANY / 2; i++)
        CHECK_EQ(sem_post(&sem), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(count, MANY);
    CHECK(threads() <= 20);
    struct timespec soon = after(CLOCK_REALTIME, 2);
    CHECK_EQ(error_of(sem_timedwait(&sem, &soon)), ETIMEDOUT);
    struct sigaction action = { .sa_handler = post_in_handler, .sa_flags = SA_ONSTACK | SA_RESTART };
    sigaction(SIGUSR1, &action, NULL);
    start(MANY / 2, take_one, NULL);
    for (int i = 0; i < MANY / 2; i++) {
        kill(getpid(), SIGUSR1);
        for (int k = 0; k < 20; k++)
            gos_yield();
        while (__atomic_load_n(&count, __ATOMIC_RELAXED) < MANY + i + 1)
            gos_sleep(20000);
    }
    gos_waitgroup_wait(&all);
}

/* ---- rwlocks ---- */

static int readers, readers_peak;

static void read_or_write(void *arg)
{
    int number = (int)(intptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (number % 5) {
            CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
            int n = __atomic_add_fetch(&readers, 1, __ATOMIC_RELAXED);
            if (n > __atomic_load_n(&readers_peak, __ATOMIC_RELAXED))
                __atomic_store_n(&readers_peak, n, __ATOMIC_RELAXED);
            CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_RELAXED), 0);
            gos_sleep(20000);
            __atomic_add_fetch(&readers, -1, __ATOMIC_RELAXED);
        } else {
            CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
            CHECK_EQ(__atomic_load_n(&readers, __ATOMIC_RELAXED), 0);
            stay_inside(i);
        }
        CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
    }
    gos_waitgroup_done(&all);
}

static void read_in_vain(void *unused)
{
    (void)unused;
    struct timespec soon = after(CLOCK_REALTIME, 2);
    CHECK_EQ(pthread_rwlock_timedrdlock(&rwlock, &soon), ETIMEDOUT);
    gos_waitgroup_done(&all);
}

static void rwlocks(void)
{
    gos_waitgroup_add(&all, 100);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(gos_go(read_or_write, (void *)(intptr_t)i), 0);
    gos_waitgroup_wait(&all);
    CHECK(readers_peak > 1);
    CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_EQ(pthread_rwlock_wrlock(&rwlock), EDEADLK);
    CHECK_EQ(pthread_rwlock_rdlock(&rwlock), EDEADLK);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_in_vain, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
}

/* ---- what takes threads ---- */

static void meet(void *arg)
{
    (void)arg;
    int result = pthread_barrier_wait(&barrier);
    CHECK(!result || result == PTHREAD_BARRIER_SERIAL_THREAD);
    gos_waitgroup_done(&all);
}

static void *slow(void *arg)
{
    usleep(3000);
    return arg;
}

static void join_one(void *arg)
{
    pthread_t thread;
    void *result;
    CHECK(!pthread_create(&thread, NULL, slow, arg));
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == arg);
    gos_waitgroup_done(&all);
}

static int run(void *arg)
{
    (void)arg;
    crowd();
    exclusion(PTHREAD_MUTEX_NORMAL, 100);
    exclusion(PTHREAD_MUTEX_ADAPTIVE_NP, 30);
    exclusion(PTHREAD_MUTEX_RECURSIVE, 30);
    exclusion(PTHREAD_MUTEX_ERRORCHECK, 30);
    owners();
    conditions();
    foreign_lets_go();
    cancelled();
    semaphores();
    rwlocks();
    pthread_barrier_init(&barrier, NULL, 20);
    start(20, meet, NULL);
    start(10, join_one, &barrier);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
