/*
 * plain.c: the same calls from threads that run no task, and from the runtime itself: the system call, which is a
 * cancellation point as in libc. Made here and not by the next definition of the name, since a static program has none
 * that could be reached, and looking one up (dlsym) allocates, which a signal handler's write may not.
 */
#define _GNU_SOURCE 1 /* F_OFD_SETLKW */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"

#define KERNEL_SIGSET (_NSIG / 8)

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    int type;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    long result = gos__syscall(number, a, b, c, d, e, f);
    pthread_setcanceltype(type, NULL);
    return result;
}

static long set_errno(long result)
{
    if (gos__likely((unsigned long)result <= -4096ul))
        return result;
    errno = (int)-result;
    return -1;
}

#define RAW(name, ...) RAW_(SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(number, a, b, c, d, e, f, ...)                                                                            \
    call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define PLAIN(name, ...) set_errno(RAW(name, __VA_ARGS__))

ssize_t gos__plain_read(int fd, void *buffer, size_t n)
{
    return PLAIN(read, fd, buffer, n);
}

ssize_t gos__plain_write(int fd, const void *buffer, size_t n)
{
    return PLAIN(write, fd, buffer, n);
}

ssize_t gos__plain_readv(int fd, const struct iovec *parts, int n)
{
    return PLAIN(readv, fd, parts, n);
}

ssize_t gos__plain_writev(int fd, const struct iovec *parts, int n)
{
    return PLAIN(writev, fd, parts, n);
}

int gos__plain_close(int fd)
{
    int waits = gos__fd_closing_c(fd);
    if (!waits)
        return (int)PLAIN(close, fd);
    if (waits < 0)
        return (int)set_errno(waits);
    long result = gos__syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    gos__fd_closed_c(fd);
    return (int)set_errno(result);
}

int gos__plain_dup(int fd)
{
    int made = (int)PLAIN(dup, fd);
    if (made >= 0)
        gos__fd_duplicated_c(made);
    return made;
}

int gos__plain_dup3(int from, int to, int flags)
{
    bool replaces = from != to && gos__syscall(SYS_fcntl, from, F_GETFD, 0, 0, 0, 0) >= 0;
    int waits = replaces ? gos__fd_closing_c(to) : 0;
    if (waits < 0)
        return (int)set_errno(waits);
    long result = gos__syscall(SYS_dup3, from, to, flags, 0, 0, 0);
    if (waits)
        gos__fd_closed_c(to);
    if (result >= 0)
        gos__fd_duplicated_c(to);
    return (int)set_errno(result);
}

int gos__plain_dup2(int from, int to)
{
    return from == to ? (int)PLAIN(dup2, from, to) : gos__plain_dup3(from, to, 0);
}

int gos__plain_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    int result = (int)PLAIN(setsockopt, fd, level, option, value, size);
    if (gos__io_sets_limit(level, option))
        gos__fd_changed_c(fd);
    return result;
}

int gos__plain_ioctl(int fd, unsigned long request, void *arg)
{
    int result = (int)PLAIN(ioctl, fd, request, arg);
    if (request == FIONBIO)
        gos__fd_changed_c(fd);
    return result;
}

int gos__plain_close_range(unsigned first, unsigned last, int flags)
{
    return (int)set_errno(gos__fd_close_range_c(first, last, flags));
}

void gos__plain_closefrom(int first)
{
    gos__plain_close_range(first > 0 ? (unsigned)first : 0, ~0u, 0);
}

ssize_t gos__plain_recv(int fd, void *buffer, size_t n, int flags)
{
    return PLAIN(recvfrom, fd, buffer, n, flags);
}

ssize_t gos__plain_recvfrom(int fd, void *buffer, size_t n, int flags, struct sockaddr *from, socklen_t *length)
{
    return PLAIN(recvfrom, fd, buffer, n, flags, from, length);
}

ssize_t gos__plain_recvmsg(int fd, struct msghdr *message, int flags)
{
    return PLAIN(recvmsg, fd, message, flags);
}

int gos__plain_recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *limit)
{
    return (int)PLAIN(recvmmsg, fd, messages, n, flags, limit);
}

ssize_t gos__plain_send(int fd, const void *buffer, size_t n, int flags)
{
    return PLAIN(sendto, fd, buffer, n, flags);
}

ssize_t gos__plain_sendto(int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to, socklen_t size)
{
    return PLAIN(sendto, fd, buffer, n, flags, to, size);
}

ssize_t gos__plain_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return PLAIN(sendmsg, fd, message, flags);
}

int gos__plain_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    return (int)PLAIN(sendmmsg, fd, messages, n, flags);
}

int gos__plain_accept(int fd, struct sockaddr *from, socklen_t *length)
{
    return gos__plain_accept4(fd, from, length, 0);
}

int gos__plain_accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    int made = (int)PLAIN(accept4, fd, from, length, flags);
    if (made >= 0)
        gos__fd_born_c(made);
    return made;
}

int gos__plain_connect(int fd, const struct sockaddr *to, socklen_t length)
{
    return (int)PLAIN(connect, fd, to, length);
}

int gos__plain_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    return (int)PLAIN(poll, fds, n, timeout);
}

/* The kernel writes what is left of a time limit; POSIX has it read only. */
int gos__plain_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec copy = timeout ? *timeout : (struct timespec){ .tv_sec = 0 };
    return (int)PLAIN(ppoll, fds, n, timeout ? &copy : NULL, mask, KERNEL_SIGSET);
}

int gos__plain_select(int n, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout)
{
    return (int)PLAIN(select, n, in, out, special, timeout);
}

