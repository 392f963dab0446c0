/* A signal for one thread is for the main task, too, where that is on this thread: raise, and pthread_kill while it is
 * pinned. It is not where another task raises it. */
// also: paged
// env: GOS_PROCS=1
// not-with: address (it has a sigaction of its own, as thread sanitizer has)
// not-with: thread (the same)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "tests/parked.h"
#include "tests/test.h"

static volatile sig_atomic_t handled;
static gos_waitgroup all;
static int fds[2];
static pthread_t main_thread;
static sigset_t none, usr;

static void handle(int number)
{
    (void)number;
    handled++;
}

static __attribute__((noinline)) int error(void)
{
    return errno;
}

static int run(void *unused);

static void await_main(void)
{
    await_tasks((void (*)(void *))(uintptr_t)run, GOS_WAIT_FD, 1);
}

static void *kill_main(void *unused)
{
    CHECK_EQ(pthread_kill(main_thread, SIGUSR1), 0);
    return unused;
}

static void kill_parked(void *unused)
{
    pthread_t thread;
    (void)unused;
    await_main();
    CHECK(!pthread_create(&thread, NULL, kill_main, NULL) && !pthread_join(thread, NULL));
    gos_waitgroup_done(&all);
}

static void raise_and_write(void *unused)
{
    int before = handled;
    (void)unused;
    await_main();
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(handled, before + 1);
    gos_sleep(5000000); /* in which nothing ends the wait */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    gos_waitgroup_done(&all);
}

static void start(void (*fn)(void *))
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, NULL), 0);
}

/* It waits, blocked, until sigsuspend lets it in, or ppoll. */
static void raised_while_blocked(void)
{
    int before = handled;
    CHECK_EQ(sigprocmask(SIG_BLOCK, &usr, NULL), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK(sigsuspend(&none) == -1 && error() == EINTR);
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK(ppoll(NULL, 0, NULL, &none) == -1 && error() == EINTR);
    }
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr, NULL), 0);
    CHECK_EQ(handled, before + 40);
}

static void killed_while_pinned(void)
{
    char byte;
    gos_pin();
    main_thread = pthread_self();
    for (int i = 0; i < 20; i++) {
        start(kill_parked);
        CHECK(read(fds[0], &byte, 1) == -1 && error() == EINTR);
        gos_waitgroup_wait(&all);
    }
    gos_unpin();
}

static int run(void *unused)
{
    struct sigaction action = { .sa_handler = handle };
    char byte;
    (void)unused;
    CHECK(!pipe(fds) && !sigemptyset(&none) && !sigemptyset(&usr) && !sigaddset(&usr, SIGUSR1));
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    start(raise_and_write);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    gos_waitgroup_wait(&all);
    raised_while_blocked();
    killed_while_pinned();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
