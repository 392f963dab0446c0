/* socket.c: what is called on sockets only. */
#define _GNU_SOURCE 1 /* struct mmsghdr */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"

/* A number that the socket tells of itself; 0: it does not. */
static int told(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    return GOS_SYS(getsockopt, fd, SOL_SOCKET, option, &value, &size) ? 0 : value;
}

/* A connection that is no more, and all that came has been read: the error is kept for the next call when this one has
 * moved something, so it must not be made again. Local sockets do not keep it. */
static GOS_NOINLINE bool has_failed(const struct pollfd *now)
{
    int unread = 0;
    if ((now->revents & (POLLERR | POLLHUP)) != (POLLERR | POLLHUP) || told(now->fd, SO_DOMAIN) == AF_UNIX)
        return false;
    return now->events != POLLIN || GOS_SYS(ioctl, now->fd, FIONREAD, &unread) || !unread;
}

static GOS_NOINLINE long make_waiting(gos__request *request)
{
    request->arg[3] &= ~(long)MSG_DONTWAIT;
    long result = gos__io_blocking(request);
    request->arg[3] |= MSG_DONTWAIT;
    return result;
}

/* The rest of what a stream was asked for, unless it ends or fails, by recvfrom or sendto: how much of it was moved. */
static GOS_NOINLINE size_t move_rest(gos__request *request, int64_t *deadline)
{
    bool sends = request->number == SYS_sendto;
    int option = sends ? SO_SNDTIMEO : SO_RCVTIMEO;
    struct pollfd now = { .fd = (int)request->arg[0], .events = sends ? POLLOUT : POLLIN };
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    size_t done = 0;
    while (request->arg[2]) {
        bool is_ready = gos__io_is_ready(&now);
        int parked = is_ready ? 1 : gos__io_park(now.fd, (uint32_t)now.events, option, deadline, NULL, &signals);
        if (!parked)
            continue;
        if (parked < 0 || (is_ready && has_failed(&now)))
            break;
        long moved = is_ready ? gos__io_make(request) : -EAGAIN;
        if (moved == -EAGAIN) /* somebody was quicker, or it cannot park */
            moved = make_waiting(request);
        if (moved <= 0)
            break;
        done += (size_t)moved;
        request->arg[1] += moved;
        request->arg[2] -= moved;
        if (sends && *deadline != INT64_MAX && told(now.fd, SO_DOMAIN) == AF_UNIX)
            *deadline = 0; /* local sockets have it anew for each piece that they send */
    }
    return done;
}

ssize_t gos__io_recvfrom(int fd, void *buffer, size_t n, int flags, struct sockaddr *from, socklen_t *length)
{
    /* These never wait, or wait for more than readiness tells. */
    if (flags & (MSG_OOB | MSG_ERRQUEUE) || (flags & MSG_PEEK && flags & MSG_WAITALL))
        return gos__io_result(GOS_SYS(recvfrom, fd, buffer, n, flags, from, length));
    int64_t deadline = 0;
    gos__fd_look look = gos__fd_look_at(fd);
    bool drained = !flags && gos__fd_is_drained(&look);
    long got = drained ? -EAGAIN : GOS_SYS(recvfrom, fd, buffer, n, flags | MSG_DONTWAIT, from, length);
    if (gos__unlikely(flags & MSG_DONTWAIT))
        return gos__io_result(got);
    if (!flags)
        gos__fd_got(&look, got, n);
    if (got == -EAGAIN) {
        gos__request request = { SYS_recvfrom, { fd, (long)buffer, (long)n, flags | MSG_DONTWAIT, (long)from,
                                                 (long)length }, 3 };
        got = gos__io_again(&request, GOS_POLL_IN, SO_RCVTIMEO, flags ? NULL : &look, &deadline);
    }
    if (gos__unlikely(flags & MSG_WAITALL) && got > 0 && (size_t)got < n && told(fd, SO_TYPE) == SOCK_STREAM) {
        gos__request rest = { SYS_recvfrom, { fd, (long)buffer + got, (long)n - got, flags | MSG_DONTWAIT }, 3 };
        got += (long)move_rest(&rest, &deadline);
    }
    return gos__io_result(got);
}

