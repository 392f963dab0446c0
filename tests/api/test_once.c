/* gos_once_do: fn runs once, to its end before any call returns, on the caller's stack however deep it goes. */
// also: paged
#include <gossamer.h>

#include "tests/test.h"

enum { TASKS = 200 };

static gos_waitgroup all;
static gos_once once = GOS_ONCE_INIT, nested_outer, nested_inner;
static int runs, value;

__attribute__((noinline)) static int deep(int depth)
{
    volatile char frame[500];
    frame[0] = 1;
    return depth ? deep(depth - 1) + frame[0] : 0;
}

static void init(void *arg)
{
    CHECK_EQ(deep(40), 40);
    runs++;
    gos_sleep(2000000);
    char text[64];
    CHECK(snprintf(text, sizeof text, "%p", arg) > 0);
    value = *(int *)arg;
}

static void user(void *arg)
{
    gos_once_do(&once, init, arg);
    CHECK_EQ(value, 42);
    gos_once_do(&once, init, arg);
    gos_waitgroup_done(&all);
}

static void inner(void *arg)
{
    runs++;
    (void)arg;
}

static void outer(void *arg)
{
    gos_once_do(&nested_inner, inner, arg);
    runs++;
}

/* Little of the nursery is left when it is called, by a frame that the prologue passes as small. */
__attribute__((noinline)) static void from_the_edge(int depth)
{
    volatile char frame[16];
    frame[0] = 1;
    gos_once here = GOS_ONCE_INIT;
    int before = runs;
    gos_once_do(&here, inner, NULL);
    gos_once_do(&here, inner, NULL);
    CHECK_EQ(runs, before + 1);
    if (depth)
        from_the_edge(depth - 1);
    CHECK_EQ(frame[0], 1);
}

static void edge_task(void *arg)
{
    (void)arg;
    from_the_edge(20);
    gos_waitgroup_done(&all);
}

static int body(void *arg)
{
    (void)arg;
    int answer = 42;
    once = (gos_once)GOS_ONCE_INIT;
    runs = value = 0;
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(user, &answer), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(runs, 1);

    nested_outer = nested_inner = (gos_once){ 0 };
    gos_once_do(&nested_outer, outer, NULL);
    gos_once_do(&nested_inner, inner, NULL);
    CHECK_EQ(runs, 3);

    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(edge_task, NULL), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    return 0;
}
