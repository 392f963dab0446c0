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
#include <signal.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/syscall.h"
#include "base/compiler.h"
#include "base/config.h"
#include "sched/interrupt.h"
#include "sched/netpoll.h"
#include "sched/slot.h"

struct epoll_event;
struct mmsghdr;
struct rusage;
struct sembuf;

#define GOS_IO_CALLS(CALL)                                                                                             \
    CALL(ssize_t, read, (int fd, void *buffer, size_t n))                                                              \
    CALL(ssize_t, write, (int fd, const void *buffer, size_t n))                                                       \
    CALL(ssize_t, readv, (int fd, const struct iovec *parts, int n))                                                   \
    CALL(ssize_t, writev, (int fd, const struct iovec *parts, int n))                                                  \
    CALL(int, dup, (int fd))                                                                                           \
    CALL(int, dup2, (int from, int to))                                                                                \
    CALL(int, dup3, (int from, int to, int flags))                                                                     \
    CALL(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t size))                          \
    CALL(int, ioctl, (int fd, unsigned long request, void *arg))                                                       \
    CALL(int, close, (int fd))                                                                                         \
    CALL(int, close_range, (unsigned first, unsigned last, int flags))                                                 \
    CALL(void, closefrom, (int first))                                                                                 \
    CALL(ssize_t, recv, (int fd, void *buffer, size_t n, int flags))                                                   \
    CALL(ssize_t, recvfrom, (int fd, void *buffer, size_t n, int flags, struct sockaddr *from, socklen_t *length))     \
    CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))                                                \
    CALL(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *limit))             \
    CALL(ssize_t, send, (int fd, const void *buffer, size_t n, int flags))                                             \
    CALL(ssize_t, sendto, (int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to, socklen_t size))\
    CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))                                          \
    CALL(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags))                                     \
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
    CALL(int, epoll_pwait2, (int epoll, struct epoll_event *events, int room, const struct timespec *timeout,          \
                             const sigset_t *mask))                                                                    \
    CALL(pid_t, wait, (int *status))                                                                                   \
    CALL(pid_t, wait3, (int *status, int options, struct rusage *usage))                                               \
    CALL(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage))                                    \
    CALL(pid_t, waitpid, (pid_t pid, int *status, int options))                                                        \
    CALL(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options))                                          \
    CALL(int, sigwait, (const sigset_t *set, int *number))                                                             \
    CALL(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info))                                                     \
    CALL(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout))                    \
    CALL(int, pause, (void))                                                                                           \
    CALL(int, sigsuspend, (const sigset_t *mask))                                                                      \
    CALL(int, flock, (int fd, int operation))                                                                          \
    CALL(int, lockf, (int fd, int command, off_t size))                                                                \
    CALL(int, fcntl, (int fd, int command, long arg))                                                                  \
    CALL(int, msgsnd, (int queue, const void *message, size_t size, int flags))                                        \
    CALL(ssize_t, msgrcv, (int queue, void *message, size_t size, long type, int flags))                               \
    CALL(int, semop, (int set, struct sembuf *operations, size_t n))                                                   \
    CALL(int, semtimedop, (int set, struct sembuf *operations, size_t n, const struct timespec *timeout))              \
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

/* Before a close: gos__fd_closing, but for a child process that has not come to the runtime and may never. */
static inline int gos__io_closing(int fd)
{
    return gos__unlikely(gos__fork_pending) ? 0 : gos__fd_closing(fd);
}

/* A change of a descriptor, the same way. */
static inline void gos__io_changed(int fd)
{
    if (gos__likely(!gos__fork_pending))
        gos__fd_changed(fd);
}

static inline void gos__io_duplicated(int fd)
{
    if (gos__likely(!gos__fork_pending))
        gos__fd_duplicated(fd);
}

/* What libc adds to the system calls: an owner that cannot be taken for an error, and locks as lockf has them. */
long gos__io_fcntl_now(int fd, int command, long arg);
long gos__io_lockf_by(long (*wait_for_lock)(int, int, long), int fd, int command, off_t size);

/* A request that is likely to block its thread, whose worker goes to another thread at once if tasks wait for it. */
long gos__io_blocking(const gos__request *request);

/* What a call that is about to wait has seen of signal handlers (sched/interrupt.h). interrupts: which end it, if the
 * caller is the main task. */
typedef struct gos__io_signals {
    uint8_t interrupts; /* enum gos__interrupts */
    uint32_t any, unrestarted;
} gos__io_signals;
gos__io_signals gos__io_signals_now(enum gos__interrupts interrupts);

/* Parks a call that would block. 0: try again; 1: it cannot be waited for, call and block; or -errno, the result of
 * the call, -EAGAIN for O_NONBLOCK and the socket's own time limit (`option`: SO_RCVTIMEO, SO_SNDTIMEO; 0: no socket).
 * *deadline: 0 at first. look: of before the call, for a socket; or NULL. */
int gos__io_park(int fd, uint32_t events, int option, int64_t *deadline, const gos__fd_look *look,
                 const gos__io_signals *signals);

/* Parks until one of these is ready or until the deadline. 0: look again; 1: as above; -ETIMEDOUT; -EINTR. */
int gos__io_park_on(struct pollfd *fds, nfds_t n, int64_t deadline, const gos__io_signals *signals);

/* Whether poll calls it ready for what was asked. What is in the error queue of a socket alone makes no call ready. */
bool gos__io_is_ready(struct pollfd *now);

/* What SO_RCVTIMEO or SO_SNDTIMEO says, in nanoseconds; INT64_MAX: nothing. */
int64_t gos__io_time_limit(int fd, int option);

/* A request on a socket that has just given -EAGAIN: parks and repeats it until it gives something else. look: of
 * before the call; NULL: there was none, and it is made once more after one. deadline: as gos__io_park, where the rest
 * of the call shares it; or NULL. */
long gos__io_again(gos__request *request, uint32_t events, int option, gos__fd_look *look, int64_t *deadline);

/* A request on what may be no socket: parks until poll says that it will not block, then makes it. */
long gos__io_polled(const gos__request *request, uint32_t events, int option);

/* The rest of a send of which `done` bytes are on their way, as a blocking one owes it. deadline: of the whole call. */
long gos__io_send_rest(int fd, const char *buffer, size_t done, size_t n, int flags, int64_t *deadline);

/* The same for a list of buffers. */
long gos__io_send_parts(int fd, const struct iovec *parts, size_t n, size_t done, int flags, int64_t *deadline);

/* Whether this socket option is the time limit of reads, under either of its two numbers. */
static inline bool gos__io_sets_limit(int level, int option)
{
    return level == SOL_SOCKET && (option == 20 || option == 66);
}

/* Clock and duration to a time of gos_now; INT64_MAX: never. */
int64_t gos__io_deadline(int64_t seconds, int64_t ns);

#endif
