/* Sleeping by POSIX calls parks: ten thousand sleep as long as one. */
// also: paged
#include <gossamer.h>

#include <errno.h>
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
    CHECK_EQ(sleep(0), 0);
    before = gos_now();
    CHECK_EQ(sleep(1), 0);
    CHECK(gos_now() - before >= 1000l * MS);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
