/* gos_signal_notify: signals come by channel, from the process and from others, while tasks run and while all sleep;
 * what the signal did before comes back; waiting for one is no deadlock; one that comes between runs is kept. */
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// also: paged
#include <gossamer.h>
#include <gossamer/context.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

static volatile sig_atomic_t handled;
static gos_chan *chan, *other;

static void count(int number)
{
    (void)number;
    handled++;
}

static void expect(gos_chan *from, int wanted)
{
    int number = 0;
    CHECK_EQ(gos_chan_recv(from, &number), 0);
    CHECK_EQ(number, wanted);
}

static void one_by_one(void)
{
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2), 0);
        expect(chan, i % 2 ? SIGUSR1 : SIGUSR2);
    }
    int number;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(raise(SIGUSR1), 0);
    expect(chan, SIGUSR1); /* as one, or as a few */
    gos_sleep(20000000);
    while (gos_chan_try_recv(chan, &number) == 0)
        CHECK_EQ(number, SIGUSR1);
}

/* Longer than it takes to find a deadlock. */
static void from_another_process(void)
{
    pid_t child = fork();
    if (!child) {
        execl("/bin/sh", "sh", "-c", "sleep 0.4; kill -USR1 $PPID", NULL);
        _exit(127);
    }
    expect(chan, SIGUSR1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void and_back(void)
{
    CHECK_EQ(gos_signal_notify(other, SIGUSR2), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    expect(other, SIGUSR2);
    CHECK_EQ(gos_chan_len(chan), 0);
    CHECK_EQ(handled, 0);
    CHECK_EQ(gos_signal_notify(NULL, SIGUSR2), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(handled, 1);
    CHECK_EQ(gos_signal_notify(NULL, SIGUSR2), 0); /* as it is */
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(handled, 2);
    CHECK_EQ(gos_signal_notify(chan, SIGKILL), -EINVAL);
    CHECK_EQ(gos_signal_notify(chan, SIGSEGV), -EINVAL);
    CHECK_EQ(gos_signal_notify(chan, 0), -EINVAL);
    CHECK_EQ(gos_signal_notify(chan, 65), -EINVAL);
    CHECK_EQ(gos_signal_notify(chan, 32), -EINVAL); /* the C library's own */
}

static int body(void *first)
{
    if (!first)
        expect(chan, SIGUSR1); /* of before the run */
    CHECK_EQ(gos_signal_notify(chan, SIGUSR1), 0);
    CHECK_EQ(gos_signal_notify(chan, SIGUSR2), 0);
    one_by_one();
    from_another_process();
    and_back();
    return 0;
}

int main(void)
{
    signal(SIGUSR2, count);
    chan = gos_chan_new(sizeof(int), 8);
    other = gos_chan_new(sizeof(int), 1);
    for (int procs = 1; procs <= 3; procs++) {
        handled = 0;
        gos_procs(procs);
        CHECK_EQ(gos_run(body, procs == 1 ? chan : NULL), 0);
        CHECK_EQ(raise(SIGUSR1), 0);
    }
    CHECK_EQ(gos_signal_notify(NULL, SIGUSR1), 0);
    gos_chan_free(chan);
    gos_chan_free(other);
    return 0;
}
