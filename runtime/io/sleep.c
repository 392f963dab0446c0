/* sleep.c: sleeping parks on the worker's timers. The main task's can be interrupted, so it waits as poll does, for no
 * descriptor. */
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

/* Sleeps; 0, or what was left when a signal handler had run. */
static GOS_NOINLINE int64_t sleep_for(int64_t ns, const gos__io_signals *signals)
{
    if (ns <= 0 || !signals->interrupts) {
        gos_sleep(ns);
        return 0;
    }
    int64_t deadline = gos__io_deadline(0, ns), left;
    int result;
    do
        result = gos__io_park_on(NULL, 0, deadline, signals);
    while (!result);
    left = deadline - gos_now();
    if (result == 1)
        gos_sleep(left);
    return result == -EINTR && left > 0 ? left : 0;
}

static int64_t sleep_from_now(int64_t ns)
{
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY);
    return sleep_for(ns, &signals);
}

static int interrupted(int64_t ns, struct timespec *left)
{
    if (left)
        *left = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    return EINTR;
}

int gos__io_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (!is_time(time))
        return (int)GOS_SYS(nanosleep, time, left) < 0 ? (int)gos__io_fail(EINVAL) : 0;
    int64_t ns = sleep_from_now(duration(time));
    return ns ? (int)gos__io_fail(interrupted(ns, left)) : 0;
}

int gos__io_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    struct timespec now;
    if (clock == CLOCK_THREAD_CPUTIME_ID)
        return EINVAL; /* as the C library has it */
    /* The clock of the process's CPU time, and what is not valid, go to the kernel. */
    if (!is_time(time) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME))
        return (int)-GOS_SYS(clock_nanosleep, clock, flags, time, left);
    if (!(flags & TIMER_ABSTIME)) {
        int64_t ns = sleep_from_now(duration(time));
        return ns ? interrupted(ns, left) : 0;
    }
    gos__io_signals signals = gos__io_signals_now(GOS_BY_ANY);
    for (;;) {
        GOS_SYS(clock_gettime, clock, &now);
        int64_t ns = duration(time) - duration(&now);
        if (ns <= 0)
            return 0;
        if (sleep_for(ns, &signals))
            return EINTR;
    }
}

int gos__io_usleep(useconds_t us)
{
    return sleep_from_now(us * 1000ll) ? (int)gos__io_fail(EINTR) : 0;
}

unsigned gos__io_sleep(unsigned seconds)
{
    int64_t left = sleep_from_now(seconds * 1000000000ll);
    return (unsigned)((left + 500000000) / 1000000000); /* rounded, as the C library has it */
}
