/*
 * The C library's own functions of the names that runtime/io defines anew (io/real.c finds them), for tasks:
 * gos__real_NAME(...) jumps there.
 */
#include "arch/asm.h"

.macro REAL name
    .data
    .p2align 3
    .globl gos__real_at_\name
    .hidden gos__real_at_\name
gos__real_at_\name:
    .quad 0
FUNC(gos__real_\name)
    adrp x16, gos__real_at_\name
    ldr x16, [x16, #:lo12:gos__real_at_\name]
    br x16
END(gos__real_\name)
.endm

REAL pthread_mutex_lock
REAL pthread_mutex_trylock
REAL pthread_mutex_timedlock
REAL pthread_mutex_clocklock
REAL pthread_mutex_unlock
REAL pthread_cond_wait
REAL pthread_cond_timedwait
REAL pthread_cond_clockwait
REAL pthread_cond_signal
REAL pthread_cond_broadcast
REAL pthread_rwlock_rdlock
REAL pthread_rwlock_tryrdlock
REAL pthread_rwlock_timedrdlock
REAL pthread_rwlock_clockrdlock
REAL pthread_rwlock_wrlock
REAL pthread_rwlock_trywrlock
REAL pthread_rwlock_timedwrlock
REAL pthread_rwlock_clockwrlock
REAL pthread_rwlock_unlock
REAL sem_wait
REAL sem_trywait
REAL sem_timedwait
REAL sem_clockwait
REAL sem_post
REAL pthread_join
REAL pthread_tryjoin_np
REAL pthread_barrier_wait
REAL fclose
REAL fork
REAL pthread_sigmask
REAL sigaction

NO_EXECUTABLE_STACK
