/*
 * plain.c: the same calls from threads that run no task, and from the runtime itself: the system call, which is a
 * cancellation point as in libc. Made here and not by the next definition of the name, since a static program has none
 * that could be reached, and looking one up (dlsym) allocates, which a signal handler's write may not.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
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

int gos__plain_accept(int fd, struct sockaddr *from, socklen_t *length)
{
    return (int)PLAIN(accept4, fd, from, length, 0);
}

int gos__plain_accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    return (int)PLAIN(accept4, fd, from, length, flags);
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
