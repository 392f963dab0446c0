/* Wake-ups of the C library's locks reach somebody who can use them: not only whoever waits in front, who may have to
 * wait on, or has just given up. */
// also: paged
// env: GOS_PROCS=2
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "io/wait.h"
#include "tests/parked.h"
#include "tests/test.h"

enum { READERS = 20, WRITERS = 10, PATIENCE = 20 /* seconds */ };

static gos_waitgroup all;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem, may_unlock;
static int reading, written, gave_up;

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

static void await(const int *count, int n)
{
    int64_t end = gos_now() + PATIENCE * 1000000000ll;
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n) {
        CHECK(gos_now() < end);
        gos_sleep(50000);
    }
}

/* ---- rwlocks ---- */

/* Readers let go when all are in, and whoever they have to wait for has given up. */
static void reader(void *giving_up)
{
    CHECK_EQ(pthread_rwlock_rdlock(&lock), 0);
    __atomic_add_fetch(&reading, 1, __ATOMIC_RELEASE);
    await(&reading, READERS);
    await(&gave_up, (int)(intptr_t)giving_up);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    gos_waitgroup_done(&all);
}

static void writer(void *unused)
{
    (void)unused;
    CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
    __atomic_add_fetch(&written, 1, __ATOMIC_RELAXED);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    gos_waitgroup_done(&all);
}

static void writer_in_vain(void *unused)
{
    struct timespec until;
    (void)unused;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    CHECK_EQ(pthread_rwlock_timedwrlock(&lock, &until), ETIMEDOUT);
    __atomic_add_fetch(&gave_up, 1, __ATOMIC_RELEASE);
    gos_waitgroup_done(&all);
}

/* Each parks before the next one comes. */
static void park(void (*fn)(void *), void *arg, int nth)
{
    start(fn, arg);
    await_tasks(fn, GOS_WAIT_RWMUTEX, nth);
}

static void *hold(void *taken)
{
    CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
    CHECK_EQ(sem_post(taken), 0);
    CHECK_EQ(sem_wait(&may_unlock), 0);
    CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    return NULL;
}

/* A writer waits before, between and behind readers, who have to be in together. By a task, or a thread, that holds the
 * lock until all wait. */
static void readers_come_in(void (*write)(void *), int n, bool by_thread)
{
    pthread_t thread;
    sem_t taken;
    int writers = 0;
    reading = written = gave_up = 0;
    CHECK_EQ(sem_init(&taken, 0, 0), 0);
    if (by_thread) {
        CHECK(!pthread_create(&thread, NULL, hold, &taken));
        CHECK_EQ(sem_wait(&taken), 0);
    } else {
        CHECK_EQ(pthread_rwlock_wrlock(&lock), 0);
    }
    for (int i = 0; i < READERS; i++) {
        if (i % (READERS / n) == 0)
            park(write, NULL, ++writers);
        park(reader, (void *)(intptr_t)(write == writer_in_vain ? n : 0), i + 1);
    }
    if (by_thread)
        CHECK(!sem_post(&may_unlock) && !pthread_join(thread, NULL));
    else
        CHECK_EQ(pthread_rwlock_unlock(&lock), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(written, write == writer ? n : 0);
    CHECK_EQ(sem_destroy(&taken), 0);
}

/* ---- a wake-up that comes to whom a handler has interrupted ---- */

static void handle(int number)
{
    (void)number;
}

static void take(void *unused)
{
    (void)unused;
    CHECK_EQ(sem_wait(&sem), 0);
    gos_waitgroup_done(&all);
}

/* As sem_wait's, while the main task is in front of the other: a handler runs, and then it is woken. */
static int try_between(void *tries)
{
    if ((*(int *)tries)++)
        return EBUSY;
    start(take, NULL);
    await_tasks(take, GOS_WAIT_SEM, 1);
    uint32_t before = gos__load_acquire(&gos__handled[GOS_BY_UNRESTARTED]);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    while (gos__load_acquire(&gos__handled[GOS_BY_UNRESTARTED]) == before)
        gos_yield();
    CHECK_EQ(sem_post(&sem), 0);
    return EBUSY;
}

static void interrupted(void)
{
    struct sigaction action = { .sa_handler = handle };
    int tries = 0;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    CHECK_EQ(gos__io_lot_wait(&sem, GOS_WAIT_SEM, INT64_MAX, try_between, &tries, &signals), EINTR);
    CHECK_EQ(tries, 1);
    CHECK_EQ(gos_waitgroup_wait_until(&all, gos_now() + PATIENCE * 1000000000ll), 0);
}

static int run(void *unused)
{
    (void)unused;
    CHECK(!sem_init(&sem, 0, 0) && !sem_init(&may_unlock, 0, 0));
    readers_come_in(writer, WRITERS, false);
    readers_come_in(writer, WRITERS, true);
    readers_come_in(writer_in_vain, 1, false);
    interrupted();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
