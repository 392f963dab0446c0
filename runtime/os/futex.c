#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/config.h"

int64_t gos__clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if GOS_TSAN
#define TURN_NS 100000000

size_t __interceptor_strlen(const char *text);

int64_t gos__sleep_turn(int64_t deadline)
{
    int64_t turn = gos__clock_ns() + TURN_NS;
    return turn < deadline ? turn : deadline;
}

void gos__run_handlers(void)
{
    __interceptor_strlen(""); /* each of its functions does it when it ends */
}
#endif

void gos__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
    int error = errno; /* of a thread of the program, whose call sets none */
    int64_t turn;
    long failed;
    do {
        turn = gos__sleep_turn(deadline);
        struct timespec until = { .tv_sec = turn / 1000000000, .tv_nsec = turn % 1000000000 };
        /* WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, so a wait that is repeated does not stretch. */
        failed = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                         turn == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
        gos__run_handlers();
    } while (turn != deadline && failed && errno == ETIMEDOUT);
    errno = error;
}

bool gos__futex_wait_until(uint32_t *word, uint32_t expected, clockid_t clock, const struct timespec *until)
{
    int operation = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | (clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
    long failed = 0;
    while (gos__load_acquire(word) == expected && !(failed && errno == ETIMEDOUT)) {
        int type;
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
        failed = syscall(SYS_futex, word, operation, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
        pthread_setcanceltype(type, NULL);
    }
    return gos__load_acquire(word) != expected;
}

void gos__futex_wake(uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

int64_t gos__timer_slack(int64_t ns)
{
    int former = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, (unsigned long)ns);
    return former < 0 ? 0 : former; /* given back, -1 would be centuries */
}

int32_t gos__thread_id(void)
{
    return (int32_t)syscall(SYS_gettid);
}

int64_t gos__thread_cpu_ns(int32_t tid)
{
    /* As the kernel encodes it (include/linux/posix-timers.h): thread, scheduler's clock. */
    clockid_t clock = (clockid_t)(~(uint32_t)tid << 3 | 6);
    struct timespec used;
    return clock_gettime(clock, &used) ? 0 : (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* By number throughout: the interposed calls would look for tasks that wait. Opened so as well, or thread sanitizer,
 * which does not see the end of such a descriptor, would take the next with its number for the same. */
void gos__fd_close(int fd)
{
    syscall(SYS_close, fd);
}

int gos__fd_high(int fd)
{
    int high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, GOS_HIGH_FD);
    if (high < 0)
        return fd;
    gos__fd_close(fd);
    return high;
}

void gos__fd_room(void)
{
    struct stat threads; /* a link for each thread, and two more (proc(5), /proc/pid/task) */
    if (stat("/proc/self/task", &threads) || threads.st_nlink != 3)
        return;
    int fd = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (fd >= 0)
        gos__fd_close(gos__fd_high(fd));
}

uint64_t gos__signal_mask(void)
{
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof mask);
    return mask;
}

uint64_t gos__signals_block(void)
{
    uint64_t all = ~(uint64_t)0, mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
    return mask;
}

void gos__signals_restore(uint64_t mask)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

long gos__close_range(unsigned first, unsigned last, int flags)
{
    return syscall(SYS_close_range, first, last, flags) ? -errno : 0;
}

_Noreturn void gos__sleep_for_ever(void)
{
    for (;;)
        pause();
}
