/* gos_go, gos_exit, gos_ntasks. */
// not-with: emulator (more tasks than there are mappings for guards)
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/test.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

enum { FOREIGN = 4 };

static int tasks; /* many */
static _Atomic long ran, sum;
static gos_waitgroup all;
static gos_chan *gate;

static void add(void *arg)
{
    atomic_fetch_add(&ran, 1);
    atomic_fetch_add(&sum, (long)(intptr_t)arg);
    gos_waitgroup_done(&all);
}

static void wait_at_gate(void *arg)
{
    CHECK(arg == NULL);
    CHECK_EQ(gos_chan_recv(gate, NULL), -EPIPE);
    gos_waitgroup_done(&all);
}

static void count_is(long n)
{
    while (gos_ntasks() != n) /* it may lag */
        gos_sleep(1000000);
}

static void many_short(void)
{
    ran = sum = 0;
    gos_waitgroup_add(&all, tasks);
    for (intptr_t i = 0; i < tasks; i++)
        CHECK_EQ(gos_go(add, (void *)i), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(ran, tasks);
    CHECK_EQ(sum, (long)tasks * (tasks - 1) / 2);
    count_is(1);
}

static void many_at_once(void)
{
    CHECK((gate = gos_chan_new(0, 0)) != NULL);
    gos_waitgroup_add(&all, tasks);
    for (int i = 0; i < tasks; i++)
        CHECK_EQ(gos_go(wait_at_gate, NULL), 0);
    CHECK_EQ(gos_ntasks(), tasks + 1);
    CHECK_EQ(gos_chan_close(gate), 0);
    gos_waitgroup_wait(&all);
    count_is(1);
    gos_chan_free(gate);
}

__attribute__((noinline)) static void leave(int depth)
{
    volatile char frame[5000];
    REAL(frame);
    frame[0] = 1;
    if (depth > 0)
        leave(depth - 1);
    if (frame[0] == 1) {
        gos_waitgroup_done(&all);
        gos_exit();
    }
}

static void exits(void *arg)
{
    leave((int)(intptr_t)arg); /* from the depth, regions and all */
    CHECK(!"gos_exit came back");
}

static void exit_deep(void)
{
    for (int round = 0; round < 100; round++) {
        gos_waitgroup_add(&all, 30);
        for (intptr_t depth = 0; depth < 30; depth++)
            CHECK_EQ(gos_go(exits, (void *)depth), 0);
        gos_waitgroup_wait(&all);
    }
    count_is(1);
}

static void *foreign(void *unused)
{
    (void)unused;
    for (intptr_t i = 0; i < tasks / FOREIGN; i++)
        CHECK_EQ(gos_go(add, (void *)i), 0);
    CHECK(gos_ntasks() >= 1);
    return NULL;
}

static void by_foreign_threads(void)
{
    pthread_t threads[FOREIGN];
    ran = 0;
    gos_waitgroup_add(&all, tasks / FOREIGN * FOREIGN);
    for (int i = 0; i < FOREIGN; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, foreign, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(ran, tasks / FOREIGN * FOREIGN);
    for (int i = 0; i < FOREIGN; i++)
        pthread_join(threads[i], NULL);
    count_is(1);
}

static int run(void *unused)
{
    (void)unused;
    many_short();
    many_at_once();
    exit_deep();
    by_foreign_threads();
    return 0;
}

/* gos_exit ends the main task alone: the others go on. */
static void last_one(void *unused)
{
    (void)unused;
    count_is(1);
    _exit(0);
}

static int main_exits(void *unused)
{
    CHECK_EQ(gos_go(last_one, unused), 0);
    gos_exit();
}

int main(void)
{
    const char *san = getenv("SAN"), *debug = getenv("GOS_DEBUG");
    tasks = (san && *san) || debug ? 5000 : 100000;
    CHECK_EQ(gos_go(add, NULL), -EPERM);
    gos_procs(2);
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK_EQ(gos_go(add, NULL), -EPERM);
    CHECK_EQ(gos_ntasks(), 0);
    gos_run(main_exits, NULL);
    return 1;
}
