/* A child process finds the runtime's own locks free, whatever other threads were at when it was made: it makes,
 * cancels and frees contexts, and asks for signals. */
// env: GOS_PROCS=3
// timeout: 120
// not-with: address thread (in a child of threads they find their own locks held)
// not-with: emulator (it runs children of threads one after the other)
#include <gossamer.h>
#include <gossamer/context.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { CHILDREN = 60, TIMES = 200 };

static gos_context *root;
static gos_chan *chan;
static uint32_t is_over;

static void grow_and_cut(int times)
{
    for (int i = 0; i < times; i++) {
        gos_context *child = gos_context_new(root, INT64_MAX);
        gos_context *below = gos_context_new(child, INT64_MAX);
        CHECK_EQ(gos_context_cause(below), 0);
        CHECK_EQ(gos_context_cancel(child, -EIO), 0);
        CHECK_EQ(gos_context_cause(below), -EIO);
        gos_context_free(below);
        gos_context_free(child);
    }
}

static void busy(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        grow_and_cut(1);
        CHECK_EQ(gos_signal_notify(chan, SIGUSR1), 0);
        CHECK_EQ(gos_signal_notify(NULL, SIGUSR1), 0);
    }
}

static int children(void *unused)
{
    (void)unused;
    root = gos_context_new(NULL, INT64_MAX);
    chan = gos_chan_new(sizeof(int), 1);
    CHECK_EQ(gos_go(busy, NULL), 0);
    CHECK_EQ(gos_go(busy, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (!child) {
            alarm(20);
            grow_and_cut(TIMES);
            CHECK_EQ(gos_context_cancel(root, -EIO), 0); /* with all that others were just ending */
            CHECK_EQ(gos_signal_notify(chan, SIGUSR2), 0);
            CHECK_EQ(gos_signal_notify(NULL, SIGUSR2), 0);
            _exit(0);
        }
        int status = -1;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    return 0;
}

int main(void)
{
    return gos_run(children, NULL);
}
