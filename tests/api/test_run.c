/* gos_run: its result, its end whatever other tasks do, and that it can be called again. */
// also: paged
// timeout: 60
#include <errno.h>
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/test.h"

static int give(void *arg)
{
    return (int)(intptr_t)arg;
}

static int inside(void *arg)
{
    CHECK_EQ(gos_run(give, arg), -EBUSY);
    return 7;
}

static int64_t value;

static int write_value(void *arg)
{
    *(int64_t *)arg = 5;
    return 0;
}

static void results(void)
{
    CHECK_EQ(gos_ntasks(), 0);
    errno = ERANGE;
    for (int i = -1; i < 2; i++)
        CHECK_EQ(gos_run(give, (void *)(intptr_t)i), i);
    CHECK_EQ(errno, ERANGE);
    CHECK_EQ(gos_run(inside, NULL), 7);
    CHECK_EQ(gos_run(write_value, &value), 0);
    CHECK_EQ(value, 5);
    CHECK_EQ(gos_ntasks(), 0);
}

/* ---- tasks that the end of main interrupts ---- */

static gos_chan *chan;
static int pipe_fds[2];
static _Atomic int started, stopped;

static void parks(void *unused)
{
    (void)unused;
    started++;
    gos_chan_recv(chan, NULL);
    stopped = 1;
}

static void sleeps(void *unused)
{
    (void)unused;
    started++;
    gos_sleep(INT64_MAX);
    stopped = 1;
}

static void yields(void *unused)
{
    (void)unused;
    for (started++;;)
        gos_yield();
}

static _Atomic int count;

__attribute__((noinline)) static void step(void)
{
    volatile char frame[40];
    frame[0] = 1;
    count += frame[0];
}

static void calls(void *unused)
{
    (void)unused;
    for (started++;;)
        step();
}

__attribute__((noinline)) static void step_in_libc(void)
{
    char text[40];
    count += snprintf(text, sizeof text, "%d", count);
}

static void calls_libc(void *unused)
{
    (void)unused;
    for (started++;;)
        step_in_libc();
}

static void calls_nothing(void *unused)
{
    (void)unused;
    for (started++;;)
        count ^= 1;
}

static void blocks(void *unused)
{
    (void)unused;
    char byte;
    started++;
    if (read(pipe_fds[0], &byte, 1) == 1) /* it is ended here: */
        stopped = 1;                      /* the read may come back when the pipe closes, into nothing */
}

typedef struct disturbance {
    const char *name;
    void (*fn)(void *);
    int tasks;
} disturbance;

static int start_and_return(void *arg)
{
    const disturbance *d = arg;
    CHECK_EQ(gos_procs(0), 4);
    started = 0;
    for (int i = 0; i < d->tasks; i++)
        CHECK_EQ(gos_go(d->fn, NULL), 0);
    while (started < d->tasks)
        gos_sleep(1000000);
    return 1234;
}

static void main_ends_others(void)
{
    static disturbance all[] = {
        { "parked", parks, 100 },        { "asleep", sleeps, 100 },
        { "yielding", yields, 3 },       { "calling", calls, 2 },
        { "calling libc", calls_libc, 2 }, { "blocked", blocks, 1 },
        { "looping", calls_nothing, 1 },
    };
    CHECK((chan = gos_chan_new(0, 0)) != NULL);
    CHECK_EQ(pipe(pipe_fds), 0);
    gos_procs(4);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fprintf(stderr, "%s\n", all[i].name); /* shown when it fails */
        CHECK_EQ(gos_run(start_and_return, &all[i]), 1234);
        CHECK_EQ(gos_ntasks(), 0);
        results();
    }
    CHECK_EQ(stopped, 0);
}

int main(void)
{
    results();
    main_ends_others();
    fflush(stdout);
    _exit(0); /* abandoned loops are still there */
}
