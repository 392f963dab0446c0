/* A child process that a thread makes while another's run begins, goes on or ends has no run, and may begin its own. */
// env: GOS_PROCS=2
// timeout: 120
// not-with: address thread (in a child of threads they find their own locks held)
// not-with: emulator (it runs children of threads one after the other)
#include <gossamer.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { CHILDREN = 100 };

static uint32_t is_over;

static void task(void *unused)
{
    (void)unused;
    gos_yield();
}

static int run(void *arg)
{
    CHECK_EQ(gos_go(task, NULL), 0);
    gos_yield();
    return *(int *)arg;
}

static void *run_again(void *arg)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        CHECK_EQ(gos_run(run, arg), 7);
    return NULL;
}

int main(void)
{
    int result = 7;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, run_again, &result), 0);
    for (int i = 0; i < CHILDREN; i++) {
        usleep((useconds_t)(i * 7 % 200));
        pid_t child = fork();
        if (!child) {
            alarm(20);
            _exit(gos_run(run, &result) == 7 ? 0 : 1);
        }
        int status = -1;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}
