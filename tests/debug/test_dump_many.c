/* A dump of a million tasks is a few lines, and takes as many looks at the unwinder as there are kinds of them. */
// not-with: emulator (more tasks than there are mappings for guards)
// not-with: undefined (its handlers are unchecked code: which tasks are on a region is chance)
// timeout: 120
#include <gossamer.h>

#include "tests/debug/dumped.h"
#include "tests/parked.h"

#if GOS_SAN
enum { SANITIZED = 1, MANY = 4000 }; /* they do not say on what a task waits */
#else
enum { SANITIZED = 0, MANY = 1000000 };
#endif

static gos_chan *chan[2];

static void waits(void *which)
{
    char byte;
    gos_chan_recv(chan[which != NULL], &byte);
    chan[1] = chan[1]; /* no tail call */
}

static __attribute__((noinline)) void further(void *which)
{
    volatile char frame[100];
    frame[0] = 1;
    waits(which);
    frame[1] = frame[0];
}

static void waits_further(void *which)
{
    further(which);
    chan[1] = chan[1];
}

static int run(void *unused)
{
    (void)unused;
    for (intptr_t i = 0; i < MANY; i++)
        CHECK_EQ(gos_go(i % 4 ? waits : waits_further, (void *)(i & 1)), 0);
    await_tasks(waits, GOS_WAIT_RECV, MANY * 3 / 4);
    await_tasks(waits_further, GOS_WAIT_RECV, MANY / 4);
    int64_t start = gos_now();
    char *text = dumped(), *at = text;
    fprintf(stderr, "%d ms\n", (int)((gos_now() - start) / 1000000));
    CHECK(strlen(text) < 4000);
    char most[60];
    snprintf(most, sizeof most, "%d tasks like 0x", MANY * 3 / 4);
    char *line = line_with(&at, most);
    CHECK(SANITIZED || strstr(line, "and others") != NULL);
    snprintf(most, sizeof most, "%d tasks like 0x", MANY / 4);
    line = line_with(&at, most);
    CHECK(strstr(line, "started with waits_further") != NULL);
    free(text);
    return 0;
}

int main(void)
{
    chan[0] = gos_chan_new(1, 0);
    chan[1] = gos_chan_new(1, 0);
    return gos_run(run, NULL);
}
