/* SIGQUIT: all tasks on standard error, and the program goes on; a second one in a row ends it as it always did. A
 * program with a handler of its own, or that ignores the signal, keeps it so. */
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <fcntl.h>
#include <sys/syscall.h>

#include "tests/death/death.h"

static gos_chan *chan;

static void receiver(void *unused)
{
    int n;
    (void)unused;
    gos_chan_recv(chan, &n);
}

static int quit_once(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(gos_go(receiver, NULL), 0);
    kill(getpid(), SIGQUIT);
    gos_sleep(200000000);
    int null = open("/dev/null", O_WRONLY);
    gos_dump(null); /* when the second one is made, the monitor has looked at signals in between */
    gos_dump(null);
    test_end("goes on\n", 8, 0);
    return 0;
}

static int quit_twice(void *unused)
{
    (void)unused;
    for (int i = 0; i < 400; i++) {
        kill(getpid(), SIGQUIT);
        gos_sleep(50000000);
    }
    return 0;
}

/* ---- a reader that takes nothing: the monitor goes on with its work ---- */

static int full[2], ends[2];

static void writer(void *unused)
{
    (void)unused;
    gos_sleep(1000000);
    CHECK_EQ(syscall(SYS_write, ends[1], "", 1), 1);
}

static int blocks(void *unused)
{
    char byte;
    int was = dup(2);
    (void)unused;
    CHECK_EQ(dup2(full[1], 2), 2);
    kill(getpid(), SIGQUIT);
    gos_sleep(100000000); /* the monitor is at it */
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(gos_go(writer, NULL), 0);
        CHECK_EQ(syscall(SYS_read, ends[0], &byte, 1), 1); /* on the only worker's thread, unless the monitor helps */
    }
    CHECK_EQ(write(was, "goes on\n", 8), 8);
    _exit(0);
}

static void into_a_full_pipe(void *unused)
{
    (void)unused;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(pipe2(full, O_NONBLOCK), 0);
    while (write(full[1], "", 1) == 1)
        continue;
    CHECK_EQ(fcntl(full[1], F_SETFL, 0), 0);
    gos_procs(1);
    gos_run(blocks, NULL);
}

static void in_a_run(void *fn)
{
    chan = gos_chan_new(sizeof(int), 0);
    gos_run((int (*)(void *))fn, NULL);
}

static void ignored(void *fn)
{
    signal(SIGQUIT, SIG_IGN);
    in_a_run(fn);
}

static void own_handler(int number)
{
    (void)number;
    if (write(2, "handled\n", 8) < 0)
        _exit(9);
}

static void handled(void *fn)
{
    signal(SIGQUIT, own_handler);
    in_a_run(fn);
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void after_the_run(void *unused)
{
    in_a_run((void *)(uintptr_t)nothing);
    (void)unused;
    kill(getpid(), SIGQUIT);
}

#if defined(GOS_ASAN) || defined(GOS_TSAN) /* does not say on what a task waits */
#define ON "*"
#else
#define ON " on 0x*"
#endif

int main(void)
{
    signal(SIGQUIT, SIG_DFL);
    void *once = (void *)(uintptr_t)quit_once, *twice = (void *)(uintptr_t)quit_twice;
    const char *const dump[] = { "gossamer: SIGQUIT *", "gossamer: 4 tasks", "3 tasks like 0x* [[]chan receive]" ON,
                                 "...", "goes on", NULL };
    expect_death("dump", in_a_run, once, 0, 0, dump);
    const char *const quits[] = { "...", NULL };
    expect_death("twice", in_a_run, twice, SIGQUIT, 0, quits);
    const char *const goes_on[] = { "goes on", NULL };
    expect_death("ignored", ignored, once, 0, 0, goes_on);
    expect_death("full pipe", into_a_full_pipe, NULL, 0, 0, goes_on);
    const char *const own[] = { "handled", "goes on", NULL };
    expect_death("handled", handled, once, 0, 0, own);
    const char *const silent[] = { NULL };
    expect_death("after the run", after_the_run, NULL, SIGQUIT, 0, silent);
    return 0;
}
