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

enum { ROUNDS = 3, CALLS = 400, CALL_NS = 200000, COMPUTE_MS = 25, TRIES = 5 };

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

/* For how long the monitor, this program's first thread, was ready to run and had no processor; 0 where the kernel does
 * not tell. */
static int64_t monitor_waited_ns(void)
{
    int64_t waited = 0;
    FILE *file = fopen("/proc/self/schedstat", "r");
    if (file && fscanf(file, "%*d %" SCNd64, &waited) != 1)
        waited = 0;
    if (file)
        fclose(file);
    return waited;
}

/* A round that `fn` blocks in; the hand-offs meanwhile lie in these bounds, or the monitor had to wait for processors a
 * quarter of the time, which says nothing: then another one. */
static void judge(void (*fn)(void *), int64_t least, int64_t most)
{
    for (int tries = 0; tries < TRIES; tries++) {
        for (int64_t until = gos_now() + COMPUTE_MS * INT64_C(1000000); gos_now() < until;)
            gos_yield(); /* until the pauses are long, and the last hand-off is long ago */
        int64_t n = -handoffs(), took = -gos_now(), waited = -monitor_waited_ns();
        blocking = 1;
        CHECK_EQ(gos_go(fn, NULL), 0);
        while (__atomic_load_n(&blocking, __ATOMIC_ACQUIRE))
            gos_yield();
        waited += monitor_waited_ns();
        took += gos_now();
        n += handoffs();
        printf("%d calls, %d hand-offs; the monitor waited for %d of %d us\n", CALLS, (int)n, (int)(waited / 1000),
               (int)(took / 1000));
        if (n >= least && n <= most)
            return;
        CHECK(waited >= took / 4);
    }
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(computes, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        judge(blocks, CALLS / 50, INT64_MAX);
    judge(roams, 1, CALLS / 8);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
