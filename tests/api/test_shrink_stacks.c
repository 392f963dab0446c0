/*
 * Stacks of tasks that have ended give their memory back, whole pages at a time, wherever their tasks lay, and serve
 * again; nothing of it is lost where the kernel refuses. Pages are counted, for as long as it takes.
 */
// env: GOS_DEBUG=trim=10
// also: paged
// not-with: address thread (they keep what they know of stacks on these)
// timeout: 120
#include "tests/shrink.h"

#include <stdlib.h>

enum { TASKS = 12800, PAGED_TASKS = 1000, ROUNDS = 6 };

static gos_sem parked, go_on;
static gos_waitgroup ended;
static uintptr_t *where; /* each task's frame */
static bool is_paged;
static uint64_t draws;
static long sum;

static void stand(void *arg)
{
    long number = (long)(intptr_t)arg;
    volatile long mine = number;
    where[number] = (uintptr_t)__builtin_frame_address(0);
    gos_sem_release(&parked, 1);
    gos_sem_acquire(&go_on, 1);
    CHECK_EQ(mine, number);
    __atomic_add_fetch(&sum, number, __ATOMIC_RELAXED);
    gos_waitgroup_done(&ended);
}

/* Of the pages that tasks stood on. */
static long resident(int tasks)
{
    long n = 0;
    for (int i = 0; i < tasks; i++)
        n += resident_pages(where[i], where[i] + 1) > 0;
    return n;
}

/* Ends all of them, in an order that is not that of their stacks: they wait in one list, joined at random. */
static void crowd(int tasks)
{
    gos_waitgroup_add(&ended, tasks);
    __atomic_store_n(&sum, 0, __ATOMIC_RELAXED);
    for (long i = 0; i < tasks; i++)
        CHECK_EQ(gos_go(stand, (void *)(intptr_t)i), 0);
    gos_sem_acquire(&parked, tasks);
    CHECK(resident(tasks) == tasks);
    for (int left = tasks; left;) {
        int some = 1 + (int)(test_random(&draws) % 500);
        some = some < left ? some : left;
        gos_sem_release(&go_on, some);
        left -= some;
        gos_yield();
    }
    gos_waitgroup_wait(&ended);
    CHECK_EQ(sum, (long)tasks * (tasks - 1) / 2);
}

static int run(void *unused)
{
    (void)unused;
    int tasks = is_paged ? PAGED_TASKS : TASKS;
    for (int round = 0; round < ROUNDS; round++) {
        bool is_refused = round % 3 == 1, goes_on = round % 3 == 2; /* which takes what is half sorted */
        long before = __atomic_load_n(&refused, __ATOMIC_RELAXED);
        __atomic_store_n(&refuse, is_refused ? MADV_DONTNEED : 0, __ATOMIC_RELAXED);
        crowd(tasks);
        while (is_refused && __atomic_load_n(&refused, __ATOMIC_RELAXED) < before + 10)
            gos_sleep(1000000);
        /* Workers keep a few magazines, and strays of theirs keep plots. */
        while (!is_refused && !goes_on && resident(tasks) > tasks / 4)
            gos_sleep(1000000);
    }
    return 0;
}

int main(void)
{
    const char *debug = getenv("GOS_DEBUG");
    is_paged = debug && strstr(debug, "paged");
    draws = test_seed();
    where = calloc(TASKS, sizeof *where);
    CHECK(where != NULL);
    CHECK_EQ(gos_run(run, NULL), 0);
    free(where);
    return 0;
}
