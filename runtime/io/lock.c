/* lock.c: mutexes and rwlocks of the C library, by tasks. Rules: lock.h. */
#define _GNU_SOURCE 1 /* pthread_mutex_clocklock */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/lock.h"
#include "io/wait.h"
#include "sched/pin.h"

enum { SPINS = 20 };

/* ---- waiting in the lot ---- */

int64_t gos__io_deadline_on(clockid_t clock, const struct timespec *until)
{
    if (until->tv_nsec < 0 || until->tv_nsec >= 1000000000 || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return -EINVAL;
    struct timespec now = { .tv_sec = 0 };
    GOS_SYS(clock_gettime, clock, &now);
    if (until->tv_sec < now.tv_sec)
        return 1;
    int64_t deadline = gos__io_deadline(until->tv_sec - now.tv_sec, until->tv_nsec - now.tv_nsec);
    return deadline > 0 ? deadline : 1;
}

GOS_NOINLINE int gos__io_lot_wait(const void *key, int why, int64_t deadline, int (*try)(void *), void *object,
                                  const gos__io_signals *signals)
{
    gos__lot_wait wait;
    for (int again = 0;; again = 1) {
        gos__lot_enlist(&wait, key, again, why);
        int result = try(object);
        if (result != EBUSY) {
            if (gos__lot_leave(&wait) && gos__lot_any())
                gos__lot_wake_from(key, 0);
            return result;
        }
        wait.wait.deadline = deadline;
        if (signals && signals->interrupts) {
            wait.wait.interrupts = signals->interrupts;
            wait.wait.seen = signals->unrestarted;
        }
        int parked = gos__fd_park(&wait.wait);
        if (wait.wait.interrupts)
            gos__fd_done(&wait.wait);
        if (gos__lot_leave(&wait) && parked < 0 && gos__lot_any()) /* woken while something else ended its wait */
            gos__lot_wake_from(key, 0);
        if (parked == -ETIMEDOUT || parked == -EINTR)
            return -parked;
        if (parked)
            return -1;
        result = try(object);
        if (result != EBUSY)
            return result;
    }
}

/* ---- who knows its owner ---- */

/* A lock that knows its owner was asked for. */
static GOS_ALWAYS_INLINE int own_if(int result)
{
    if (gos__likely(!result) || result == EOWNERDEAD)
        gos__own();
    return result;
}

static GOS_NOINLINE void own_none(void)
{
    gos__own_none();
}

/* And was let go of. */
static GOS_ALWAYS_INLINE void disown(void)
{
    if (gos__unlikely(gos__disown()))
        own_none();
}

/* ---- mutexes; what is short of lock and unlock: arch/posix_x86_64.S ---- */

_Static_assert(offsetof(pthread_mutex_t, __data.__kind) == GOS_PTHREAD_KIND, "mutex: kind");
_Static_assert(GOS_PTHREAD_SPECIAL == (KIND_ROBUST | KIND_INHERIT | KIND_PROTECT), "mutex: what is special");
_Static_assert(GOS_EBUSY == EBUSY, "errno");

/* Who knows its owner never changes, and who has just got one may look at it. */
static GOS_ALWAYS_INLINE int try_mutex(pthread_mutex_t *mutex)
{
    int result = gos__real_pthread_mutex_trylock(mutex);
    return gos__mutex_knows_owner(mutex->__data.__kind) ? own_if(result) : result;
}

static int try_mutex_again(void *mutex)
{
    return try_mutex(mutex);
}

/* The C library's own wait; clock -1: without a limit. */
static GOS_NOINLINE int block_on_mutex(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    bool knows_owner = gos__mutex_knows_owner(mutex->__data.__kind);
    gos_block_begin();
    int result = clock == -1 ? gos__real_pthread_mutex_lock(mutex)
                             : gos__real_pthread_mutex_clocklock(mutex, clock, until);
    if (knows_owner)
        own_if(result);
    gos_block_end();
    return result;
}

static GOS_NOINLINE int wait_for_mutex(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    int kind = mutex->__data.__kind;
    int64_t deadline = clock == -1 ? INT64_MAX : gos__io_deadline_on(clock, until);
    if (deadline < 0)
        return EINVAL;
    /* Its own already (then it is pinned): the C library knows what to say. */
    bool knows_owner = gos__mutex_knows_owner(kind);
    bool is_own = knows_owner && mutex->__data.__owner == gos__self.tid;
    if (is_own || gos__mutex_is_foreign(kind))
        return block_on_mutex(mutex, clock, until);
    for (int i = 0; i < SPINS && !knows_owner; i++) {
        gos__cpu_relax();
        if (!gos__load_relaxed(&mutex->__data.__lock) && !gos__real_pthread_mutex_trylock(mutex))
            return 0;
    }
    int result = gos__io_lot_wait(mutex, GOS_WAIT_MUTEX, deadline, try_mutex_again, mutex, NULL);
    return result == -1 ? block_on_mutex(mutex, clock, until) : result;
}

static inline int lock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    int result = try_mutex(mutex);
    return gos__likely(result != EBUSY) ? result : wait_for_mutex(mutex, clock, until);
}

