/* poll.c: waiting for several descriptors. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/io.h"

#define KERNEL_SIGSET (_NSIG / 8) /* bytes of a signal set in system calls */

static int64_t deadline_ms(int timeout)
{
    return timeout < 0 ? INT64_MAX : gos__io_deadline(timeout / 1000, timeout % 1000 * 1000000l);
}

static int64_t deadline_of(const struct timespec *timeout)
{
    return timeout ? gos__io_deadline(timeout->tv_sec, timeout->tv_nsec) : INT64_MAX;
}

/* Blocks the thread: for what no task can wait for. */
static long poll_directly(struct pollfd *fds, nfds_t n, int64_t deadline)
{
    int64_t ns = deadline - gos_now();
    struct timespec time = { .tv_sec = ns > 0 ? ns / 1000000000 : 0, .tv_nsec = ns > 0 ? ns % 1000000000 : 0 };
    gos__request request = {
        .number = SYS_ppoll, .arg = { (long)fds, (long)n, deadline == INT64_MAX ? 0 : (long)&time }
    };
    return gos__io_blocking(&request);
}

static GOS_NOINLINE long poll_until(struct pollfd *fds, nfds_t n, int64_t deadline)
{
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY);
    for (;;) {
        int result = gos__io_park_on(fds, n, deadline, &signals);
        if (result == 1)
            return poll_directly(fds, n, deadline);
        long ready = GOS_SYS(poll, fds, n, 0);
        if (ready || result == -ETIMEDOUT)
            return ready;
        if (result == -EINTR)
            return result;
    }
}

int gos__io_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    long ready = GOS_SYS(poll, fds, n, 0);
    if (!ready && timeout)
        ready = poll_until(fds, n, deadline_ms(timeout));
    return (int)gos__io_result(ready);
}

int gos__io_poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    if (room / sizeof *fds < n)
        gos__io_overflow();
    return gos__io_poll(fds, n, timeout);
}

static bool is_time(const struct timespec *time)
{
    return !time || (time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
}

/* A signal mask is the thread's, so with one it is the thread that waits. */
int gos__io_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    if (mask || !is_time(timeout)) {
        struct timespec copy = timeout ? *timeout : (struct timespec){ .tv_sec = 0 };
        gos__request request = {
            .number = SYS_ppoll, .arg = { (long)fds, (long)n, timeout ? (long)&copy : 0, (long)mask, KERNEL_SIGSET }
        };
        return (int)gos__io_result(gos__io_blocking(&request));
    }
    long ready = GOS_SYS(poll, fds, n, 0);
    if (!ready && (!timeout || timeout->tv_sec || timeout->tv_nsec))
        ready = poll_until(fds, n, deadline_of(timeout));
    return (int)gos__io_result(ready);
}

int gos__io_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
    if (room / sizeof *fds < n)
        gos__io_overflow();
    return gos__io_ppoll(fds, n, timeout, mask);
}

static bool wants(const fd_set *set, int fd)
{
    return set && FD_ISSET(fd, set);
}

static nfds_t collect(struct pollfd *fds, int n, const fd_set *in, const fd_set *out, const fd_set *special)
{
    nfds_t count = 0;
    for (int fd = 0; fd < n; fd++) {
        int events = (wants(in, fd) ? POLLIN : 0) | (wants(out, fd) ? POLLOUT : 0) | (wants(special, fd) ? POLLPRI : 0);
        if (events)
            fds[count++] = (struct pollfd){ .fd = fd, .events = (short)events };
    }
    return count;
}

static const short kinds[3] = { POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI };

/* How many bits are left; with `keep` they alone stay. */
static GOS_NOINLINE long bits_of(const struct pollfd *fds, nfds_t n, fd_set *const sets[3], bool keep)
{
    long bits = 0;
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents & POLLNVAL)
            return -EBADF;
        for (int k = 0; k < 3; k++) {
            bool is_set = wants(sets[k], fds[i].fd), stays = is_set && fds[i].revents & kinds[k];
            bits += stays;
            if (keep && is_set && !stays)
                FD_CLR(fds[i].fd, sets[k]);
        }
    }
    return bits;
}

/* Blocks the thread. */
static GOS_NOINLINE long select_directly(int n, fd_set *const sets[3], int64_t deadline)
{
    int64_t ns = deadline - gos_now();
    struct timespec time = { .tv_sec = ns > 0 ? ns / 1000000000 : 0, .tv_nsec = ns > 0 ? ns % 1000000000 : 0 };
    gos__request request = { .number = SYS_pselect6, .arg = { n, (long)sets[0], (long)sets[1], (long)sets[2],
                                                              deadline == INT64_MAX ? 0 : (long)&time } };
    return gos__io_blocking(&request);
}

