/* gossamer/group.h: groups tell the first failure and cancel; loops cover each index once; barriers keep rounds
 * apart. */
// also: paged
#include <gossamer.h>
#include <gossamer/group.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "tests/test.h"

enum { TASKS = 50, N = 10000, ROUNDS = 100 };

static uint32_t ran;

static int succeed(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return 0;
}

static int fail_once(void *error)
{
    gos_yield();
    return (int)(intptr_t)error;
}

static int until_cancelled(void *context)
{
    CHECK_EQ(gos_chan_recv(gos_context_done(context), NULL), -EPIPE);
    return gos_context_cause(context);
}

static void groups(void)
{
    gos_group group = GOS_GROUP_INIT;
    ran = 0;
    CHECK_EQ(gos_group_wait(&group), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_group_go(&group, succeed, NULL), 0);
    CHECK_EQ(gos_group_wait(&group), 0);
    CHECK_EQ(ran, TASKS);
    group.context = gos_context_new(NULL, INT64_MAX);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_group_go(&group, until_cancelled, group.context), 0);
    CHECK_EQ(gos_group_go(&group, fail_once, (void *)-EIO), 0);
    CHECK_EQ(gos_group_wait(&group), -EIO);
    CHECK_EQ(gos_context_cause(group.context), -EIO);
    gos_context_free(group.context);
    group.context = NULL;
    CHECK_EQ(gos_group_go(&group, succeed, NULL), 0);
    CHECK_EQ(gos_group_wait(&group), 0);
}

static uint8_t seen[N];

static void see(long from, long to, void *arg)
{
    CHECK(to > from && to - from <= (intptr_t)arg);
    for (long i = from; i < to; i++)
        seen[i]++;
}

static long next_begin;

static void see_in_order(long from, long to, void *grain)
{
    CHECK(from < to && (unsigned long)to - (unsigned long)from <= (unsigned long)(intptr_t)grain);
    CHECK_EQ(next_begin, from);
    next_begin = to;
}

static void as_far_as_there_are_numbers(void)
{
    next_begin = LONG_MIN;
    gos_parallel_for(LONG_MIN, LONG_MAX, LONG_MAX / 4, see_in_order, (void *)(LONG_MAX / 4));
    CHECK_EQ(next_begin, LONG_MAX);
}

static void loops(void)
{
    for (intptr_t grain = 1; grain < 3 * N; grain = grain * 7 + 1) {
        memset(seen, 0, sizeof seen);
        gos_parallel_for(10, N, grain, see, (void *)grain);
        for (int i = 0; i < N; i++)
            CHECK_EQ(seen[i], i >= 10);
    }
    gos_parallel_for(5, 5, 1, see, NULL);
}

static gos_barrier barrier = GOS_BARRIER_INIT(TASKS + 1);
static gos_waitgroup all;
static uint32_t arrived, lasts;

static void rounds(int n)
{
    for (int i = 1; i <= n; i++) {
        __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
        int last = gos_barrier_wait(&barrier);
        CHECK_EQ(__atomic_load_n(&arrived, __ATOMIC_RELAXED), (TASKS + 1) * (uint32_t)i);
        __atomic_fetch_add(&lasts, (uint32_t)last, __ATOMIC_RELAXED);
        gos_barrier_wait(&barrier);
    }
}

static void take_part(void *unused)
{
    (void)unused;
    rounds(ROUNDS);
    gos_waitgroup_done(&all);
}

static void *thread_takes_part(void *unused)
{
    rounds(ROUNDS);
    return unused;
}

static void barriers(void)
{
    pthread_t thread;
    arrived = lasts = 0;
    gos_waitgroup_add(&all, TASKS);
    CHECK_EQ(pthread_create(&thread, NULL, thread_takes_part, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(take_part, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(lasts, ROUNDS);
}

static int body(void *unused)
{
    (void)unused;
    groups();
    loops();
    barriers();
    return 0;
}

int main(void)
{
    as_far_as_there_are_numbers(); /* outside a run nothing is in parallel */
    gos_group outside = GOS_GROUP_INIT;
    CHECK_EQ(gos_group_go(&outside, succeed, NULL), -EPERM);
    CHECK_EQ(gos_group_wait(&outside), -EPERM);
    for (int procs = 1; procs <= 3; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    return 0;
}
