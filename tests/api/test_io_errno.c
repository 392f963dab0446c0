/* errno is that of the thread that goes on with the task, wherever the task waited. */
// env: GOS_PROCS=2
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tests/test.h"

enum { TASKS = 50, ROUNDS = 200 };

static gos_waitgroup all;
static int64_t moves;

/* No address of a thread's own errno may be kept across a wait, so look in functions of their own. */
static __attribute__((noinline)) int error(void)
{
    return errno;
}

static __attribute__((noinline)) uintptr_t thread(void)
{
    __asm__ volatile(""); /* else its result, which never changes for a thread, is taken for this function's */
    return (uintptr_t)pthread_self();
}

static void fail_after_waiting(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char byte;
        uintptr_t before = thread();
        CHECK_EQ(read(fd, &byte, 1), 1); /* waits, and may be moved */
        __atomic_fetch_add(&moves, thread() != before, __ATOMIC_RELAXED);
        CHECK_EQ(read(-1, &byte, 1), -1);
        CHECK_EQ(error(), EBADF);
        for (int64_t until = gos_now() + 20000; gos_now() < until;)
            continue; /* so that there is something to take over */
    }
    struct timeval limit = { .tv_usec = 100 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    char byte;
    CHECK_EQ(read(fd, &byte, 1), -1);
    CHECK_EQ(error(), EAGAIN);
    gos_waitgroup_done(&all);
}

static void fail_everywhere(void)
{
    static int pairs[TASKS][2];
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++) {
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
        CHECK_EQ(gos_go(fail_after_waiting, &pairs[i][0]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(write(pairs[i][1], "x", 1), 1);
        gos_sleep(500000);
    }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < TASKS; i++)
        close(pairs[i][0]), close(pairs[i][1]);
}

static int run(void *arg)
{
    (void)arg;
    while (!moves)
        fail_everywhere();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
