/* Handlers and masks by the names of System V and BSD: they end the main task's wait and pin a task as those by
 * sigaction and sigprocmask do. */
// also: paged
// env: GOS_PROCS=1
// not-with: address (it has a sigaction of its own, as thread sanitizer has)
// not-with: thread (the same)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "tests/parked.h"
#include "tests/test.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

int bsd_sigpause(int mask) __asm__("sigpause"); /* which the headers make another name of X/Open's */

static volatile sig_atomic_t handled;
static gos_waitgroup all;
static int fds[2];

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

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

/* Another one's, so that the kernel gives it to a thread that the main task is not on. */
static void *kill_once(void *unused)
{
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    return unused;
}

static void interrupt(void *unused)
{
    pthread_t thread;
    (void)unused;
    await_main();
    CHECK_EQ(pthread_create(&thread, NULL, kill_once, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_waitgroup_done(&all);
}

static void interrupt_and_write(void *unused)
{
    int before = handled;
    gos_waitgroup_add(&all, 1);
    interrupt(unused);
    while (handled == before)
        gos_yield();
    gos_sleep(5000000); /* in which nothing ends the wait */
    CHECK_EQ(write(fds[1], "x", 1), 1);
    gos_waitgroup_done(&all);
}

static void read_is_ended(bool ends)
{
    char byte;
    int before = handled;
    start(ends ? interrupt : interrupt_and_write, NULL);
    CHECK_EQ(read(fds[0], &byte, 1), ends ? -1 : 1);
    CHECK(!ends || error() == EINTR);
    CHECK_EQ(handled, before + 1);
    gos_waitgroup_wait(&all);
}

static void with_siginterrupt(void)
{
    CHECK(signal(SIGUSR1, handle) == SIG_DFL);
    read_is_ended(false);
    CHECK_EQ(siginterrupt(SIGUSR1, 1), 0);
    read_is_ended(true);
    CHECK(signal(SIGUSR1, SIG_DFL) == handle);
    CHECK(signal(SIGUSR1, handle) == SIG_DFL);
    read_is_ended(true); /* a later handler's, too */
    CHECK_EQ(siginterrupt(SIGUSR1, 0), 0);
    read_is_ended(false);
    CHECK(signal(SIGUSR1, handle) == handle);
    read_is_ended(false);
    CHECK(siginterrupt(0, 1) == -1 && error() == EINVAL);
    CHECK(siginterrupt(1000, 1) == -1 && error() == EINVAL);
    CHECK(signal(SIGUSR1, SIG_DFL) == handle);
}

static void with_sigset(void)
{
    CHECK(sigset(SIGUSR1, handle) == SIG_DFL);
    read_is_ended(true);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == handle);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == SIG_HOLD);
    CHECK(sigset(SIGUSR1, handle) == SIG_HOLD);
    CHECK(sigset(SIGUSR1, SIG_DFL) == handle);
    CHECK(sigset(SIGUSR1, SIG_ERR) == SIG_ERR && error() == EINVAL);
    CHECK(sigset(1000, handle) == SIG_ERR && error() == EINVAL);
    CHECK_EQ(sigignore(SIGUSR1), 0);
    CHECK(sigset(SIGUSR1, SIG_DFL) == SIG_IGN);
}

/* ---- masks ---- */

/* This thread's, as the kernel has it. */
static __attribute__((noinline)) bool is_blocked(int number)
{
    uint64_t mask = 0;
    CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask), 0);
    return mask >> (number - 1) & 1;
}

static void lets_all_in(void *unused)
{
    (void)unused;
    CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
    gos_waitgroup_done(&all);
}

/* Others run meanwhile, on other threads. */
static void keeps_mask(bool first, bool second)
{
    CHECK(is_blocked(SIGUSR1) == first && is_blocked(SIGUSR2) == second);
    start(lets_all_in, NULL);
    gos_waitgroup_wait(&all);
    CHECK(is_blocked(SIGUSR1) == first && is_blocked(SIGUSR2) == second);
}

static int bit(int number)
{
    return 1 << (number - 1);
}

static void with_masks(void)
{
    CHECK_EQ(sighold(SIGUSR1), 0);
    keeps_mask(true, false);
    CHECK_EQ(sigrelse(SIGUSR1), 0);
    keeps_mask(false, false);
    CHECK(sighold(1000) == -1 && error() == EINVAL);
    CHECK_EQ(sigblock(bit(SIGUSR2)), 0);
    keeps_mask(false, true);
    CHECK_EQ(sigsetmask(bit(SIGUSR1)), bit(SIGUSR2));
    keeps_mask(true, false);
    CHECK_EQ(sigsetmask(0), bit(SIGUSR1));
    CHECK(sigset(SIGUSR1, SIG_HOLD) == SIG_DFL);
    keeps_mask(true, false);
    CHECK(sigset(SIGUSR1, handle) == SIG_HOLD);
    keeps_mask(false, false);
}

static void with_sigpause(void)
{
    int before = handled;
    start(interrupt, NULL);
    CHECK(sigpause(SIGUSR1) == -1 && error() == EINTR);
    gos_waitgroup_wait(&all);
    start(interrupt, NULL);
    CHECK(bsd_sigpause(0) == -1 && error() == EINTR);
    gos_waitgroup_wait(&all);
    CHECK_EQ(handled, before + 2);
    CHECK(sigpause(1000) == -1 && error() == EINVAL);
    keeps_mask(false, false);
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(pipe(fds), 0);
    with_siginterrupt();
    with_sigset();
    with_masks();
    with_sigpause();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
