/* Where the kernel does not show whether a thread is blocked, since no more files can be opened, a worker is taken from
 * one that has not run for long. */
// env: GOS_PROCS=1
// not-with: emulator (qemu 7 refuses files above its own limit only)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/test.h"

enum { ROUNDS = 20 };

static int fds[2];

static void write_later(void *unused)
{
    (void)unused;
    gos_yield(); /* until the reader blocks the one worker's thread */
    CHECK_EQ(write(fds[1], "x", 1), 1);
}

static int run(void *unused)
{
    struct rlimit usual, none = { 0, 0 };
    (void)unused;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none.rlim_max = usual.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(dup(0), -1);
    for (int i = 0; i < ROUNDS; i++) {
        char byte;
        CHECK_EQ(gos_go(write_later, NULL), 0);
        CHECK_EQ(syscall(SYS_read, fds[0], &byte, 1), 1);
    }
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0); /* sanitizers open files at the end */
    return 0;
}

int main(void)
{
    CHECK_EQ(pipe(fds), 0);
    return gos_run(run, NULL);
}
