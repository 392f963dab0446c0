/* gos_yield: whoever yields lets the others of its worker go first, and no task is passed over. */
// also: paged
// env: GOS_PROCS=1
#include <gossamer.h>

#include "tests/test.h"

enum { TASKS = 100, ROUNDS = 300 };

static int turns[TASKS];
static int order[TASKS * ROUNDS], n;
static gos_waitgroup all;

static void task(void *arg)
{
    int me = (int)(intptr_t)arg;
    gos_yield(); /* until all are there */
    for (int i = 0; i < ROUNDS; i++) {
        order[n++] = me;
        turns[me]++;
        gos_yield();
    }
    gos_waitgroup_done(&all);
}

/* A pair that hands over to each other without end must not keep the rest from running. */
static gos_chan *ping, *pong;
static int stop;

static void partner(void *unused)
{
    (void)unused;
    while (gos_chan_recv(ping, NULL) == 0 && gos_chan_send(pong, NULL) == 0)
        ;
    gos_waitgroup_done(&all);
}

static void leader(void *unused)
{
    (void)unused;
    while (!stop && gos_chan_send(ping, NULL) == 0 && gos_chan_recv(pong, NULL) == 0)
        ;
    CHECK_EQ(gos_chan_close(ping), 0);
    gos_waitgroup_done(&all);
}

static void third(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        gos_yield();
    stop = 1;
    gos_waitgroup_done(&all);
}

/* Nor must a few that sleep for less long than each of them computes, so that one of them is always due. */
enum { SLEEPERS = 4, TURNS = 20, MOST_SLEEPS = 400 /* for each turn of another */ };
static int sleeps;

static void sleeper(void *unused)
{
    (void)unused;
    while (!stop) {
        for (volatile int i = 0; i < 20000; i++)
            ;
        CHECK(++sleeps <= TURNS * MOST_SLEEPS);
        gos_sleep(1000);
    }
    gos_waitgroup_done(&all);
}

static void beside_sleepers(void)
{
    stop = 0;
    gos_waitgroup_add(&all, SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++)
        CHECK_EQ(gos_go(sleeper, NULL), 0);
    for (int i = 0; i < TURNS; i++)
        gos_yield();
    stop = 1;
    gos_waitgroup_wait(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(n, TASKS * ROUNDS);
    int seen[TASKS] = { 0 };
    for (int i = 0; i < n; i++) { /* nobody is ever more than two rounds ahead of another */
        int round = ++seen[order[i]];
        for (int k = 0; i % 37 == 0 && k < TASKS; k++)
            CHECK(seen[k] >= round - 2 && seen[k] <= round + 2);
    }
    CHECK((ping = gos_chan_new(0, 0)) && (pong = gos_chan_new(0, 0)));
    gos_waitgroup_add(&all, 3);
    CHECK_EQ(gos_go(partner, NULL) + gos_go(leader, NULL) + gos_go(third, NULL), 0);
    gos_waitgroup_wait(&all);
    beside_sleepers();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
