/* cond.c: condition variables, semaphores, barriers and the end of threads, by tasks. Rules: lock.h. */
#define _GNU_SOURCE 1 /* pthread_cond_clockwait */
#include <errno.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/lock.h"
#include "io/wait.h"

/* ---- condition variables ---- */

static GOS_NOINLINE int block_on_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                      const struct timespec *until)
{
    gos_block_begin();
    int result = !until      ? gos__real_pthread_cond_wait(cond, mutex)
                 : clock < 0 ? gos__real_pthread_cond_timedwait(cond, mutex, until)
                             : gos__real_pthread_cond_clockwait(cond, mutex, clock, until);
    gos_block_end();
    return result;
}

/* clock -1: the condition's own. */
static int wait_for_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    int64_t deadline = INT64_MAX;
    if (until && (deadline = gos__io_deadline_on(clock < 0 ? gos__cond_clock(cond) : clock, until)) < 0)
        return EINVAL;
    if (gos__cond_is_foreign(cond) || gos__mutex_is_foreign(mutex->__data.__kind))
        return block_on_cond(cond, mutex, clock, until);
    gos__lot_wait wait;
    gos__lot_enlist(&wait, cond, 0, GOS_WAIT_COND);
    int failed = gos__io_pthread_mutex_unlock(mutex);
    if (failed) {
        if (gos__lot_leave(&wait) && gos__lot_any())
            gos__lot_wake_from(cond, 0);
        return failed;
    }
    wait.wait.deadline = deadline;
    int parked = gos__fd_park(&wait.wait); /* where it cannot park it goes on at once: that is a spurious wake-up */
    gos__lot_leave(&wait);
    int locked = gos__io_pthread_mutex_lock(mutex);
    return locked ? locked : parked == -ETIMEDOUT ? ETIMEDOUT : 0;
}

int gos__io_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_for_cond(cond, mutex, -1, NULL);
}

int gos__io_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return wait_for_cond(cond, mutex, -1, until);
}

int gos__io_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    return clock < 0 ? EINVAL : wait_for_cond(cond, mutex, clock, until);
}

/* For both kinds of waiters: those here, and threads that wait in the C library since before the run. */
int gos__io_pthread_cond_signal(pthread_cond_t *cond)
{
    if (gos__lot_any())
        gos__lot_wake_from(cond, 0);
    return gos__real_pthread_cond_signal(cond);
}

int gos__io_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (gos__lot_any())
        gos__lot_wake_from(cond, 1);
    return gos__real_pthread_cond_broadcast(cond);
}

/* ---- semaphores ---- */

/* errno in a function of its own, since the caller may have changed threads. */
static GOS_NOINLINE int try_sem(void *sem)
{
    if (!gos__real_sem_trywait(sem))
        return 0;
    return errno == EAGAIN ? EBUSY : errno;
}

static GOS_NOINLINE int block_on_sem(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    gos_block_begin();
    int result = !until ? gos__real_sem_wait(sem) : gos__real_sem_clockwait(sem, clock, until);
    int error = result ? errno : 0;
    gos_block_end();
    return error;
}

static GOS_NOINLINE int wait_for_sem(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    int64_t deadline = until ? gos__io_deadline_on(clock, until) : INT64_MAX;
    if (deadline < 0)
        return EINVAL;
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    int result = gos__sem_is_foreign(sem) ? -1 : gos__io_lot_wait(sem, GOS_WAIT_SEM, deadline, try_sem, sem, &signals);
    return result == -1 ? block_on_sem(sem, clock, until) : result;
}

static int take(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    int result = try_sem(sem);
    if (result == EBUSY)
        result = wait_for_sem(sem, clock, until);
    return result ? (int)gos__io_fail(result) : 0;
}

int gos__io_sem_wait(sem_t *sem)
{
    return take(sem, CLOCK_REALTIME, NULL);
}

int gos__io_sem_timedwait(sem_t *sem, const struct timespec *until)
{
    return take(sem, CLOCK_REALTIME, until);
}

int gos__io_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    return take(sem, clock, until);
}

int gos__io_sem_post(sem_t *sem)
{
    int result = gos__real_sem_post(sem);
    if (gos__lot_any())
        gos__lot_wake_from(sem, 0);
    return result;
}

/* ---- what only threads can wait for ---- */

int gos__io_pthread_join(pthread_t thread, void **value)
{
    int result = gos__real_pthread_tryjoin_np(thread, value);
    if (result != EBUSY)
        return result;
    gos_block_begin();
    result = gos__real_pthread_join(thread, value);
    gos_block_end();
    return result;
}

int gos__io_pthread_barrier_wait(pthread_barrier_t *barrier)
{
    gos_block_begin();
    int result = gos__real_pthread_barrier_wait(barrier);
    gos_block_end();
    return result;
}

/* ---- and a close inside the C library ---- */

int gos__io_fclose(FILE *file)
{
    int fd = fileno(file);
    int waits = fd < 0 ? 0 : gos__io_closing(fd);
    int result = gos__real_fclose(file);
    if (waits > 0)
        gos__fd_closed(fd);
    return result;
}

/* A child that shared our memory would be taken for its parent. */
pid_t gos__io_vfork(void)
{
    return gos__real_fork();
}
