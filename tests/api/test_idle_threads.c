/* Threads that were needed for a burst of blocking calls end after some seconds, and a program without work is left
 * alone by all that are left. */
// env: GOS_PROCS=2
// timeout: 240
#include <gossamer.h>

#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/test.h"

enum { BLOCKED = 20, IDLE_MS = 2000, MOST_SWITCHES = 400 }; /* looks 1 ms apart would take 2000 */

static const int64_t ms = 1000000;

static int pipes[2], inside;

static void block(void *unused)
{
    (void)unused;
    char byte;
    __atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED);
    CHECK_EQ(syscall(SYS_read, pipes[0], &byte, 1), 1);
    __atomic_fetch_add(&inside, -1, __ATOMIC_RELAXED);
}

static int64_t threads(void)
{
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    return stats.threads;
}

static long switches(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(pipe(pipes), 0);
    for (int i = 0; i < BLOCKED; i++)
        CHECK_EQ(gos_go(block, NULL), 0);
    while (__atomic_load_n(&inside, __ATOMIC_RELAXED) < BLOCKED || threads() < BLOCKED)
        gos_yield();
    for (int i = 0; i < BLOCKED; i++)
        CHECK_EQ(write(pipes[1], "", 1), 1);
    while (__atomic_load_n(&inside, __ATOMIC_RELAXED) > 0)
        gos_yield();
    while (threads() > 2) /* one for each worker; without end if they stay */
        gos_sleep(100 * ms);

    long least = MOST_SWITCHES + 1; /* what the end of the others left to do may fall into the first try */
    for (int tries = 0; tries < 3 && least > MOST_SWITCHES; tries++) {
        long before = switches();
        gos_sleep(IDLE_MS * ms);
        long n = switches() - before;
        printf("%ld switches of threads in %d ms without work\n", n, IDLE_MS);
        least = n < least ? n : least;
    }
    CHECK(least <= MOST_SWITCHES);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
