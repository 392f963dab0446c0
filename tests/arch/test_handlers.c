/*
 * Signal handlers that were installed without SA_ONSTACK, by whichever call, while tasks run on nurseries: the frames
 * of kernel and handler go to a signal stack; else they would overrun the nursery, which its canary shows.
 */
#define _GNU_SOURCE
#include <gossamer.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "arch/syscall.h"
#include "tests/test.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* sigset and its like are what is tested */

enum { ROUNDS = 200, TASKS = 30 };

sighandler_t bsd_signal(int, sighandler_t);
sighandler_t sysv_signal(int, sighandler_t);
sighandler_t __sysv_signal(int, sighandler_t);

static int handled, near_by;
static volatile uintptr_t here; /* in the frame that is interrupted */

/* As if compiled without -fsplit-stack, as handlers should be. */
__attribute__((noinline, no_split_stack)) static void handler(int sig)
{
    volatile char frame[2000];
    frame[0] = (char)sig;
    for (size_t i = 1; i < sizeof frame; i++)
        frame[i] = frame[i - 1];
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
    uintptr_t at = (uintptr_t)frame;
    __atomic_fetch_add(&near_by, at < here && at > here - 16384, __ATOMIC_RELAXED);
}

__attribute__((no_split_stack)) static void handler_info(int sig, siginfo_t *info, void *context)
{
    CHECK(info->si_signo == sig && context);
    handler(sig);
}

/* The system call alone, so that this function stays on its nursery. */
__attribute__((noinline)) static void signal_on_nursery(long pid, long tid, int sig)
{
    here = (uintptr_t)__builtin_frame_address(0);
    CHECK_EQ(gos__bare_syscall(SYS_tgkill, pid, tid, sig, 0, 0, 0), 0);
}

static gos_waitgroup all;

static void task(void *sig)
{
    long pid = getpid();
    for (int i = 0; i < ROUNDS; i++) {
        signal_on_nursery(pid, syscall(SYS_gettid), (int)(intptr_t)sig);
        gos_yield(); /* looks at the canary */
    }
    gos_waitgroup_done(&all);
}

static void expect_safe(int sig, int once)
{
    handled = near_by = 0;
    if (once) {
        signal_on_nursery(getpid(), syscall(SYS_gettid), sig);
        CHECK_EQ(handled, 1);
        return;
    }
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)(intptr_t)sig), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(handled, TASKS * ROUNDS);
    CHECK_EQ(near_by, 0);
}

static int run(void *unused)
{
    (void)unused;
    expect_safe(SIGALRM, 0); /* from before the run, without any call that is ours */
    struct sigaction action = { .sa_handler = handler }, now;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    expect_safe(SIGUSR1, 0);
    action = (struct sigaction){ .sa_sigaction = handler_info, .sa_flags = SA_SIGINFO | SA_RESTART };
    CHECK_EQ(sigaction(SIGUSR1, &action, &now), 0);
    CHECK(now.sa_handler == handler);
    expect_safe(SIGUSR1, 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_sigaction == handler_info && (now.sa_flags & (SA_SIGINFO | SA_RESTART)) == (SA_SIGINFO | SA_RESTART));

    CHECK(signal(SIGUSR2, handler) == SIG_DFL);
    expect_safe(SIGUSR2, 0);
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_flags & SA_RESTART);
    CHECK(signal(SIGUSR2, SIG_IGN) == handler);
    CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    CHECK(bsd_signal(SIGUSR2, handler) == SIG_DFL);
    expect_safe(SIGUSR2, 0);
    CHECK(sysv_signal(SIGURG, handler) == SIG_DFL);
    expect_safe(SIGURG, 1);
    CHECK(__sysv_signal(SIGURG, handler) == SIG_DFL); /* the former was for once */
    expect_safe(SIGURG, 1);
    CHECK(signal(SIGUSR2, SIG_DFL) == handler);
    CHECK(sigset(SIGUSR2, handler) == SIG_DFL);
    expect_safe(SIGUSR2, 0);
    CHECK(sigset(SIGUSR2, SIG_DFL) == handler);
    CHECK(ssignal(SIGUSR2, handler) == SIG_DFL);
    CHECK_EQ(siginterrupt(SIGUSR2, 1), 0);
    expect_safe(SIGUSR2, 0);
    CHECK_EQ(siginterrupt(SIGUSR2, 0), 0);
    CHECK(signal(SIGKILL, handler) == SIG_ERR);
    CHECK(sigset(SIGKILL, handler) == SIG_ERR);
    CHECK_EQ(sigaction(1000, &action, NULL), -1);
    return 0;
}

/* libc's own two signals, for cancellation and for setuid in all threads, go to any thread at any time. */
static void check_hidden(void)
{
    for (int sig = 32; sig <= 33; sig++) {
        struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action;
        CHECK_EQ(syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof action.mask), 0);
        CHECK((uintptr_t)action.handler <= 1 || (action.flags & SA_ONSTACK));
    }
}

static int run_hidden(void *unused)
{
    gos_yield();
    check_hidden();
    return run(unused);
}

int main(void)
{
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers have their own sigaction, and no nurseries");
    struct { void (*handler)(int); unsigned long flags; void (*restorer)(void); unsigned long mask; } action = { 0 };
    struct sigaction borrowed = { .sa_handler = handler };
    sigaction(SIGALRM, &borrowed, NULL); /* libc's restorer is what makes a handler return */
    syscall(SYS_rt_sigaction, SIGALRM, NULL, &action, 8);
    action.flags &= ~(unsigned long)SA_ONSTACK;
    CHECK_EQ(syscall(SYS_rt_sigaction, SIGALRM, &action, NULL, 8), 0);
    return gos_run(run_hidden, NULL);
}