/* Looks, with a time limit of zero, and then parks on what was asked for. */
static GOS_NOINLINE long select_until(int n, fd_set *in, fd_set *out, fd_set *special, int64_t deadline)
{
    struct pollfd fds[FD_SETSIZE];
    fd_set *const sets[3] = { in, out, special };
    nfds_t count = collect(fds, n, in, out, special);
    long ready = GOS_SYS(poll, fds, count, 0);
    if (!ready && gos_now() < deadline)
        ready = poll_until(fds, count, deadline);
    if (ready < 0)
        return ready;
    long bits = bits_of(fds, count, sets, false);
    if (ready && !bits) /* an end or an error, of which poll always tells, where select was not asked for it */
        return select_directly(n, sets, deadline);
    return bits < 0 ? bits : bits_of(fds, count, sets, true);
}

int gos__io_select(int n, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout)
{
    if (n < 0 || n > FD_SETSIZE || (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
        return (int)gos__io_result(GOS_SYS(select, n, in, out, special, timeout));
    int64_t deadline = timeout ? gos__io_deadline(timeout->tv_sec, timeout->tv_usec * 1000) : INT64_MAX;
    long bits = select_until(n, in, out, special, deadline);
    if (timeout && deadline != INT64_MAX) { /* what is left of it, as Linux has it */
        int64_t left = deadline - gos_now();
        left = left > 0 ? left : 0;
        *timeout = (struct timeval){ .tv_sec = left / 1000000000, .tv_usec = left % 1000000000 / 1000 };
    }
    return (int)gos__io_result(bits);
}

int gos__io_pselect(int n, fd_set *in, fd_set *out, fd_set *special, const struct timespec *timeout,
                    const sigset_t *mask)
{
    if (mask || n < 0 || n > FD_SETSIZE || !is_time(timeout)) {
        struct timespec copy = timeout ? *timeout : (struct timespec){ .tv_sec = 0 };
        const long masked[2] = { (long)mask, KERNEL_SIGSET };
        gos__request request = { .number = SYS_pselect6, .arg = { n, (long)in, (long)out, (long)special,
                                                                  timeout ? (long)&copy : 0, (long)masked } };
        return (int)gos__io_result(gos__io_blocking(&request));
    }
    return (int)gos__io_result(select_until(n, in, out, special, deadline_of(timeout)));
}

static GOS_NOINLINE long epoll_until(int epoll, struct epoll_event *events, int room, int64_t deadline)
{
    struct pollfd fd = { .fd = epoll, .events = POLLIN };
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY);
    for (;;) {
        int result = gos__io_park_on(&fd, 1, deadline, &signals);
        if (result == 1) {
            result = (int)poll_directly(&fd, 1, deadline);
            if (result <= 0)
                return result;
        }
        long ready = GOS_SYS(epoll_wait, epoll, events, room, 0);
        if (ready || result == -ETIMEDOUT)
            return ready;
        if (result == -EINTR)
            return result;
    }
}

int gos__io_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    long ready = GOS_SYS(epoll_wait, epoll, events, room, 0);
    if (!ready && timeout)
        ready = epoll_until(epoll, events, room, deadline_ms(timeout));
    return (int)gos__io_result(ready);
}

int gos__io_epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout, const sigset_t *mask)
{
    if (!mask)
        return gos__io_epoll_wait(epoll, events, room, timeout);
    gos__request request = {
        .number = SYS_epoll_pwait, .arg = { epoll, (long)events, room, timeout, (long)mask, KERNEL_SIGSET }
    };
    return (int)gos__io_result(gos__io_blocking(&request));
}

int gos__io_epoll_pwait2(int epoll, struct epoll_event *events, int room, const struct timespec *timeout,
                         const sigset_t *mask)
{
    if (mask || !is_time(timeout)) {
        gos__request request = { .number = SYS_epoll_pwait2, .arg = { epoll, (long)events, room, (long)timeout,
                                                                      (long)mask, KERNEL_SIGSET } };
        return (int)gos__io_result(gos__io_blocking(&request));
    }
    long ready = GOS_SYS(epoll_wait, epoll, events, room, 0);
    if (!ready && (!timeout || timeout->tv_sec || timeout->tv_nsec))
        ready = epoll_until(epoll, events, room, deadline_of(timeout));
    return (int)gos__io_result(ready);
}
