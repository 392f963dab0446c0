/* plain_lock.c: the C library's locks, by threads without a task: its own functions, and a look for tasks that wait. */
#define _GNU_SOURCE 1 /* pthread_cond_clockwait */
#include <errno.h>
#include <unistd.h>

#include "io/lock.h"
#include "io/wait.h"
#include "sched/worker.h"

static int wake(const void *key, int all)
{
    return gos__lot_any() && gos__lot_wake_plain(key, all);
}

int gos__plain_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return GOS_REAL(pthread_mutex_lock)(mutex);
}

int gos__plain_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    return GOS_REAL(pthread_mutex_trylock)(mutex);
}

int gos__plain_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return GOS_REAL(pthread_mutex_timedlock)(mutex, until);
}

int gos__plain_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    return GOS_REAL(pthread_mutex_clocklock)(mutex, clock, until);
}

int gos__plain_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int result = GOS_REAL(pthread_mutex_unlock)(mutex);
    wake(mutex, 0);
    return result;
}

/* ---- condition variables ---- */

typedef struct cond_wait {
    gos__lot_wait wait;
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
} cond_wait;

/* Also when the thread is cancelled; a wake-up that came to it goes on to the next. */
static void end_wait(void *arg)
{
    cond_wait *it = arg;
    if (gos__lot_leave_c(&it->wait))
        wake(it->cond, 0);
    GOS_REAL(pthread_mutex_lock)(it->mutex);
}

/* In the C library's own wait the mutex would be let go of where no task hears of it: not while there are any. */
static bool waits_here(const pthread_cond_t *cond, const pthread_mutex_t *mutex)
{
    return gos__load_acquire(&gos__rt) && !gos__self.in_runtime && !gos__cond_is_foreign(cond) &&
           !gos__mutex_is_foreign(mutex->__data.__kind);
}

static int wait_here(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    if (until && (until->tv_nsec < 0 || until->tv_nsec >= 1000000000))
        return EINVAL;
    cond_wait it = { .cond = cond, .mutex = mutex };
    gos__lot_enlist_c(&it.wait, cond, 0, GOS_WAIT_COND);
    int result = gos__plain_pthread_mutex_unlock(mutex);
    if (result) {
        if (gos__lot_leave_c(&it.wait))
            wake(cond, 0);
        return result;
    }
    pthread_cleanup_push(end_wait, &it);
    result = gos__futex_wait_until(&it.wait.futex, 0, clock, until) ? 0 : ETIMEDOUT;
    pthread_cleanup_pop(0);
    bool was_woken = gos__lot_leave_c(&it.wait);
    int locked = GOS_REAL(pthread_mutex_lock)(mutex);
    return locked ? locked : was_woken ? 0 : result;
}

int gos__plain_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return waits_here(cond, mutex) ? wait_here(cond, mutex, CLOCK_MONOTONIC, NULL)
                                   : GOS_REAL(pthread_cond_wait)(cond, mutex);
}

int gos__plain_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return waits_here(cond, mutex) ? wait_here(cond, mutex, gos__cond_clock(cond), until)
                                   : GOS_REAL(pthread_cond_timedwait)(cond, mutex, until);
}

int gos__plain_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                      const struct timespec *until)
{
    bool here = (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && waits_here(cond, mutex);
    return here ? wait_here(cond, mutex, clock, until) : GOS_REAL(pthread_cond_clockwait)(cond, mutex, clock, until);
}

int gos__plain_pthread_cond_signal(pthread_cond_t *cond)
{
    wake(cond, 0);
    return GOS_REAL(pthread_cond_signal)(cond);
}

int gos__plain_pthread_cond_broadcast(pthread_cond_t *cond)
{
    wake(cond, 1);
    return GOS_REAL(pthread_cond_broadcast)(cond);
}

/* ---- rwlocks ---- */

int gos__plain_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return GOS_REAL(pthread_rwlock_rdlock)(lock);
}

int gos__plain_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return GOS_REAL(pthread_rwlock_timedrdlock)(lock, until);
}

int gos__plain_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    return GOS_REAL(pthread_rwlock_clockrdlock)(lock, clock, until);
}

int gos__plain_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return GOS_REAL(pthread_rwlock_wrlock)(lock);
}

int gos__plain_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    return GOS_REAL(pthread_rwlock_trywrlock)(lock);
}

int gos__plain_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return GOS_REAL(pthread_rwlock_timedwrlock)(lock, until);
}

int gos__plain_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    return GOS_REAL(pthread_rwlock_clockwrlock)(lock, clock, until);
}

int gos__plain_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    int result = GOS_REAL(pthread_rwlock_unlock)(lock);
    if (!wake(lock, 0))
        wake(gos__lot_second_key(lock), 0); /* io/lock.c: who waits to write */
    return result;
}

/* ---- semaphores, threads, files ---- */

int gos__plain_sem_wait(sem_t *sem)
{
    return GOS_REAL(sem_wait)(sem);
}

int gos__plain_sem_timedwait(sem_t *sem, const struct timespec *until)
{
    return GOS_REAL(sem_timedwait)(sem, until);
}

int gos__plain_sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    return GOS_REAL(sem_clockwait)(sem, clock, until);
}

int gos__plain_sem_post(sem_t *sem)
{
    int result = GOS_REAL(sem_post)(sem);
    wake(sem, 0);
    return result;
}

int gos__plain_pthread_join(pthread_t thread, void **value)
{
    return GOS_REAL(pthread_join)(thread, value);
}

int gos__plain_pthread_barrier_wait(pthread_barrier_t *barrier)
{
    return GOS_REAL(pthread_barrier_wait)(barrier);
}

int gos__plain_fclose(FILE *file)
{
    int fd = gos__self.in_runtime ? -1 : fileno(file);
    int waits = fd < 0 ? 0 : gos__fd_closing_c(fd);
    int result = GOS_REAL(fclose)(file);
    if (waits > 0)
        gos__fd_closed_c(fd);
    return result;
}

pid_t gos__plain_vfork(void)
{
    return GOS_REAL(fork)();
}
