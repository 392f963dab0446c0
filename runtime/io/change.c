/* change.c: calls that change what a descriptor number is, or whether and for how long its calls block (slot.h). */
#define _GNU_SOURCE 1 /* F_DUPFD_CLOEXEC */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"

int gos__io_dup(int fd)
{
    long made = GOS_SYS(dup, fd);
    if (made >= 0)
        gos__io_duplicated((int)made);
    return (int)gos__io_result(made);
}

int gos__io_dup3(int from, int to, int flags)
{
    bool replaces = from != to && GOS_SYS(fcntl, from, F_GETFD) >= 0;
    int waits = replaces ? gos__io_closing(to) : 0;
    if (waits < 0)
        return (int)gos__io_fail(-waits);
    long result = GOS_SYS(dup3, from, to, flags);
    if (waits)
        gos__fd_closed(to);
    if (result >= 0)
        gos__io_duplicated(to);
    return (int)gos__io_result(result);
}

int gos__io_dup2(int from, int to)
{
    return from == to ? (int)gos__io_result(GOS_SYS(dup2, from, to)) : gos__io_dup3(from, to, 0);
}

int gos__io_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    long result = GOS_SYS(setsockopt, fd, level, option, value, size);
    if (gos__io_sets_limit(level, option))
        gos__io_changed(fd);
    return (int)gos__io_result(result);
}

int gos__io_ioctl(int fd, unsigned long request, void *arg)
{
    long result = GOS_SYS(ioctl, fd, request, arg);
    if (request == FIONBIO)
        gos__io_changed(fd);
    return (int)gos__io_result(result);
}
