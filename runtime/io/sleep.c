/* sleep.c: sleeping parks on the worker's timers. No signal ends it, so nothing is ever left of the time. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/io.h"

static bool is_time(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

static int64_t duration(const struct timespec *time)
{
    return time->tv_sec < INT64_MAX / 1000000000 ? time->tv_sec * 1000000000 + time->tv_nsec : INT64_MAX;
}

int gos__io_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (!is_time(time))
        return (int)GOS_SYS(nanosleep, time, left) < 0 ? (int)gos__io_fail(EINVAL) : 0;
    gos_sleep(duration(time));
    return 0;
}

int gos__io_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    struct timespec now;
    /* The clocks of CPU time, and what is not valid, go to the kernel. */
    if (!is_time(time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME))
        return (int)-GOS_SYS(clock_nanosleep, clock, flags, time, left);
    if (!(flags & TIMER_ABSTIME)) {
        gos_sleep(duration(time));
        return 0;
    }
    for (;;) {
        GOS_SYS(clock_gettime, clock, &now);
        int64_t ns = duration(time) - duration(&now);
        if (ns <= 0)
            return 0;
        gos_sleep(ns);
    }
}

int gos__io_usleep(useconds_t us)
{
    gos_sleep(us * 1000ll);
    return 0;
}

unsigned gos__io_sleep(unsigned seconds)
{
    gos_sleep(seconds * 1000000000ll);
    return 0;
}
