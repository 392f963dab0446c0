/*
 * What a task keeps when it goes on on another thread, which here it does for certain: another task pins itself to the
 * thread meanwhile. errno, thread-local variables (found anew, also by an optimising compiler), floating-point control,
 * and the signal mask, for which it is pinned.
 */
// also: paged
// env: GOS_PROCS=1
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "tests/test.h"

static gos_chan *go_away;
static _Thread_local int local = 1;
#if !defined(__x86_64__)
/* A compiler may keep what it finds thread-locals by: the thread's pointer, which a function of its own asks for. */
__attribute__((noinline, noclone)) static int *local_here(void)
{
    __asm__ volatile("");
    return &local;
}
#define local (*local_here())
#endif
static volatile int zero;

__attribute__((noinline)) static int thread(void)
{
    return (int)syscall(SYS_gettid);
}

/* Starts on its creator's thread and keeps it. */
static void take_thread(void *arg)
{
    (void)arg;
    gos_pin();
    errno = 77;
    local = 77;
    gos_chan_recv(go_away, NULL);
}

static int takers;

/* In a test that says what must not change with the thread, the calls are as any library's: the compiler sees none. */
__attribute__((noinline)) static void change_threads(void)
{
    int before = thread();
    takers++;
    CHECK_EQ(gos_go(take_thread, NULL), 0);
    CHECK(thread() != before);
}

/* All in one function, which the compiler is free to optimise. */
__attribute__((noinline)) static void keeps_errno(void)
{
    for (int i = 1; i < 20; i++) {
        errno = i;
        change_threads();
        CHECK_EQ(errno, i);
        errno = 0;
        CHECK_EQ(close(-1), -1); /* sets errno on this thread */
        CHECK_EQ(errno, EBADF);
    }
}

/* A thread-local variable is the thread's: its new one, not the former's. */
__attribute__((noinline)) static void reads_its_threads_variable(void)
{
    for (int i = 0; i < 20; i++) {
        local = 1000 + i;
        int former = thread();
        change_threads();
        CHECK(local != 1000 + i);
        CHECK(thread() != former);
        local += 5;
    }
}

static void keeps_rounding(void)
{
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    change_threads();
    CHECK_EQ(fegetround(), FE_UPWARD);
    volatile double third = 1.0 / (3.0 + zero);
    CHECK_EQ(fesetround(FE_DOWNWARD), 0);
    change_threads();
    CHECK_EQ(fegetround(), FE_DOWNWARD);
    CHECK(1.0 / (3.0 + zero) < third);
    CHECK_EQ(fesetround(FE_TONEAREST), 0);
}

static int others_blocked;

static int is_blocked(int number)
{
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, number);
}

static void look_at_mask(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        others_blocked += is_blocked(SIGUSR1);
        gos_sleep(50000);
    }
}

static void keeps_mask(void)
{
    sigset_t usr, before;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr, &before), 0);
    CHECK(!sigismember(&before, SIGUSR1));
    CHECK_EQ(sigprocmask(SIG_BLOCK, &usr, NULL), 0); /* once more */
    int own = thread();
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(look_at_mask, NULL), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(is_blocked(SIGUSR1), 1);
        CHECK_EQ(thread(), own);
        gos_sleep(100000);
    }
    CHECK_EQ(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    CHECK_EQ(is_blocked(SIGUSR1), 0);
    change_threads(); /* pinned no more */
    CHECK_EQ(others_blocked, 0);
    errno = 0;
    CHECK(sigprocmask(1234, &usr, NULL) == -1 && errno == EINVAL);
    CHECK_EQ(pthread_sigmask(1234, &usr, NULL), EINVAL);
}

/* ---- handlers that know nothing of small stacks ---- */

static volatile sig_atomic_t handled;

static void handle(int number)
{
    volatile char frame[2000];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (char)number;
    handled++;
    errno = 99;
}

__attribute__((noinline)) static unsigned long work(unsigned long n)
{
    return n * 3 + 1;
}

static void interrupt(int process, int thread_id)
{
#ifdef GOS_TSAN /* calls a handler at once only where it sends the signal; else once for all that have come */
    (void)process, (void)thread_id;
    raise(SIGUSR2);
#else
    syscall(SYS_tgkill, process, thread_id, SIGUSR2);
#endif
}

static void be_interrupted(void *arg)
{
    unsigned long n = 0;
    int own = thread();
    for (int i = 0; i < 200; i++) {
        interrupt(*(int *)arg, own);
        n = work(n);
        own = thread();
    }
}

static void interrupted(void)
{
    int process = getpid();
    CHECK(signal(SIGUSR2, handle) != SIG_ERR);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(be_interrupted, &process), 0);
    while (handled < 2000)
        gos_sleep(100000);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == handle && now.sa_flags & SA_RESTART);
    CHECK(signal(SIGUSR2, SIG_DFL) == handle);
}

static int run(void *arg)
{
    (void)arg;
    go_away = gos_chan_new(0, 0);
    keeps_errno();
    reads_its_threads_variable();
    keeps_rounding();
    keeps_mask();
    interrupted();
    while (takers--)
        CHECK_EQ(gos_chan_send(go_away, NULL), 0);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
