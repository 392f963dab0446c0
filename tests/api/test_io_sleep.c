/* Sleeping by POSIX calls parks: ten thousand sleep as long as one. */
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "tests/test.h"

enum { SLEEPERS = 10000, MS = 1000000 };

static gos_waitgroup all;

static void sleep_somehow(void *arg)
{
    struct timespec time = { .tv_nsec = 50 * MS }, until;
    switch ((intptr_t)arg % 4) {
    case 0:
        CHECK_EQ(usleep(50000), 0);
        break;
    case 1:
        CHECK_EQ(nanosleep(&time, NULL), 0);
        break;
    case 2:
        CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL), 0);
        break;
    default:
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 50 * MS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), 0);
    }
    gos_waitgroup_done(&all);
}

static void nothing(int signal)
{
    (void)signal;
}

static void sleep_for_ever(void *error)
{
    struct timespec most = { .tv_sec = INT64_MAX, .tv_nsec = 999999999 };
    *(int *)error = nanosleep(&most, NULL) ? errno : 0;
}

static void interrupt(void *unused)
{
    (void)unused;
    gos_sleep(5 * MS);
    kill(getpid(), SIGUSR1);
}

static void write_soon(void *fd)
{
    gos_sleep(5 * MS);
    CHECK_EQ(write(*(int *)fd, "x", 1), 1);
    gos_waitgroup_done(&all);
}

/* Times that the clock's cannot be added to. */
static void for_ever(void)
{
    static int error = -1;
    signal(SIGUSR1, nothing);
    CHECK_EQ(gos_go(sleep_for_ever, &error), 0);
    CHECK_EQ(gos_go(interrupt, NULL), 0);
    int mine = -1;
    sleep_for_ever(&mine);
    CHECK_EQ(mine, EINTR); /* the main task's ends by the signal alone, */
    CHECK_EQ(error, -1);   /* and the other's not at all */

    int pair[2];
    char byte;
    struct timeval most = { .tv_sec = INT64_MAX / 1000000000 - 2 }, found;
    socklen_t size = sizeof found;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most), 0);
    CHECK_EQ(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &found, &size), 0);
    CHECK(!found.tv_sec || found.tv_sec == most.tv_sec);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(write_soon, &pair[1]), 0);
    CHECK_EQ(read(pair[0], &byte, 1), 1);
    gos_waitgroup_wait(&all);
    close(pair[0]), close(pair[1]);
}

static int run(void *arg)
{
    (void)arg;
    int64_t before = gos_now();
    gos_waitgroup_add(&all, SLEEPERS);
    for (intptr_t i = 0; i < SLEEPERS; i++)
        CHECK_EQ(gos_go(sleep_somehow, (void *)i), 0);
    gos_waitgroup_wait(&all);
    CHECK(gos_now() - before >= 49l * MS);

    struct timespec none = { .tv_nsec = -1 };
    CHECK(nanosleep(&none, NULL) == -1 && errno == EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &none, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(12345, 0, &(struct timespec){ .tv_sec = 0 }, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){ .tv_sec = 1 }, NULL), 0);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){ .tv_nsec = 1 }, NULL), EINVAL);
    CHECK_EQ(sleep(0), 0);
    before = gos_now();
    CHECK_EQ(sleep(1), 0);
    CHECK(gos_now() - before >= 1000l * MS);
    for_ever();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
