/* gate.h: tasks that wait until a gate is opened, for tests of where dumps say that they were started. */
#ifndef TEST_GATE_H
#define TEST_GATE_H

#include <gossamer.h>

#include "tests/test.h"

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

#endif
