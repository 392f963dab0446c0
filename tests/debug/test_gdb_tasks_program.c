/* For test_gdb_tasks.sh: 105 tasks at the moment of a crash. */
// expect-signal: SIGABRT
#include <gossamer.h>

#include "tests/test.h"

static gos_chan *chan;

static void receiver(void *unused)
{
    int n;
    (void)unused;
    gos_chan_recv(chan, &n);
    chan = NULL; /* no tail call */
}

static __attribute__((noinline)) void goes_deep(int n)
{
    volatile char frame[2000];
    frame[n] = 1;
    if (n)
        goes_deep(n - 1);
    else
        receiver(NULL);
    frame[n]++;
}

static void deep(void *unused)
{
    (void)unused;
    goes_deep(3);
    chan = NULL;
}

static void crash(void *unused)
{
    (void)unused;
    abort();
}

static int run_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < 103; i++)
        CHECK_EQ(gos_go(i < 100 ? receiver : deep, NULL), 0);
    gos_timer_new(50000000, crash, NULL);
    gos_sleep(INT64_MAX);
    return 0;
}

int main(void)
{
    chan = gos_chan_new(sizeof(int), 0);
    return gos_run(run_all, NULL);
}
