/* wait.c: parking a call that would block, and trying again. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/io.h"

_Noreturn void __chk_fail(void); /* glibc's end of a program whose buffer is too small */

GOS_NOINLINE long gos__io_fail(long error)
{
    errno = (int)error;
    return -1;
}

GOS_NOINLINE _Noreturn void gos__io_overflow(void)
{
    __chk_fail();
}

int64_t gos__io_deadline(int64_t seconds, int64_t ns)
{
    int64_t now = gos_now();
    if (seconds >= (INT64_MAX - now) / 1000000000 - 1)
        return INT64_MAX;
    return now + seconds * 1000000000 + ns;
}

static int64_t time_limit(int fd, int option)
{
    struct timeval limit = { .tv_sec = 0 };
    socklen_t size = sizeof limit;
    if (!option || GOS_SYS(getsockopt, fd, SOL_SOCKET, option, &limit, &size) || (!limit.tv_sec && !limit.tv_usec))
        return INT64_MAX;
    return gos__io_deadline(limit.tv_sec, limit.tv_usec * 1000);
}

GOS_NOINLINE int gos__io_park(int fd, uint32_t events, int option, int64_t *deadline)
{
    if (!*deadline) {
        long flags = GOS_SYS(fcntl, fd, F_GETFL);
        if (flags < 0)
            return (int)flags;
        if (flags & O_NONBLOCK)
            return -EAGAIN;
        if ((flags & O_ACCMODE) == (events & GOS_POLL_OUT ? O_RDONLY : O_WRONLY))
            return 1; /* an error, which the call itself gives */
        *deadline = time_limit(fd, option);
    }
    gos__fd_record record = { .fd = fd, .events = events };
    gos__fd_wait wait = { .deadline = *deadline, .records = &record, .n = 1 };
    int result = gos__fd_park(&wait);
    if (wait.deadline != INT64_MAX)
        gos__fd_done(&wait);
    if (result == -ETIMEDOUT)
        return -EAGAIN;
    return !result || result == -EBADF ? result : 1;
}

GOS_NOINLINE int gos__io_park_on(struct pollfd *fds, nfds_t n, int64_t deadline)
{
    gos__fd_record one, *records = n == 1 ? &one : gos__fd_alloc(n);
    if (!records)
        return 1;
    gos__fd_wait wait = { .deadline = deadline, .records = records };
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].fd >= 0)
            records[wait.n++] = (gos__fd_record){ .fd = fds[i].fd, .events = (uint16_t)fds[i].events };
    int result = gos__fd_park(&wait);
    gos__fd_done(&wait);
    if (records != &one)
        gos__fd_free(records);
    return !result || result == -EBADF ? 0 : result == -ETIMEDOUT ? result : 1;
}

GOS_NOINLINE long gos__io_again(gos__request *request, uint32_t events, int option)
{
    int64_t deadline = 0;
    for (;;) {
        long result = gos__io_park((int)request->arg[0], events, option, &deadline);
        if (result < 0)
            return result;
        if (result)
            request->arg[request->flags_at] &= ~(long)MSG_DONTWAIT;
        result = gos__io_make(request);
        if (result != -EAGAIN || !(request->arg[request->flags_at] & MSG_DONTWAIT))
            return result;
    }
}

/* Between poll and the call another reader may be quicker: then the thread blocks, and its worker is handed on. */
GOS_NOINLINE long gos__io_polled(const gos__request *request, uint32_t events, int option)
{
    int64_t deadline = 0;
    for (;;) {
        struct pollfd fd = { .fd = (int)request->arg[0], .events = (short)events };
        if (GOS_SYS(poll, &fd, 1, 0))
            break;
        int result = gos__io_park(fd.fd, events, option, &deadline);
        if (result == -EAGAIN && deadline)
            return result;
        if (result == 1 || result == -EAGAIN) /* O_NONBLOCK: the call says so itself */
            break;
        if (result)
            return result;
    }
    return gos__io_make(request);
}
