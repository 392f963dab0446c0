/* GOS_DEBUG=creators: a dump says who started each task, whether it ran at once or later, and nobody for a timer's. */
// not-with: emulator (addr2line is of the machine that builds)
// env: GOS_DEBUG=creators
#include <gossamer.h>

#include "tests/debug/dumped.h"

enum { EACH = 50 };

static gos_chan *gate;
static gos_waitgroup all;

static void wait_at_gate(void *unused)
{
    (void)unused;
    gos_chan_recv(gate, NULL);
    gos_waitgroup_done(&all);
}

TEST_HELPER void start_one(void)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(wait_at_gate, NULL), 0);
}

static void start_pinned(void *unused)
{
    (void)unused;
    gos_pin();
    start_one();
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gate = gos_chan_new(0, 0);
    gos_waitgroup_add(&all, 2);
    for (int i = 0; i < EACH; i++)
        start_one();
    CHECK_EQ(gos_go(start_pinned, NULL), 0);
    CHECK_EQ(gos_go(wait_at_gate, NULL), 0);
    while (gos_ntasks() > EACH + 3)
        gos_yield();
    gos_timer *timer = gos_timer_new(0, wait_at_gate, NULL);
    gos_waitgroup_add(&all, 1);
    while (gos_ntasks() < EACH + 4)
        gos_sleep(1000000);
    char *text = dumped(), *at = text, expected[100];
    snprintf(expected, sizeof expected, "%d tasks like ", EACH + 1);
    CHECK(strstr(line_with(&at, expected), " by start_one at ") != NULL);
    free(text);
    text = at = dumped();
    CHECK(strstr(line_with(&at, " by run at "), "task 0x") != NULL);
    free(text);
    text = dumped();
    int by = 0;
    for (at = text; (at = strstr(at, " by ")) != NULL; at++)
        by++;
    CHECK_EQ(by, 2);   /* not for the main task, nor for the timer's */
    free(text);
    gos_chan_close(gate);
    gos_waitgroup_wait(&all);
    gos_timer_free(timer);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