int gos__io_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return lock(mutex, -1, NULL);
}

int gos__io_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    return try_mutex(mutex);
}

int gos__io_pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return lock(mutex, CLOCK_REALTIME, until);
}

int gos__io_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until)
{
    return lock(mutex, clock, until);
}

/* Nothing of the mutex is touched after it is free: it may be gone. */
int gos__io_mutex_let_go(pthread_mutex_t *mutex, int knows_owner)
{
    if (gos__lot_any())
        gos__lot_wake_from(mutex, 0);
    if (knows_owner)
        disown();
    return 0;
}

int gos__io_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int knows_owner = gos__mutex_knows_owner(mutex->__data.__kind);
    int result = gos__real_pthread_mutex_unlock(mutex);
    return result ? result : gos__io_mutex_let_go(mutex, knows_owner);
}

/* ---- rwlocks ---- */

/*
 * Who waits to read is enlisted apart from who waits to write (gos__lot_second_key): a wake-up that comes to a writer
 * is of no use while readers are in, and other readers could come in then. A release wakes a reader, or a writer where
 * there is none; a reader that got in wakes the next one. So either all who wait to read come in, or a writer is in,
 * whose release wakes one again; and the release of the last reader wakes a writer.
 */
static int try_read(void *lock)
{
    return gos__real_pthread_rwlock_tryrdlock(lock);
}

static int try_write(void *lock)
{
    return own_if(gos__real_pthread_rwlock_trywrlock(lock));
}

static GOS_NOINLINE int block_to_read(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    gos_block_begin();
    int result = clock == -1 ? gos__real_pthread_rwlock_rdlock(lock)
                             : gos__real_pthread_rwlock_clockrdlock(lock, clock, until);
    gos_block_end();
    return result;
}

static GOS_NOINLINE int block_to_write(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    gos_block_begin();
    int result = own_if(clock == -1 ? gos__real_pthread_rwlock_wrlock(lock)
                                    : gos__real_pthread_rwlock_clockwrlock(lock, clock, until));
    gos_block_end();
    return result;
}

static GOS_NOINLINE int wait_to_read(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    int64_t deadline = clock == -1 ? INT64_MAX : gos__io_deadline_on(clock, until);
    if (deadline < 0)
        return EINVAL;
    if (lock->__data.__shared || lock->__data.__cur_writer == gos__self.tid)
        return block_to_read(lock, clock, until);
    int result = gos__io_lot_wait(lock, GOS_WAIT_RWMUTEX, deadline, try_read, lock, NULL);
    if (result == -1)
        result = block_to_read(lock, clock, until);
    if (!result && gos__lot_any())
        gos__lot_wake_from(lock, 0);
    return result;
}

static inline int read_lock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    int result = gos__real_pthread_rwlock_tryrdlock(lock);
    return gos__likely(result != EBUSY) ? result : wait_to_read(lock, clock, until);
}

static GOS_NOINLINE int wait_to_write(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    int64_t deadline = clock == -1 ? INT64_MAX : gos__io_deadline_on(clock, until);
    if (deadline < 0)
        return EINVAL;
    if (lock->__data.__shared || lock->__data.__cur_writer == gos__self.tid)
        return block_to_write(lock, clock, until);
    const void *key = gos__lot_second_key(lock);
    int result = gos__io_lot_wait(key, GOS_WAIT_RWMUTEX, deadline, try_write, lock, NULL);
    return result == -1 ? block_to_write(lock, clock, until) : result;
}

static int write_lock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    int result = try_write(lock);
    return result != EBUSY ? result : wait_to_write(lock, clock, until);
}

int gos__io_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return read_lock(lock, -1, NULL);
}

int gos__io_pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return read_lock(lock, CLOCK_REALTIME, until);
}

int gos__io_pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    return read_lock(lock, clock, until);
}

int gos__io_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return write_lock(lock, -1, NULL);
}

int gos__io_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    return try_write(lock);
}

int gos__io_pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    return write_lock(lock, CLOCK_REALTIME, until);
}

int gos__io_pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until)
{
    return write_lock(lock, clock, until);
}

int gos__io_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    bool was_writer = lock->__data.__cur_writer == gos__self.tid;
    int result = gos__real_pthread_rwlock_unlock(lock);
    if (gos__lot_any() && !gos__lot_wake_from(lock, 0))
        gos__lot_wake_from(gos__lot_second_key(lock), 0);
    if (was_writer && !result)
        disown();
    return result;
}
