/*
 * The handlers that fork calls take locks of the runtime on the stack of the task that forks. Its slice does not end
 * while it waits for one and holds another, however long that takes: whoever ran on its thread then could need them.
 */
// also: paged
// env: GOS_PROCS=1
// not-with: paged (without stack checks nothing is preempted)
// timeout: 60
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "stack/stack.h"
#include "tests/test.h"

enum { CPU_MS = 100 }; /* many slices */

static pthread_t forker;
static int locked, stage, ran_on; /* stage 1: forking; 2: done. ran_on: the other task's thread meanwhile */

static int get(const int *of)
{
    return __atomic_load_n(of, __ATOMIC_ACQUIRE);
}

static void set(int *of, int value)
{
    __atomic_store_n(of, value, __ATOMIC_RELEASE);
}

static long cpu_ms(void)
{
    clockid_t clock;
    struct timespec used;
    CHECK_EQ(pthread_getcpuclockid(forker, &clock), 0);
    CHECK_EQ(clock_gettime(clock, &used), 0);
    return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* No task: holds some of the locks until who waits for them has used up slice after slice. */
static void *holds(void *unused)
{
    gos__stacks_lock();
    set(&locked, 1);
    while (!get(&stage))
        usleep(1000);
    long before = cpu_ms();
    while (!get(&ran_on) && cpu_ms() - before < CPU_MS)
        usleep(1000);
    set(&stage, 2);
    gos__stacks_unlock();
    return unused;
}

static void other(void *unused)
{
    (void)unused;
    while (!get(&stage))
        gos_yield();
    if (get(&stage) == 1)
        set(&ran_on, gettid());
}

static int main_task(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(other, NULL), 0);
    pthread_t holder;
    CHECK_EQ(pthread_create(&holder, NULL, holds, NULL), 0);
    while (!get(&locked))
        gos_yield();
    forker = pthread_self();
    int thread = gettid();
    set(&stage, 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        _exit(3);
    CHECK(get(&ran_on) != thread); /* on another, which the monitor gave the worker to, it may */
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_EQ(pthread_join(holder, NULL), 0);
    return 0;
}

int main(void)
{
    CHECK_EQ(gos_run(main_task, NULL), 0);
    return 0;
}
