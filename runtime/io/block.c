/*
 * block.c: calls that block their thread, since nothing that they wait for can be polled. Each is tried first in a way
 * that does not block, where there is one; then the worker goes to another thread at once (gos_block_begin), not only
 * when the monitor notices.
 */
#define _GNU_SOURCE 1 /* F_OFD_SETLKW */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/io.h"
#include "io/lock.h"

#define KERNEL_SIGSET (_NSIG / 8)

static GOS_NOINLINE void prepare_nudge(void)
{
    struct sigaction now, nudge;
    if (gos__real_sigaction(GOS_NUDGE, NULL, &now) || now.sa_handler != SIG_DFL)
        return; /* it is there already; or the program's own is, which is looked through; or it is ignored */
    gos__nudge_action(&nudge);
    gos__real_sigaction(GOS_NUDGE, &nudge, NULL);
}

/* Which of them the kernel makes again after a handler with SA_RESTART: signal(7). */
static bool is_restarted(const gos__request *request)
{
    int fd = (int)request->arg[0];
    switch (request->number) {
    case SYS_wait4: case SYS_waitid: case SYS_flock: case SYS_fcntl: case SYS_connect: case SYS_read: case SYS_readv:
        return true;
    case SYS_recvfrom: case SYS_recvmsg: case SYS_recvmmsg:
        return gos__io_time_limit(fd, SO_RCVTIMEO) == INT64_MAX;
    case SYS_sendto: case SYS_sendmsg: case SYS_sendmmsg:
        return gos__io_time_limit(fd, SO_SNDTIMEO) == INT64_MAX;
    default:
        return false;
    }
}

/* The main task's is ended by handlers, on whichever thread the kernel runs them. */
static GOS_NOINLINE long block_main(const gos__request *request)
{
    enum gos__interrupts by = is_restarted(request) ? GOS_BY_UNRESTARTED : GOS_BY_ANY;
    prepare_nudge();
    gos_block_begin();
    gos__nudged former = gos__nudge_from_here(gos__self.tid, by);
    long result = gos__io_make(request);
    gos__nudge_no_more(former);
    gos_block_end();
    return result;
}

GOS_NOINLINE long gos__io_blocking(const gos__request *request)
{
    if (gos__is_main(gos__self.task))
        return block_main(request);
    gos_block_begin();
    long result = gos__io_make(request);
    gos_block_end();
    return result;
}

/* One attempt with `flag` added to the argument at `at`; when that gives `busy`, or EAGAIN, the blocking call. */
static GOS_NOINLINE long try_first(gos__request *request, int at, long flag, long busy)
{
    long asked = request->arg[at];
    if (asked & flag)
        return gos__io_make(request);
    request->arg[at] |= flag;
    long result = gos__io_make(request);
    if (result != -EAGAIN && result != busy)
        return result;
    request->arg[at] = asked;
    return gos__io_blocking(request);
}

/* ---- connect ---- */

static bool is_near(const struct sockaddr *to, socklen_t length)
{
    if (length < sizeof to->sa_family)
        return true;
    if (to->sa_family == AF_INET && length >= sizeof(struct sockaddr_in))
        return (ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr) >> 24) == 127;
    if (to->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        const uint8_t *address = ((const struct sockaddr_in6 *)(const void *)to)->sin6_addr.s6_addr;
        int sum = 0;
        for (int i = 0; i < 15; i++)
            sum |= address[i];
        return !sum && address[15] == 1;
    }
    return true;
}

/* A socket that connects without waiting: no stream, or O_NONBLOCK. */
static bool is_prompt(int fd)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;
    GOS_SYS(getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size);
    return type == SOCK_DGRAM || GOS_SYS(fcntl, fd, F_GETFL) & O_NONBLOCK;
}

/*
 * There is no connect that does not wait but with O_NONBLOCK, which belongs to the description and is not ours to set.
 * On this machine it is done when the call returns, unless the listener's queue is full: then the monitor notices.
 */
int gos__io_connect(int fd, const struct sockaddr *to, socklen_t length)
{
    gos__request request = { .number = SYS_connect, .arg = { fd, (long)to, (long)length } };
    if (is_near(to, length) || is_prompt(fd))
        return (int)gos__io_result(gos__io_make(&request));
    return (int)gos__io_result(gos__io_blocking(&request));
}

/* ---- file locks ---- */

int gos__io_flock(int fd, int operation)
{
    gos__request request = { .number = SYS_flock, .arg = { fd, operation } };
    return (int)gos__io_result(try_first(&request, 1, LOCK_NB, -EWOULDBLOCK));
}

static GOS_NOINLINE long wait_for_lock(int fd, int command, long arg)
{
    gos__request request = { .number = SYS_fcntl, .arg = { fd, command == F_SETLKW ? F_SETLK : F_OFD_SETLK, arg } };
    long result = gos__io_make(&request);
    if (result != -EAGAIN && result != -EACCES)
        return result;
    request.arg[1] = command;
    return gos__io_blocking(&request);
}

long gos__io_fcntl_now(int fd, int command, long arg)
{
    if (command != F_GETOWN)
        return GOS_SYS(fcntl, fd, command, arg);
    struct f_owner_ex owner; /* a group is a negative number, which could be taken for an error */
    long result = GOS_SYS(fcntl, fd, F_GETOWN_EX, &owner);
    return result ? result : owner.type == F_OWNER_PGRP ? -(long)owner.pid : owner.pid;
}

