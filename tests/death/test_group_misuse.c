/* Groups, loops and barriers: misuse ends the program with one line, and so does gos_exit where others wait for the
 * function that calls it; elsewhere, and afterwards, it is allowed. */
// also: paged
#include <gossamer.h>
#include <gossamer/group.h>

#include "tests/death/death.h"

static gos_group group;
static gos_once once;

static void in_a_run(void *fn)
{
    gos_run((int (*)(void *))fn, NULL);
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void part(long from, long to, void *unused)
{
    (void)from, (void)to, (void)unused;
}

static int go_in_null(void *unused)
{
    return gos_group_go(NULL, nothing, unused);
}

static int go_null(void *unused)
{
    return gos_group_go(&group, NULL, unused);
}

static int wait_for_null(void *unused)
{
    (void)unused;
    return gos_group_wait(NULL);
}

static int loop_over_null(void *unused)
{
    gos_parallel_for(0, 9, 1, NULL, unused);
    return 0;
}

static int no_grain(void *unused)
{
    gos_parallel_for(0, 9, 0, part, unused);
    return 0;
}

static int barrier_null(void *unused)
{
    (void)unused;
    return gos_barrier_wait(NULL);
}

static int barrier_for_nobody(void *unused)
{
    (void)unused;
    static gos_barrier barrier;
    return gos_barrier_wait(&barrier);
}

/* ---- gos_exit ---- */

static int leaves(void *unused)
{
    gos_yield();
    gos_exit();
    (void)unused;
    return 0;
}

static int member_leaves(void *unused)
{
    gos_group_go(&group, leaves, unused);
    return gos_group_wait(&group);
}

static void part_leaves(long from, long to, void *at)
{
    (void)to;
    if (from == (long)at)
        leaves(NULL);
}

static int first_part_leaves(void *unused)
{
    gos_parallel_for(0, 16, 1, part_leaves, (void *)0);
    (void)unused;
    return 0;
}

static int last_part_leaves(void *unused)
{
    gos_parallel_for(0, 16, 1, part_leaves, (void *)15);
    (void)unused;
    return 0;
}

static void once_leaves(void *unused)
{
    leaves(unused);
}

static int leaves_once(void *unused)
{
    gos_once_do(&once, once_leaves, unused);
    return 0;
}

static void once_within(void *unused)
{
    gos_parallel_for(0, 16, 1, part, unused);
}

static int leaves_member_after_once(void *unused)
{
    gos_once_do(&once, once_within, unused);
    return leaves(unused);
}

static int still_owes(void *unused)
{
    gos_group_go(&group, leaves_member_after_once, unused);
    return gos_group_wait(&group);
}

static void may_leave(void *chan)
{
    static gos_once other;
    gos_once_do(&other, once_within, NULL);
    gos_parallel_for(0, 16, 1, part, NULL);
    gos_chan_send(chan, NULL);
    gos_exit();
}

static int afterwards(void *unused)
{
    gos_chan *chan = gos_chan_new(0, 0);
    (void)unused;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(gos_go(may_leave, chan), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(gos_chan_recv(chan, NULL), 0);
    while (gos_ntasks() > 1)
        gos_yield();
    gos_chan_free(chan);
    return 0;
}

int main(void)
{
    const char *const owes[] = { "gossamer: gos_exit: in a function that others wait for *: return from it", NULL };
    const struct {
        const char *name, *said;
        int (*fn)(void *);
    } cases[] = {
        { "a task in no group", "gossamer: gos_group_go: the group is NULL", go_in_null },
        { "no function for a group", "gossamer: gos_group_go: fn is NULL", go_null },
        { "wait for no group", "gossamer: gos_group_wait: the group is NULL", wait_for_null },
        { "loop without a function", "gossamer: gos_parallel_for: fn is NULL", loop_over_null },
        { "loop without a grain", "gossamer: gos_parallel_for: the grain is below 1", no_grain },
        { "no barrier", "gossamer: gos_barrier_wait: the barrier is NULL", barrier_null },
        { "barrier for nobody", "gossamer: gos_barrier_wait: the barrier is for nobody", barrier_for_nobody },
        { "exit in a group", owes[0], member_leaves },
        { "exit in the first part", owes[0], first_part_leaves },
        { "exit in the last part", owes[0], last_part_leaves },
        { "exit in once", owes[0], leaves_once },
        { "exit in a group, after once", owes[0], still_owes },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const said[] = { cases[i].said, NULL };
        expect_death(cases[i].name, in_a_run, (void *)(uintptr_t)cases[i].fn, SIGABRT, 0, said);
    }
    CHECK_EQ(gos_run(afterwards, NULL), 0);
    return 0;
}
