/*
 * The POSIX calls that park a task instead of its thread. Each is defined here, for the program and for the shared
 * libraries it uses, and goes on
 *   from a task, outside the runtime    to gos__io_NAME (runtime/io), checked code that stays on the task's stack,
 *   from other threads and the runtime  to gos__plain_NAME (runtime/io/plain.c), the system call and nothing else.
 */
#include "arch/asm.h"
#include "arch/state.h"

.macro POSIX symbol, name
EXPORT(\symbol)
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    je gos__plain_\name
    cmpl $0, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    jne gos__plain_\name
    jmp gos__io_\name
END(\symbol)
.endm

    .section .rodata
    .globl gos__posix
    .hidden gos__posix
gos__posix:
    .byte 0

POSIX read, read
POSIX write, write
POSIX readv, readv
POSIX writev, writev
POSIX close, close
POSIX dup, dup
POSIX dup2, dup2
POSIX dup3, dup3
POSIX setsockopt, setsockopt
POSIX ioctl, ioctl
POSIX close_range, close_range
POSIX closefrom, closefrom
POSIX recv, recv
POSIX recvfrom, recvfrom
POSIX recvmsg, recvmsg
POSIX recvmmsg, recvmmsg
POSIX send, send
POSIX sendto, sendto
POSIX sendmsg, sendmsg
POSIX sendmmsg, sendmmsg
POSIX accept, accept
POSIX accept4, accept4
POSIX connect, connect
POSIX poll, poll
POSIX ppoll, ppoll
POSIX select, select
POSIX pselect, pselect
POSIX epoll_wait, epoll_wait
POSIX epoll_pwait, epoll_pwait
POSIX epoll_pwait2, epoll_pwait2
POSIX wait, wait
POSIX wait3, wait3
POSIX wait4, wait4
POSIX waitpid, waitpid
POSIX waitid, waitid
POSIX sigwait, sigwait
POSIX sigwaitinfo, sigwaitinfo
POSIX sigtimedwait, sigtimedwait
POSIX pause, pause
POSIX sigsuspend, sigsuspend
POSIX flock, flock
POSIX lockf, lockf
POSIX lockf64, lockf
POSIX fcntl, fcntl
POSIX fcntl64, fcntl
POSIX msgsnd, msgsnd
POSIX msgrcv, msgrcv
POSIX semop, semop
POSIX semtimedop, semtimedop
POSIX nanosleep, nanosleep
POSIX clock_nanosleep, clock_nanosleep
POSIX usleep, usleep
POSIX sleep, sleep

/* The C library's locks. */
POSIX pthread_mutex_lock, pthread_mutex_lock
POSIX pthread_mutex_trylock, pthread_mutex_trylock
POSIX pthread_mutex_timedlock, pthread_mutex_timedlock
POSIX pthread_mutex_clocklock, pthread_mutex_clocklock
POSIX pthread_mutex_unlock, pthread_mutex_unlock
POSIX pthread_cond_wait, pthread_cond_wait
POSIX pthread_cond_timedwait, pthread_cond_timedwait
POSIX pthread_cond_clockwait, pthread_cond_clockwait
POSIX pthread_cond_signal, pthread_cond_signal
POSIX pthread_cond_broadcast, pthread_cond_broadcast
POSIX pthread_rwlock_rdlock, pthread_rwlock_rdlock
POSIX pthread_rwlock_timedrdlock, pthread_rwlock_timedrdlock
POSIX pthread_rwlock_clockrdlock, pthread_rwlock_clockrdlock
POSIX pthread_rwlock_wrlock, pthread_rwlock_wrlock
POSIX pthread_rwlock_trywrlock, pthread_rwlock_trywrlock
POSIX pthread_rwlock_timedwrlock, pthread_rwlock_timedwrlock
POSIX pthread_rwlock_clockwrlock, pthread_rwlock_clockwrlock
POSIX pthread_rwlock_unlock, pthread_rwlock_unlock
POSIX sem_wait, sem_wait
POSIX sem_timedwait, sem_timedwait
POSIX sem_clockwait, sem_clockwait
POSIX sem_post, sem_post
POSIX pthread_join, pthread_join
POSIX pthread_barrier_wait, pthread_barrier_wait
POSIX fclose, fclose
POSIX vfork, vfork
POSIX pthread_sigmask, pthread_sigmask
POSIX sigprocmask, sigprocmask
POSIX sigaction, sigaction
POSIX signal, signal

/* What the above become with _FORTIFY_SOURCE. */
POSIX __read_chk, read_chk
POSIX __recv_chk, recv_chk
POSIX __recvfrom_chk, recvfrom_chk
POSIX __poll_chk, poll_chk
POSIX __ppoll_chk, ppoll_chk

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
