/*
 * lock.h: the C library's locks, held and waited for by tasks.
 *
 * Each is tried by the C library's own function; a task that does not get it parks in the lot (sched/lot.h) until
 * somebody lets go of it, so that tens of thousands may wait without a thread each. Who lets go of one therefore has to
 * come by here: all threads of the program do. A condition variable's wait lets go of a mutex inside the C library, so
 * while tasks run no thread uses that, but waits here as well, on a futex.
 *
 * Shared between processes, robust or with priorities: others let go of it, or the kernel does; the thread waits, and
 * its worker goes to another one at once.
 *
 * Recursive and error-checking mutexes, and a write-locked rwlock, know their owner by the thread's number: the task is
 * pinned to its thread while it holds one, since another task there would be taken for the owner.
 */
#ifndef GOS_IO_LOCK_H
#define GOS_IO_LOCK_H

#include <stdbool.h>

#include "base/atomics.h"
#include "include/gossamer.h"
#include "io/real.h"

/* glibc's own words, part of its binary interface through the static initialisers. */
enum { KIND_RECURSIVE = 1, KIND_ERRORCHECK = 2, KIND_BASE = 3, KIND_ROBUST = 16, KIND_INHERIT = 32, KIND_PROTECT = 64,
       KIND_SHARED = 128, COND_SHARED = 1, COND_MONOTONIC = 2, SEM_SHARED_WORD = 2 };

static inline bool gos__mutex_knows_owner(int kind)
{
    int is_base = ((kind & KIND_BASE) + 1) & 2; /* KIND_RECURSIVE, KIND_ERRORCHECK */
    return is_base | (kind & (KIND_ROBUST | KIND_INHERIT | KIND_PROTECT));
}

/* Not only this program's interposed calls let go of it. */
static inline bool gos__mutex_is_foreign(int kind)
{
    return kind & (KIND_ROBUST | KIND_INHERIT | KIND_PROTECT | KIND_SHARED);
}

static inline bool gos__sem_is_foreign(const sem_t *sem)
{
    return ((const unsigned *)(const void *)sem)[SEM_SHARED_WORD] != 0; /* after the 64-bit value */
}

static inline bool gos__cond_is_foreign(const pthread_cond_t *cond)
{
    return cond->__data.__wrefs & COND_SHARED;
}

static inline clockid_t gos__cond_clock(const pthread_cond_t *cond)
{
    return cond->__data.__wrefs & COND_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

/* After the C library has let go of it: 0. */
int gos__io_mutex_let_go(pthread_mutex_t *mutex, int knows_owner);

typedef void gos__handler(int);

#define GOS_LOCK_CALLS(CALL)                                                                                           \
    CALL(int, pthread_mutex_lock, (pthread_mutex_t *mutex))                                                            \
    CALL(int, pthread_mutex_trylock, (pthread_mutex_t *mutex))                                                         \
    CALL(int, pthread_mutex_timedlock, (pthread_mutex_t *mutex, const struct timespec *until))                         \
    CALL(int, pthread_mutex_clocklock, (pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until))        \
    CALL(int, pthread_mutex_unlock, (pthread_mutex_t *mutex))                                                          \
    CALL(int, pthread_cond_wait, (pthread_cond_t *cond, pthread_mutex_t *mutex))                                       \
    CALL(int, pthread_cond_timedwait, (pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until))    \
    CALL(int, pthread_cond_clockwait, (pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,                  \
                                       const struct timespec *until))                                                  \
    CALL(int, pthread_cond_signal, (pthread_cond_t *cond))                                                             \
    CALL(int, pthread_cond_broadcast, (pthread_cond_t *cond))                                                          \
    CALL(int, pthread_rwlock_rdlock, (pthread_rwlock_t *lock))                                                         \
    CALL(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *lock, const struct timespec *until))                      \
    CALL(int, pthread_rwlock_clockrdlock, (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until))     \
    CALL(int, pthread_rwlock_wrlock, (pthread_rwlock_t *lock))                                                         \
    CALL(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *lock))                                                      \
    CALL(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *lock, const struct timespec *until))                      \
    CALL(int, pthread_rwlock_clockwrlock, (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *until))     \
    CALL(int, pthread_rwlock_unlock, (pthread_rwlock_t *lock))                                                         \
    CALL(int, sem_wait, (sem_t *sem))                                                                                  \
    CALL(int, sem_timedwait, (sem_t *sem, const struct timespec *until))                                               \
    CALL(int, sem_clockwait, (sem_t *sem, clockid_t clock, const struct timespec *until))                              \
    CALL(int, sem_post, (sem_t *sem))                                                                                  \
    CALL(int, pthread_join, (pthread_t thread, void **result))                                                         \
    CALL(int, pthread_barrier_wait, (pthread_barrier_t *barrier))                                                      \
    CALL(int, fclose, (FILE *file))                                                                                    \
    CALL(pid_t, vfork, (void))                                                                                         \
    CALL(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old))                                          \
    CALL(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old))                                              \
    CALL(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old))                          \
    CALL(gos__handler *, signal, (int number, gos__handler *handler))

#define GOS_LOCK_DECLARE(type, name, parameters)                                                                       \
    type gos__io_##name parameters;                                                                                    \
    type gos__plain_##name parameters;
GOS_LOCK_CALLS(GOS_LOCK_DECLARE)

/* An action that is being changed: what is given to the kernel in its place, and what stood there. */
typedef void gos__action_handler(int, siginfo_t *, void *);
typedef struct gos__handler_change {
    struct sigaction action;
    gos__action_handler *former;
    int former_flags;
    bool wraps;
} gos__handler_change;

/* By number, 1: siginterrupt was called for it, so that later handlers have no SA_RESTART. */
extern uint8_t gos__unrestarted[_NSIG];

/* What `signal` installs a handler with. */
static inline int gos__signal_flags(int number)
{
    return number > 0 && number < _NSIG && gos__load_relaxed(&gos__unrestarted[number]) ? 0 : SA_RESTART;
}

/* Behind gos_signal_notify (plain_notify.c). */
int gos__signal_notify(gos_chan *chan, int number);

/* Before and after the C library's sigaction, which gives *found (plain_signal.c). */
const struct sigaction *gos__handler_wrap(gos__handler_change *change, int number, const struct sigaction *action);
void gos__nudge_action(struct sigaction *action); /* for where the program has none: sched/interrupt.h */
void gos__handler_done(const gos__handler_change *change, int number, int result, const struct sigaction *found,
                       struct sigaction *old);

#endif
