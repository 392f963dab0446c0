/*
 * A task that blocks for moments, again and again, each time for less than two of the monitor's long pauses: its worker
 * goes to others meanwhile, also where the monitor had found for long that all tasks compute. And it goes once for many
 * calls, where the task does not enter the runtime between them.
 */
// also: paged
// timeout: 120
// env: GOS_PROCS=1
#include <gossamer.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/test.h"

enum { ROUNDS = 3, CALLS = 400, CALL_NS = 200000, COMPUTE_MS = 25 };

static int64_t handoffs(void)
{
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    return stats.handoffs;
}

static int blocking, over;

/* Not the nanosleep of <time.h>, which would park. */
static void blocks(void *unused)
{
    (void)unused;
    const struct timespec moment = { .tv_nsec = CALL_NS };
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQ(syscall(SYS_nanosleep, &moment, NULL), 0);
        gos_yield();
    }
    __atomic_store_n(&blocking, 0, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) void call(const struct timespec *moment)
{
    CHECK_EQ(syscall(SYS_nanosleep, moment, NULL), 0);
}

/* Each call has a checked prologue before it. */
static void roams(void *unused)
{
    (void)unused;
    const struct timespec moment = { .tv_nsec = CALL_NS };
    for (int i = 0; i < CALLS; i++)
        call(&moment);
    __atomic_store_n(&blocking, 0, __ATOMIC_RELEASE);
}

static void computes(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        gos_yield();
}

static int64_t handoffs_of(void (*fn)(void *))
{
    for (int64_t until = gos_now() + COMPUTE_MS * INT64_C(1000000); gos_now() < until;)
        gos_yield(); /* until the pauses are long, and the last hand-off is long ago */
    int64_t before = handoffs();
    blocking = 1;
    CHECK_EQ(gos_go(fn, NULL), 0);
    while (__atomic_load_n(&blocking, __ATOMIC_ACQUIRE))
        gos_yield();
    int64_t n = handoffs() - before;
    printf("%d calls, %d hand-offs\n", CALLS, (int)n);
    return n;
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(computes, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        CHECK(handoffs_of(blocks) >= CALLS / 50);
    int64_t n = handoffs_of(roams);
    CHECK(n >= 1 && n <= CALLS / 8);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