ssize_t gos__io_recvfrom_chk(int fd, void *buffer, size_t n, size_t room, int flags, struct sockaddr *from,
                             socklen_t *length)
{
    if (n > room)
        gos__io_overflow();
    return gos__io_recvfrom(fd, buffer, n, flags, from, length);
}

ssize_t gos__io_recv(int fd, void *buffer, size_t n, int flags)
{
    return gos__io_recvfrom(fd, buffer, n, flags, NULL, NULL);
}

ssize_t gos__io_recv_chk(int fd, void *buffer, size_t n, size_t room, int flags)
{
    if (n > room)
        gos__io_overflow();
    return gos__io_recvfrom(fd, buffer, n, flags, NULL, NULL);
}

/* With MSG_WAITALL the first part may be all that comes: the message's own lists would have to be rewritten, so the
 * thread waits for it. */
ssize_t gos__io_recvmsg(int fd, struct msghdr *message, int flags)
{
    if (flags & (MSG_OOB | MSG_ERRQUEUE | MSG_WAITALL | MSG_DONTWAIT))
        return gos__io_result(GOS_SYS(recvmsg, fd, message, flags));
    long got = GOS_SYS(recvmsg, fd, message, flags | MSG_DONTWAIT);
    if (got == -EAGAIN) {
        gos__request request = { SYS_recvmsg, { fd, (long)message, flags | MSG_DONTWAIT }, 2 };
        got = gos__io_again(&request, GOS_POLL_IN, SO_RCVTIMEO, NULL, NULL);
    }
    return gos__io_result(got);
}

/* With a time limit, which the kernel looks at between two messages alone, the thread waits. */
int gos__io_recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *limit)
{
    gos__request whole = { .number = SYS_recvmmsg, .arg = { fd, (long)messages, n, flags, (long)limit } };
    if (flags & (MSG_OOB | MSG_ERRQUEUE | MSG_WAITALL | MSG_DONTWAIT))
        return (int)gos__io_result(gos__io_make(&whole));
    if (limit)
        return (int)gos__io_result(gos__io_blocking(&whole));
    long got;
    unsigned done = 0;
    do {
        gos__request request = { SYS_recvmmsg, { fd, (long)(messages + done), n - done,
                                                 flags | MSG_DONTWAIT | MSG_WAITFORONE }, 3 };
        got = gos__io_make(&request);
        if (got == -EAGAIN)
            got = gos__io_again(&request, GOS_POLL_IN, SO_RCVTIMEO, NULL, NULL);
        done += got > 0 ? (unsigned)got : 0;
    } while (got > 0 && done < n && !(flags & MSG_WAITFORONE));
    return (int)gos__io_result(done ? done : got);
}

GOS_NOINLINE long gos__io_send_rest(int fd, const char *buffer, size_t done, size_t n, int flags, int64_t *deadline)
{
    gos__request rest = { SYS_sendto, { fd, (long)(buffer + done), (long)(n - done), flags | MSG_DONTWAIT }, 3 };
    return (long)(told(fd, SO_TYPE) == SOCK_STREAM ? done + move_rest(&rest, deadline) : done);
}

GOS_NOINLINE long gos__io_send_parts(int fd, const struct iovec *parts, size_t n, size_t done, int flags,
                                     int64_t *deadline)
{
    size_t before = 0;
    for (size_t i = 0; i < n; before += parts[i++].iov_len) {
        size_t end = before + parts[i].iov_len;
        if (done >= end)
            continue;
        done = before + (size_t)gos__io_send_rest(fd, parts[i].iov_base, done - before, parts[i].iov_len, flags,
                                                  deadline);
        if (done < end)
            break;
    }
    return (long)done;
}

/* MSG_FASTOPEN connects, and there is no connect that does not wait: block.c. */
static bool connects(int flags)
{
    return gos__unlikely((flags & (MSG_FASTOPEN | MSG_DONTWAIT)) == MSG_FASTOPEN);
}

