/* file.c: read and write, of anything. A socket is found out by its own call, which most descriptors that block are. */
#define _GNU_SOURCE 1 /* F_GETPIPE_SZ */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"

ssize_t gos__io_read(int fd, void *buffer, size_t n)
{
    if (!n)
        return gos__io_result(GOS_SYS(read, fd, buffer, n));
    gos__fd_look look = gos__fd_look_at(fd);
    long got = gos__fd_is_drained(&look) ? -EAGAIN : GOS_SYS(recvfrom, fd, buffer, n, MSG_DONTWAIT);
    gos__fd_got(&look, got, n);
    if (got == -EAGAIN) {
        gos__request request = { SYS_recvfrom, { fd, (long)buffer, (long)n, MSG_DONTWAIT }, 3 };
        got = gos__io_again(&request, GOS_POLL_IN, SO_RCVTIMEO, &look, NULL);
    }
    if (got == -ENOTSOCK) {
        gos__request request = { .number = SYS_read, .arg = { fd, (long)buffer, (long)n } };
        got = gos__io_polled(&request, GOS_POLL_IN, 0);
    }
    return gos__io_result(got);
}

ssize_t gos__io_read_chk(int fd, void *buffer, size_t n, size_t room)
{
    if (n > room)
        gos__io_overflow();
    return gos__io_read(fd, buffer, n);
}

static bool is_list(int n)
{
    return n > 0 && n <= IOV_MAX;
}

static size_t size_of(const struct iovec *parts, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++)
        size += parts[i].iov_len;
    return size;
}

ssize_t gos__io_readv(int fd, const struct iovec *parts, int n)
{
    if (!is_list(n) || !size_of(parts, n)) /* as gos__io_read of nothing */
        return gos__io_result(GOS_SYS(readv, fd, parts, n));
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n };
    long got = GOS_SYS(recvmsg, fd, &message, MSG_DONTWAIT);
    if (got == -ENOTSOCK) {
        gos__request request = { .number = SYS_readv, .arg = { fd, (long)parts, n } };
        got = gos__io_polled(&request, GOS_POLL_IN, 0);
    } else if (got == -EAGAIN) {
        gos__request request = { SYS_recvmsg, { fd, (long)&message, MSG_DONTWAIT }, 2 };
        got = gos__io_again(&request, GOS_POLL_IN, SO_RCVTIMEO, NULL, NULL);
    }
    return gos__io_result(got);
}

/* A pipe that can be written to takes PIPE_BUF bytes without blocking, and a blocking write owes all of them. */
static long write_pipe(int fd, const char *buffer, size_t n)
{
    for (size_t done = 0;;) {
        size_t piece = n - done < PIPE_BUF ? n - done : PIPE_BUF;
        gos__request request = { .number = SYS_write, .arg = { fd, (long)(buffer + done), (long)piece } };
        long put = gos__io_polled(&request, GOS_POLL_OUT, 0);
        if (put < 0)
            return done ? (long)done : put;
        done += (size_t)put;
        if (done == n || (size_t)put < piece)
            return (long)done;
    }
}

static bool is_pipe(int fd)
{
    return GOS_SYS(fcntl, fd, F_GETPIPE_SZ) >= 0;
}

ssize_t gos__io_write(int fd, const void *buffer, size_t n)
{
    int64_t deadline = 0;
    long put = GOS_SYS(sendto, fd, buffer, n, MSG_DONTWAIT);
    if (put == -ENOTSOCK) {
        gos__request request = { .number = SYS_write, .arg = { fd, (long)buffer, (long)n } };
        put = !n                          ? gos__io_make(&request)
            : n > PIPE_BUF && is_pipe(fd) ? write_pipe(fd, buffer, n) : gos__io_polled(&request, GOS_POLL_OUT, 0);
    } else if (put == -EAGAIN) {
        gos__request request = { SYS_sendto, { fd, (long)buffer, (long)n, MSG_DONTWAIT }, 3 };
        put = gos__io_again(&request, GOS_POLL_OUT, SO_SNDTIMEO, NULL, &deadline);
    }
    if (gos__unlikely(put >= 0 && (size_t)put < n))
        put = gos__io_send_rest(fd, buffer, (size_t)put, n, 0, &deadline);
    return gos__io_result(put);
}

static long writev_pipe(int fd, const struct iovec *parts, int n)
{
    long done = 0;
    for (int i = 0; i < n; i++) {
        long put = parts[i].iov_len ? write_pipe(fd, parts[i].iov_base, parts[i].iov_len) : 0;
        if (put < 0)
            return done ? done : put;
        done += put;
        if ((size_t)put < parts[i].iov_len)
            break;
    }
    return done;
}

ssize_t gos__io_writev(int fd, const struct iovec *parts, int n)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n };
    int64_t deadline = 0;
    long put = is_list(n) ? GOS_SYS(sendmsg, fd, &message, MSG_DONTWAIT) : -ENOTSOCK;
    if (put == -ENOTSOCK) {
        gos__request request = { .number = SYS_writev, .arg = { fd, (long)parts, n } };
        size_t size = is_list(n) ? size_of(parts, n) : 0;
        if (size > PIPE_BUF && is_pipe(fd))
            return gos__io_result(writev_pipe(fd, parts, n));
        return gos__io_result(size ? gos__io_polled(&request, GOS_POLL_OUT, 0) : gos__io_make(&request));
    }
    if (put == -EAGAIN) {
        gos__request request = { SYS_sendmsg, { fd, (long)&message, MSG_DONTWAIT }, 2 };
        put = gos__io_again(&request, GOS_POLL_OUT, SO_SNDTIMEO, NULL, &deadline);
    }
    if (put >= 0)
        put = gos__io_send_parts(fd, parts, (size_t)n, (size_t)put, 0, &deadline);
    return gos__io_result(put);
}

int gos__io_close(int fd)
{
    int waits = gos__io_closing(fd);
    if (waits < 0)
        return (int)gos__io_fail(-waits);
    long result = GOS_SYS(close, fd);
    if (waits)
        gos__fd_closed(fd);
    return (int)gos__io_result(result);
}

/* All but the runtime's own, which stay. */
int gos__io_close_range(unsigned first, unsigned last, int flags)
{
    if (gos__fork_pending)
        return (int)gos__io_result(GOS_SYS(close_range, first, last, flags));
    return (int)gos__io_result(gos__fd_close_range(first, last, flags));
}

void gos__io_closefrom(int first)
{
    gos__io_close_range(first > 0 ? (unsigned)first : 0, ~0u, 0);
}