int gos__io_fcntl(int fd, int command, long arg)
{
    bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
    long result = waits ? wait_for_lock(fd, command, arg) : gos__io_fcntl_now(fd, command, arg);
    if (command == F_SETFL)
        gos__io_changed(fd);
    else if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
        gos__io_duplicated((int)result);
    return command == F_GETOWN && result < -1 ? (int)result : (int)gos__io_result(result);
}

long gos__io_lockf_by(long (*wait_for_lock)(int, int, long), int fd, int command, off_t size)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_len = size };
    long result;
    switch (command) {
    case F_ULOCK:
        lock.l_type = F_UNLCK;
        return GOS_SYS(fcntl, fd, F_SETLK, &lock);
    case F_LOCK:
        return wait_for_lock(fd, F_SETLKW, (long)&lock);
    case F_TLOCK:
        return GOS_SYS(fcntl, fd, F_SETLK, &lock);
    case F_TEST:
        result = GOS_SYS(fcntl, fd, F_GETLK, &lock);
        return result || lock.l_type == F_UNLCK || lock.l_pid == GOS_SYS(getpid, 0) ? result : -EACCES;
    default:
        return -EINVAL;
    }
}

int gos__io_lockf(int fd, int command, off_t size)
{
    return (int)gos__io_result(gos__io_lockf_by(wait_for_lock, fd, command, size));
}

/* ---- signals ---- */

static long wait_for_signal(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    static const struct timespec at_once;
    long got = GOS_SYS(rt_sigtimedwait, set, info, &at_once, KERNEL_SIGSET);
    if (got != -EAGAIN || (timeout && !timeout->tv_sec && !timeout->tv_nsec))
        return got;
    gos__request request = {
        .number = SYS_rt_sigtimedwait, .arg = { (long)set, (long)info, (long)timeout, KERNEL_SIGSET }
    };
    return gos__io_blocking(&request);
}

int gos__io_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    return (int)gos__io_result(wait_for_signal(set, info, timeout));
}

int gos__io_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    return (int)gos__io_result(wait_for_signal(set, info, NULL));
}

int gos__io_sigwait(const sigset_t *set, int *number)
{
    long got;
    do
        got = wait_for_signal(set, NULL, NULL);
    while (got == -EINTR); /* sigwait is never interrupted */
    if (got < 0)
        return (int)-got;
    *number = (int)got;
    return 0;
}

/* Of the main task: any handler will do, on whichever thread. -EINTR; 1: it cannot park here. */
static long pause_main(const gos__io_signals *signals)
{
    long result;
    do
        result = gos__io_park_on(NULL, 0, INT64_MAX, signals);
    while (!result);
    return result;
}

int gos__io_pause(void)
{
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY);
    if (signals.interrupts && pause_main(&signals) == -EINTR)
        return (int)gos__io_fail(EINTR);
    gos__request request = { .number = SYS_pause };
    return (int)gos__io_result(gos__io_blocking(&request));
}

/* The main task keeps the thread that has the mask while it is parked, and a handler that runs there, or elsewhere,
 * ends its wait. */
int gos__io_sigsuspend(const sigset_t *mask)
{
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY); /* before the mask lets any in */
    sigset_t former;
    if (signals.interrupts && !gos__io_pthread_sigmask(SIG_SETMASK, mask, &former)) {
        long result = pause_main(&signals);
        gos__io_pthread_sigmask(SIG_SETMASK, &former, NULL);
        if (result == -EINTR)
            return (int)gos__io_fail(EINTR);
    }
    gos__request request = { .number = SYS_rt_sigsuspend, .arg = { (long)mask, KERNEL_SIGSET } };
    return (int)gos__io_result(gos__io_blocking(&request));
}

/* ---- System V messages and semaphores ---- */

int gos__io_msgsnd(int queue, const void *message, size_t size, int flags)
{
    gos__request request = { .number = SYS_msgsnd, .arg = { queue, (long)message, (long)size, flags } };
    return (int)gos__io_result(try_first(&request, 3, IPC_NOWAIT, -EAGAIN));
}

ssize_t gos__io_msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    gos__request request = { .number = SYS_msgrcv, .arg = { queue, (long)message, (long)size, type, flags } };
    return gos__io_result(try_first(&request, 4, IPC_NOWAIT, -ENOMSG));
}

int gos__io_semtimedop(int set, struct sembuf *operations, size_t n, const struct timespec *timeout)
{
    static const struct timespec at_once;
    gos__request request = { .number = SYS_semtimedop, .arg = { set, (long)operations, (long)n, (long)&at_once } };
    long result = gos__io_make(&request); /* EAGAIN: IPC_NOWAIT, or the time is over, which a second call repeats */
    if (result == -EAGAIN) {
        request.arg[3] = (long)timeout;
        result = gos__io_blocking(&request);
    }
    return (int)gos__io_result(result);
}

int gos__io_semop(int set, struct sembuf *operations, size_t n)
{
    return gos__io_semtimedop(set, operations, n, NULL);
}
