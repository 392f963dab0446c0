/*
 * child.c: waiting for child processes. A child that is named can be waited for as a descriptor (pidfd_open); it ends,
 * that is to say: stops and continuations, and any child or group of them, block the thread.
 */
#define _GNU_SOURCE 1 /* F_DUPFD_CLOEXEC, P_PIDFD */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/io.h"

/* A descriptor for that child, with a number out of the program's way; or -errno. */
static int open_child(pid_t pid)
{
    long fd = GOS_SYS(pidfd_open, pid, 0);
    long high = fd < 0 ? fd : GOS_SYS(fcntl, fd, F_DUPFD_CLOEXEC, GOS_HIGH_FD);
    if (high < 0)
        return (int)fd;
    GOS_SYS(close, fd);
    return (int)high;
}

/* Parks until the child that `fd` stands for has ended. 0: look again; 1: it cannot be waited for so; -EINTR. */
static int park_on_child(int fd, const gos__io_signals *signals)
{
    struct pollfd child = { .fd = fd, .events = POLLIN };
    return gos__io_park_on(&child, 1, INT64_MAX, signals);
}

static GOS_NOINLINE long wait_for(pid_t pid, int *status, int options, struct rusage *usage)
{
    gos__request request = { .number = SYS_wait4, .arg = { pid, (long)status, options, (long)usage } };
    int fd = pid > 0 && !(options & ~WNOHANG) ? open_child(pid) : -EINVAL;
    if (fd < 0)
        return gos__io_blocking(&request);
    request.arg[2] |= WNOHANG;
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    int parked = 0;
    long result = 0;
    while (!(result = gos__io_make(&request)) && !parked)
        parked = park_on_child(fd, &signals);
    gos__io_close(fd);
    if (result || parked < 0)
        return result ? result : parked;
    request.arg[2] = options;
    return gos__io_blocking(&request);
}

pid_t gos__io_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    long result = GOS_SYS(wait4, pid, status, options | WNOHANG, usage);
    if (!result && !(options & WNOHANG))
        result = wait_for(pid, status, options, usage);
    return (pid_t)gos__io_result(result);
}

pid_t gos__io_wait3(int *status, int options, struct rusage *usage)
{
    return gos__io_wait4(-1, status, options, usage);
}

pid_t gos__io_waitpid(pid_t pid, int *status, int options)
{
    return gos__io_wait4(pid, status, options, NULL);
}

pid_t gos__io_wait(int *status)
{
    return gos__io_wait4(-1, status, 0, NULL);
}

/* Of a siginfo_t of its own, since only there is the answer of a call with WNOHANG that found nothing. */
static long look(idtype_t type, id_t id, siginfo_t *found, int options)
{
    found->si_pid = 0;
    long result = GOS_SYS(waitid, type, id, found, options | WNOHANG, NULL);
    return result ? result : found->si_pid;
}

static GOS_NOINLINE long wait_for_id(idtype_t type, id_t id, siginfo_t *found, int options)
{
    int own = -1;
    bool ends_only = !(options & (WSTOPPED | WCONTINUED));
    if (type == P_PID && ends_only)
        own = open_child((pid_t)id);
    int fd = type == P_PIDFD && ends_only ? (int)id : own;
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    int parked = fd < 0;
    long result = 0;
    while (!parked && !(result = look(type, id, found, options)))
        parked = park_on_child(fd, &signals);
    if (own >= 0)
        gos__io_close(own);
    if (result || parked < 0)
        return result ? result : parked;
    gos__request request = { .number = SYS_waitid, .arg = { (long)type, (long)id, (long)found, options } };
    return gos__io_blocking(&request);
}

/* A descriptor that the program has made with PIDFD_NONBLOCK. */
static bool is_prompt(idtype_t type, id_t id)
{
    long flags = type == P_PIDFD ? GOS_SYS(fcntl, (int)id, F_GETFL) : 0;
    return flags > 0 && flags & O_NONBLOCK;
}

int gos__io_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    siginfo_t found;
    long result = look(type, id, &found, options);
    if (!result && !(options & WNOHANG))
        result = is_prompt(type, id) ? -EAGAIN : wait_for_id(type, id, &found, options);
    if (info && result >= 0)
        *info = found;
    return (int)gos__io_result(result < 0 ? result : 0);
}
