/* A task whose function was compiled without stack checks gets a demand-paged stack, and all works there. */
// build: plain
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { TASKS = 2000, ROUNDS = 10 };

static gos_chan *chan;
static gos_waitgroup all;
static _Atomic long sum;

/* Much more than a nursery, in code that asks nobody. */
__attribute__((noinline)) static long use_stack(long seed)
{
    volatile unsigned char frame[20000];
    for (size_t i = 0; i < sizeof frame; i += 100)
        frame[i] = (unsigned char)(seed + (long)i);
    gos_yield();
    for (size_t i = 0; i < sizeof frame; i += 100)
        CHECK_EQ(frame[i], (unsigned char)(seed + (long)i));
    return frame[0];
}

static void task(void *arg)
{
    long me = (long)(intptr_t)arg;
    char text[40];
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(use_stack(me), (unsigned char)me);
    snprintf(text, sizeof text, "%ld", me);
    long n = atol(text);
    if (me & 1)
        CHECK_EQ(gos_chan_send(chan, &n), 0);
    else
        CHECK_EQ(gos_chan_recv(chan, &n), 0);
    atomic_fetch_add(&sum, n);
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    CHECK((chan = gos_chan_new(sizeof(long), 0)) != NULL);
    for (int round = 0; round < 3; round++) {
        sum = 0;
        gos_waitgroup_add(&all, TASKS);
        for (intptr_t i = 0; i < TASKS; i++)
            CHECK_EQ(gos_go(task, (void *)i), 0);
        gos_waitgroup_wait(&all);
        CHECK_EQ(sum, 2l * (TASKS / 2) * (TASKS / 2)); /* the odd numbers, sent and received */
    }
    gos_chan_free(chan);
    return 0;
}

int main(void)
{
    gos_procs(2);
    return gos_run(run, NULL);
}
