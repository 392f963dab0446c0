/*
 * io.h: POSIX calls made by tasks. A call is tried without blocking; where it would block, the task parks until its
 * descriptor is ready (sched/netpoll.h) and tries again. What cannot be waited for so (regular files, connect) is
 * called as it is: the monitor gives the worker to another thread when that takes long.
 *
 * This folder is compiled as task code, so that its callers may stay on their nurseries; it calls no libc, which
 * would move it to a deep region, but for the few cold functions that set errno or end the program. errno is written
 * last, by a function of its own, since the task may have changed threads.
 *
 * O_NONBLOCK that the program set keeps its meaning; it is never set or cleared here, since a description may be
 * shared with other processes. MSG_DONTWAIT serves for sockets, and poll for the rest.
 *
 * Whoever calls from outside a task gets gos__plain_NAME, from arch/posix_x86_64.S.
 */
#ifndef GOS_IO_IO_H
#define GOS_IO_IO_H

#include <poll.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "arch/syscall.h"
#include "base/compiler.h"
#include "sched/netpoll.h"

struct epoll_event;

#define GOS_IO_CALLS(CALL)                                                                                             \
    CALL(ssize_t, read, (int fd, void *buffer, size_t n))                                                              \
    CALL(ssize_t, write, (int fd, const void *buffer, size_t n))                                                       \
    CALL(ssize_t, readv, (int fd, const struct iovec *parts, int n))                                                   \
    CALL(ssize_t, writev, (int fd, const struct iovec *parts, int n))                                                  \
    CALL(int, close, (int fd))                                                                                         \
    CALL(ssize_t, recv, (int fd, void *buffer, size_t n, int flags))                                                   \
    CALL(ssize_t, recvfrom, (int fd, void *buffer, size_t n, int flags, struct sockaddr *from, socklen_t *length))     \
    CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))                                                \
    CALL(ssize_t, send, (int fd, const void *buffer, size_t n, int flags))                                             \
    CALL(ssize_t, sendto, (int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to, socklen_t size))\
    CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))                                          \
    CALL(int, accept, (int fd, struct sockaddr *from, socklen_t *length))                                              \
    CALL(int, accept4, (int fd, struct sockaddr *from, socklen_t *length, int flags))                                  \
    CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t length))                                          \
    CALL(int, poll, (struct pollfd *fds, nfds_t n, int timeout))                                                       \
    CALL(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask))             \
    CALL(int, select, (int n, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout))                      \
    CALL(int, pselect, (int n, fd_set *in, fd_set *out, fd_set *special, const struct timespec *timeout,               \
                        const sigset_t *mask))                                                                         \
    CALL(int, epoll_wait, (int epoll, struct epoll_event *events, int room, int timeout))                              \
    CALL(int, epoll_pwait, (int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask))       \
    CALL(int, nanosleep, (const struct timespec *time, struct timespec *left))                                         \
    CALL(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left))       \
    CALL(int, usleep, (useconds_t us))                                                                                 \
    CALL(unsigned, sleep, (unsigned seconds))                                                                          \
    CALL(ssize_t, read_chk, (int fd, void *buffer, size_t n, size_t room))                                             \
    CALL(ssize_t, recv_chk, (int fd, void *buffer, size_t n, size_t room, int flags))                                  \
    CALL(ssize_t, recvfrom_chk, (int fd, void *buffer, size_t n, size_t room, int flags, struct sockaddr *from,        \
                                 socklen_t *length))                                                                   \
    CALL(int, poll_chk, (struct pollfd *fds, nfds_t n, int timeout, size_t room))                                      \
    CALL(int, ppoll_chk, (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,          \
                          size_t room))

#define GOS_IO_DECLARE(type, name, parameters)                                                                         \
    type gos__io_##name parameters;                                                                                    \
    type gos__plain_##name parameters;
GOS_IO_CALLS(GOS_IO_DECLARE)

#define GOS_SYS(name, ...) gos__sys(SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define gos__sys(number, a, b, c, d, e, f, ...)                                                                        \
    gos__syscall(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* A system call that may have to be made again. */
typedef struct gos__request {
    long number;
    long arg[6];  /* the first is the descriptor */
    int flags_at; /* which argument holds MSG_DONTWAIT; 0: none */
} gos__request;

static inline long gos__io_make(const gos__request *request)
{
    const long *arg = request->arg;
    return gos__syscall(request->number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* Sets errno and returns -1. */
long gos__io_fail(long error);

static inline long gos__io_result(long result)
{
    return gos__likely((unsigned long)result <= -4096ul) ? result : gos__io_fail(-result);
}

/* A buffer smaller than the caller says (_FORTIFY_SOURCE): ends the program. */
_Noreturn void gos__io_overflow(void);

/* Parks a call that would block. 0: try again; 1: it cannot be waited for, call and block; or -errno, the result of
 * the call, -EAGAIN for O_NONBLOCK and the socket's own time limit (`option`: SO_RCVTIMEO, SO_SNDTIMEO; 0: no socket).
 * *deadline: 0 at first. */
int gos__io_park(int fd, uint32_t events, int option, int64_t *deadline);

/* Parks until one of these is ready or until the deadline. 0: look again; 1: as above; -ETIMEDOUT. */
int gos__io_park_on(struct pollfd *fds, nfds_t n, int64_t deadline);

/* A request on a socket that has just given -EAGAIN: parks and repeats it until it gives something else. */
long gos__io_again(gos__request *request, uint32_t events, int option);

/* A request on what may be no socket: parks until poll says that it will not block, then makes it. */
long gos__io_polled(const gos__request *request, uint32_t events, int option);

/* The rest of a send of which `done` bytes are on their way, as a blocking one owes it. */
long gos__io_send_rest(int fd, const char *buffer, size_t done, size_t n, int flags);

/* The same for a list of buffers. */
long gos__io_send_parts(int fd, const struct iovec *parts, size_t n, size_t done, int flags);

/* Clock and duration to a time of gos_now; INT64_MAX: never. */
int64_t gos__io_deadline(int64_t seconds, int64_t ns);

#endif
