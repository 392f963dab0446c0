/* syscall_aarch64.c: old system calls by what has taken their place: arch/syscall.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "arch/syscall.h"

#define KERNEL_SIGSET (_NSIG / 8)

static long select_by_pselect(long n, long in, long out, long special, struct timeval *timeout)
{
    struct timespec left = { .tv_sec = 0 };
    if (timeout) { /* which may hold more than a second of microseconds */
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
            return -EINVAL;
        left.tv_nsec = timeout->tv_usec % 1000000 * 1000;
        if (__builtin_add_overflow(timeout->tv_sec, timeout->tv_usec / 1000000, &left.tv_sec))
            left.tv_sec = timeout->tv_sec;
    }
    long result = gos__bare_syscall(SYS_pselect6, n, in, out, special, timeout ? (long)&left : 0, 0);
    if (timeout) {
        timeout->tv_sec = left.tv_sec;
        timeout->tv_usec = left.tv_nsec / 1000;
    }
    return result;
}

static long poll_by_ppoll(long fds, long n, int ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };
    return gos__bare_syscall(SYS_ppoll, fds, n, ms < 0 ? 0 : (long)&left, 0, KERNEL_SIGSET, 0);
}

long gos__newer_syscall(long number, long a, long b, long c, long d, long e)
{
    switch (number) {
    case SYS_poll:
        return poll_by_ppoll(a, b, (int)c);
    case SYS_select:
        return select_by_pselect(a, b, c, d, (struct timeval *)e);
    case SYS_epoll_wait:
        return gos__bare_syscall(SYS_epoll_pwait, a, b, c, d, 0, KERNEL_SIGSET);
    case SYS_pause:
        return gos__bare_syscall(SYS_ppoll, 0, 0, 0, 0, KERNEL_SIGSET, 0);
    case SYS_dup2: {
        if (a != b)
            return gos__bare_syscall(SYS_dup3, a, b, 0, 0, 0, 0);
        long failed = gos__bare_syscall(SYS_fcntl, a, F_GETFD, 0, 0, 0, 0);
        return failed < 0 ? failed : b;
    }
    }
    return -ENOSYS;
}