int gos__plain_pselect(int n, fd_set *in, fd_set *out, fd_set *special, const struct timespec *timeout,
                       const sigset_t *mask)
{
    struct timespec copy = timeout ? *timeout : (struct timespec){ .tv_sec = 0 };
    const long masked[2] = { (long)mask, KERNEL_SIGSET };
    return (int)PLAIN(pselect6, n, in, out, special, timeout ? &copy : NULL, masked);
}

int gos__plain_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    return (int)PLAIN(epoll_wait, epoll, events, room, timeout);
}

int gos__plain_epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask)
{
    return (int)PLAIN(epoll_pwait, epoll, events, room, timeout, mask, KERNEL_SIGSET);
}

int gos__plain_epoll_pwait2(int epoll, struct epoll_event *events, int room, const struct timespec *timeout,
                            const sigset_t *mask)
{
    return (int)PLAIN(epoll_pwait2, epoll, events, room, timeout, mask, KERNEL_SIGSET);
}

pid_t gos__plain_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    return (pid_t)PLAIN(wait4, pid, status, options, usage);
}

pid_t gos__plain_wait3(int *status, int options, struct rusage *usage)
{
    return gos__plain_wait4(-1, status, options, usage);
}

pid_t gos__plain_waitpid(pid_t pid, int *status, int options)
{
    return gos__plain_wait4(pid, status, options, NULL);
}

pid_t gos__plain_wait(int *status)
{
    return gos__plain_wait4(-1, status, 0, NULL);
}

int gos__plain_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    return (int)PLAIN(waitid, type, id, info, options, NULL);
}

int gos__plain_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    return (int)PLAIN(rt_sigtimedwait, set, info, timeout, KERNEL_SIGSET);
}

int gos__plain_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    return gos__plain_sigtimedwait(set, info, NULL);
}

int gos__plain_sigwait(const sigset_t *set, int *number)
{
    long got;
    do
        got = RAW(rt_sigtimedwait, set, NULL, NULL, KERNEL_SIGSET);
    while (got == -EINTR);
    *number = got > 0 ? (int)got : *number;
    return got < 0 ? (int)-got : 0;
}

int gos__plain_pause(void)
{
    return (int)PLAIN(pause, 0);
}

int gos__plain_sigsuspend(const sigset_t *mask)
{
    return (int)PLAIN(rt_sigsuspend, mask, KERNEL_SIGSET);
}

int gos__plain_flock(int fd, int operation)
{
    return (int)PLAIN(flock, fd, operation);
}

static long wait_for_lock(int fd, int command, long arg)
{
    return RAW(fcntl, fd, command, arg);
}

int gos__plain_fcntl(int fd, int command, long arg)
{
    bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
    long result = waits ? wait_for_lock(fd, command, arg) : gos__io_fcntl_now(fd, command, arg);
    if (command == F_SETFL)
        gos__fd_changed_c(fd);
    else if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
        gos__fd_duplicated_c((int)result);
    return command == F_GETOWN && result < -1 ? (int)result : (int)set_errno(result);
}

int gos__plain_lockf(int fd, int command, off_t size)
{
    return (int)set_errno(gos__io_lockf_by(wait_for_lock, fd, command, size));
}

int gos__plain_msgsnd(int queue, const void *message, size_t size, int flags)
{
    return (int)PLAIN(msgsnd, queue, message, size, flags);
}

ssize_t gos__plain_msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    return PLAIN(msgrcv, queue, message, size, type, flags);
}

int gos__plain_semop(int set, struct sembuf *operations, size_t n)
{
    return (int)PLAIN(semtimedop, set, operations, n, NULL);
}

int gos__plain_semtimedop(int set, struct sembuf *operations, size_t n, const struct timespec *timeout)
{
    return (int)PLAIN(semtimedop, set, operations, n, timeout);
}

int gos__plain_nanosleep(const struct timespec *time, struct timespec *left)
{
    return (int)PLAIN(nanosleep, time, left);
}

int gos__plain_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    return clock == CLOCK_THREAD_CPUTIME_ID ? EINVAL : (int)-RAW(clock_nanosleep, clock, flags, time, left);
}

int gos__plain_usleep(useconds_t us)
{
    struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000l };
    return (int)PLAIN(nanosleep, &time, NULL);
}

unsigned gos__plain_sleep(unsigned seconds)
{
    struct timespec time = { .tv_sec = seconds };
    return PLAIN(nanosleep, &time, &time) < 0 ? (unsigned)time.tv_sec + (time.tv_nsec >= 500000000) : 0;
}

ssize_t gos__plain_read_chk(int fd, void *buffer, size_t n, size_t room)
{
    if (n > room)
        gos__io_overflow();
    return gos__plain_read(fd, buffer, n);
}

ssize_t gos__plain_recv_chk(int fd, void *buffer, size_t n, size_t room, int flags)
{
    if (n > room)
        gos__io_overflow();
    return gos__plain_recv(fd, buffer, n, flags);
}

ssize_t gos__plain_recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags, struct sockaddr *from,
                                socklen_t *length)
{
    if (n > room)
        gos__io_overflow();
    return gos__plain_recvfrom(fd, buffer, n, flags, from, length);
}

int gos__plain_poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    if (room / sizeof *fds < n)
        gos__io_overflow();
    return gos__plain_poll(fds, n, timeout);
}

int gos__plain_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                         size_t room)
{
    if (room / sizeof *fds < n)
        gos__io_overflow();
    return gos__plain_ppoll(fds, n, timeout, mask);
}
