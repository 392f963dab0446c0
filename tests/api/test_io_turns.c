/*
 * More descriptors are ready at any time than a worker's queue holds, and more tasks become so at each look: all have
 * their turns, and none waits behind what comes later.
 */
// env: GOS_PROCS=1
// timeout: 60
#include <gossamer.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

enum { PAIRS = 1000, ROUNDS = 200 };

static int ends[PAIRS][2];
static int rounds[PAIRS], most;
static gos_waitgroup all;

static void asks(void *number)
{
    int i = (int)(intptr_t)number;
    char byte = 'x';
    while (most < ROUNDS) {
        CHECK_EQ(write(ends[i][0], &byte, 1), 1);
        CHECK_EQ(read(ends[i][0], &byte, 1), 1);
        if (++rounds[i] > most)
            most = rounds[i];
    }
    CHECK_EQ(shutdown(ends[i][0], SHUT_WR), 0);
    gos_waitgroup_done(&all);
}

static void answers(void *number)
{
    int fd = ends[(intptr_t)number][1];
    char byte;
    while (read(fd, &byte, 1) == 1)
        CHECK_EQ(write(fd, &byte, 1), 1);
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 2 * PAIRS);
    for (intptr_t i = 0; i < PAIRS; i++) {
        CHECK_EQ(gos_go(answers, (void *)i), 0);
        CHECK_EQ(gos_go(asks, (void *)i), 0);
    }
    gos_waitgroup_wait(&all);
    int least = ROUNDS;
    for (int i = 0; i < PAIRS; i++)
        least = rounds[i] < least ? rounds[i] : least;
    printf("%d to %d rounds\n", least, most);
    CHECK(least >= ROUNDS / 2);
    return 0;
}

int main(void)
{
    struct rlimit files;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2 * PAIRS + 100)
        SKIP("RLIMIT_NOFILE is too low: raise ulimit -Hn");
    files.rlim_cur = files.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    for (int i = 0; i < PAIRS; i++)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
    return gos_run(run, NULL);
}
