/*
 * gos_block_begin round a call that parks the task after all: its thread, which runs others meanwhile, does not pass
 * for blocked, or their worker would go from thread to thread at each look of the monitor.
 */
// not-with: paged (what computes is interrupted at checked calls)
// env: GOS_PROCS=1
#include <gossamer.h>

#include "tests/test.h"

enum { COMPUTE = 2, SLEEPS = 10, SLEEP_US = 20000, AT_MOST = SLEEPS / 2 };

static gos_waitgroup all;
static uint32_t over;

static int64_t handoffs(void)
{
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    return stats.handoffs;
}

static __attribute__((noinline)) uint32_t is_over(void)
{
    return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static void compute(void *unused)
{
    (void)unused;
    while (!is_over())
        continue;
    gos_waitgroup_done(&all);
}

static int body(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, COMPUTE);
    for (int i = 0; i < COMPUTE; i++)
        CHECK_EQ(gos_go(compute, NULL), 0);
    int64_t before = handoffs();
    for (int i = 0; i < SLEEPS; i++) {
        gos_block_begin();
        CHECK_EQ(usleep(SLEEP_US), 0);
        gos_block_end();
    }
    int64_t n = handoffs() - before;
    printf("%d hand-offs\n", (int)n);
    CHECK(n <= AT_MOST);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    return gos_run(body, NULL);
}