ssize_t gos__io_sendto(int fd, const void *buffer, size_t n, int flags, const struct sockaddr *to, socklen_t size)
{
    if (connects(flags)) {
        gos__request whole = { .number = SYS_sendto,
                               .arg = { fd, (long)buffer, (long)n, flags, (long)to, (long)size } };
        return gos__io_result(gos__io_blocking(&whole));
    }
    int64_t deadline = 0;
    long put = GOS_SYS(sendto, fd, buffer, n, flags | MSG_DONTWAIT, to, size);
    if (gos__unlikely(flags & MSG_DONTWAIT))
        return gos__io_result(put);
    if (put == -EAGAIN) {
        gos__request request = { SYS_sendto, { fd, (long)buffer, (long)n, flags | MSG_DONTWAIT, (long)to, (long)size },
                                 3 };
        put = gos__io_again(&request, GOS_POLL_OUT, SO_SNDTIMEO, NULL, &deadline);
    }
    if (gos__unlikely(put >= 0 && (size_t)put < n))
        put = gos__io_send_rest(fd, buffer, (size_t)put, n, flags, &deadline);
    return gos__io_result(put);
}

ssize_t gos__io_send(int fd, const void *buffer, size_t n, int flags)
{
    return gos__io_sendto(fd, buffer, n, flags, NULL, 0);
}

ssize_t gos__io_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (connects(flags)) {
        gos__request whole = { .number = SYS_sendmsg, .arg = { fd, (long)message, flags } };
        return gos__io_result(gos__io_blocking(&whole));
    }
    int64_t deadline = 0;
    long put = GOS_SYS(sendmsg, fd, message, flags | MSG_DONTWAIT);
    if (gos__unlikely(flags & MSG_DONTWAIT))
        return gos__io_result(put);
    if (put == -EAGAIN) {
        gos__request request = { SYS_sendmsg, { fd, (long)message, flags | MSG_DONTWAIT }, 2 };
        put = gos__io_again(&request, GOS_POLL_OUT, SO_SNDTIMEO, NULL, &deadline);
    }
    if (put >= 0)
        put = gos__io_send_parts(fd, message->msg_iov, message->msg_iovlen, (size_t)put, flags, &deadline);
    return gos__io_result(put);
}

/* A stream may have room for a part of the last one that was sent. */
int gos__io_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    if (connects(flags)) {
        gos__request whole = { .number = SYS_sendmmsg, .arg = { fd, (long)messages, n, flags } };
        return (int)gos__io_result(gos__io_blocking(&whole));
    }
    long put;
    unsigned done = 0;
    do {
        int64_t deadline = 0; /* of each message */
        gos__request request = { SYS_sendmmsg, { fd, (long)(messages + done), n - done, flags | MSG_DONTWAIT }, 3 };
        put = gos__io_make(&request);
        if (put == -EAGAIN && !(flags & MSG_DONTWAIT))
            put = gos__io_again(&request, GOS_POLL_OUT, SO_SNDTIMEO, NULL, &deadline);
        done += put > 0 ? (unsigned)put : 0;
        if (put <= 0 || flags & MSG_DONTWAIT)
            break;
        struct mmsghdr *last = &messages[done - 1];
        last->msg_len = (unsigned)gos__io_send_parts(fd, last->msg_hdr.msg_iov, last->msg_hdr.msg_iovlen, last->msg_len,
                                                     flags, &deadline);
    } while (done < n);
    return (int)gos__io_result(done ? done : put);
}

/* False: the call is refused at once, and there would be nothing to wait for. */
static bool may_accept(int fd, int flags)
{
    return !(flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) && told(fd, SO_ACCEPTCONN);
}

int gos__io_accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    gos__request request = { .number = SYS_accept4, .arg = { fd, (long)from, (long)length, flags } };
    long made = may_accept(fd, flags) ? gos__io_polled(&request, GOS_POLL_IN, SO_RCVTIMEO) : gos__io_make(&request);
    if (made >= 0)
        gos__fd_born((int)made);
    return (int)gos__io_result(made);
}

int gos__io_accept(int fd, struct sockaddr *from, socklen_t *length)
{
    return gos__io_accept4(fd, from, length, 0);
}
