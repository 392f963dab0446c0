/*
 * A signal while a task forks, which takes its thread long where much is resident, so that its worker goes to another
 * one meanwhile: a handler that then asks for a worker would wait for locks that the fork holds. It comes afterwards.
 * (trim=0: nor does the monitor wait for them.)
 */
// env: GOS_PROCS=1
// env: GOS_DEBUG=trim=0
// not-with: paged (without stack checks no handler asks for a worker)
// timeout: 30
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

static int others_ran, handled, handled_inside;

/* What calls something has a checked prologue. */
TEST_HELPER void count(int number)
{
    handled += number == SIGUSR1;
}

static void handler(int number)
{
    count(number);
    __asm__ volatile("");
}

/* A thread of its own: the worker has left the one that forks. */
static void other(void *unused)
{
    (void)unused;
    __atomic_store_n(&others_ran, 1, __ATOMIC_RELEASE);
}

/* Called while the runtime's locks are held, if it was registered before the runtime's own. */
__attribute__((no_split_stack)) static void amid_fork(void)
{
    struct timespec now;
    while (!__atomic_load_n(&others_ran, __ATOMIC_ACQUIRE))
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    handled_inside = handled;
}

/* Started behind this task, which is pinned for that. */
static void start_other(void)
{
    gos_pin();
    CHECK_EQ(gos_go(other, NULL), 0);
    gos_unpin();
}

static int run(void *unused)
{
    (void)unused;
    start_other();
    while (!others_ran) /* until there is another thread, which the fork would not let begin */
        syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 10000000 }, NULL);
    gos_sleep(10000000);
    others_ran = 0;
    start_other();
    pid_t child = fork();
    if (!child)
        _exit(handled == 0 ? 7 : 8); /* the signal is the parent's */
    CHECK(child > 0);
    CHECK_EQ(handled_inside, 0);
    CHECK_EQ(handled, 1);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    sigset_t mask;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK_EQ(sigismember(&mask, SIGUSR1), 0);
    return 0;
}

__attribute__((constructor(101))) static void before_the_runtime(void)
{
    CHECK_EQ(pthread_atfork(amid_fork, NULL, NULL), 0);
}

int main(void)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    return gos_run(run, NULL);
}
