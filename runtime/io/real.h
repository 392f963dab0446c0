/*
 * real.h: the C library's own functions of names that this folder defines anew. A shared library's calls come to our
 * definitions; the originals are found by dlvsym in a dynamic program, and under an internal name in a static one.
 *
 * From a task: gos__real_NAME (arch/real_x86_64.S). From elsewhere: GOS_REAL(NAME), which may be the first call of all,
 * before any constructor of the program.
 */
#ifndef GOS_IO_REAL_H
#define GOS_IO_REAL_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

/* CALL(type, name, parameters, internal name, version): the version where an older one would be found first. */
#define GOS_REAL_CALLS(CALL)                                                                                           \
    CALL(int, pthread_mutex_lock, (pthread_mutex_t *), ___pthread_mutex_lock, "")                                      \
    CALL(int, pthread_mutex_trylock, (pthread_mutex_t *), ___pthread_mutex_trylock, "")                                \
    CALL(int, pthread_mutex_timedlock, (pthread_mutex_t *, const struct timespec *), ___pthread_mutex_timedlock, "")   \
    CALL(int, pthread_mutex_clocklock, (pthread_mutex_t *, clockid_t, const struct timespec *),                        \
         ___pthread_mutex_clocklock, "")                                                                               \
    CALL(int, pthread_mutex_unlock, (pthread_mutex_t *), ___pthread_mutex_unlock, "")                                  \
    CALL(int, pthread_cond_wait, (pthread_cond_t *, pthread_mutex_t *), ___pthread_cond_wait, "GLIBC_2.3.2")           \
    CALL(int, pthread_cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *),                  \
         ___pthread_cond_timedwait, "GLIBC_2.3.2")                                                                     \
    CALL(int, pthread_cond_clockwait, (pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *),       \
         ___pthread_cond_clockwait, "")                                                                                \
    CALL(int, pthread_cond_signal, (pthread_cond_t *), ___pthread_cond_signal, "GLIBC_2.3.2")                          \
    CALL(int, pthread_cond_broadcast, (pthread_cond_t *), ___pthread_cond_broadcast, "GLIBC_2.3.2")                    \
    CALL(int, pthread_rwlock_rdlock, (pthread_rwlock_t *), ___pthread_rwlock_rdlock, "")                               \
    CALL(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *), ___pthread_rwlock_tryrdlock, "")                         \
    CALL(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *, const struct timespec *),                               \
         ___pthread_rwlock_timedrdlock, "")                                                                            \
    CALL(int, pthread_rwlock_clockrdlock, (pthread_rwlock_t *, clockid_t, const struct timespec *),                    \
         ___pthread_rwlock_clockrdlock, "")                                                                            \
    CALL(int, pthread_rwlock_wrlock, (pthread_rwlock_t *), ___pthread_rwlock_wrlock, "")                               \
    CALL(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *), ___pthread_rwlock_trywrlock, "")                         \
    CALL(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *, const struct timespec *),                               \
         ___pthread_rwlock_timedwrlock, "")                                                                            \
    CALL(int, pthread_rwlock_clockwrlock, (pthread_rwlock_t *, clockid_t, const struct timespec *),                    \
         ___pthread_rwlock_clockwrlock, "")                                                                            \
    CALL(int, pthread_rwlock_unlock, (pthread_rwlock_t *), ___pthread_rwlock_unlock, "")                               \
    CALL(int, sem_wait, (sem_t *), __new_sem_wait, "")                                                                 \
    CALL(int, sem_trywait, (sem_t *), __new_sem_trywait, "")                                                           \
    CALL(int, sem_timedwait, (sem_t *, const struct timespec *), ___sem_timedwait, "")                                 \
    CALL(int, sem_clockwait, (sem_t *, clockid_t, const struct timespec *), ___sem_clockwait, "")                      \
    CALL(int, sem_post, (sem_t *), __new_sem_post, "")                                                                 \
    CALL(int, pthread_join, (pthread_t, void **), ___pthread_join, "")                                                 \
    CALL(int, pthread_tryjoin_np, (pthread_t, void **), __pthread_tryjoin_np, "")                                      \
    CALL(int, pthread_barrier_wait, (pthread_barrier_t *), ___pthread_barrier_wait, "")                                \
    CALL(int, fclose, (FILE *), __new_fclose, "")                                                                      \
    CALL(pid_t, fork, (void), __fork, "")                                                                              \
    CALL(int, pthread_sigmask, (int, const sigset_t *, sigset_t *), __pthread_sigmask, "")                             \
    CALL(int, sigaction, (int, const struct sigaction *, struct sigaction *), __sigaction, "")

#define GOS_REAL_DECLARE(type, name, parameters, internal, version)                                                    \
    type gos__real_##name parameters;                                                                                  \
    extern type(*gos__real_at_##name) parameters;
GOS_REAL_CALLS(GOS_REAL_DECLARE)

void gos__real_find(void);

#define GOS_REAL(name) (gos__real_at_##name ? gos__real_at_##name : (gos__real_find(), gos__real_at_##name))

#endif
