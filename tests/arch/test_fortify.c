/* Jumps out of deep regions as _FORTIFY_SOURCE compiles them: glibc's check takes a lower stack for a left frame. */
// also: paged
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 2
#include <gossamer.h>
#include <setjmp.h>
#include <signal.h>

#include "tests/test.h"

#define NOINLINE __attribute__((noinline))
/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

enum { TASKS = 20, ROUNDS = 20 };

static gos_waitgroup all;

static NOINLINE void jump(jmp_buf plain, sigjmp_buf with_signals, long depth)
{
    volatile char frame[3000];
    REAL(frame);
    frame[0] = 1;
    if (depth > 0)
        jump(plain, with_signals, depth - 1);
    if (plain)
        longjmp(plain, 7);
    siglongjmp(with_signals, 8);
}

static NOINLINE void from(long depth)
{
    jmp_buf target;
    volatile long kept = depth;
    int came = setjmp(target);
    if (!came)
        jump(target, NULL, depth);
    CHECK_EQ(came, 7);
    CHECK_EQ(kept, depth);
}

static NOINLINE void from_with_signals(long depth)
{
    sigjmp_buf target;
    sigset_t before, now, usr;
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    int came = sigsetjmp(target, 1);
    if (!came) {
        sigemptyset(&usr);
        sigaddset(&usr, SIGUSR1);
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr, NULL), 0);
        jump(NULL, target, depth);
    }
    CHECK_EQ(came, 8);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(!sigismember(&now, SIGUSR1));
}

static void task(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        for (long depth = 0; depth < 60; depth += 19) { /* on the first region, and on a large one */
            from(depth);
            gos_yield();
            gos_pin(); /* the mask is the thread's */
            from_with_signals(depth);
            gos_unpin();
        }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, NULL), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers build without stack checks: no jump leaves its stack");
    return gos_run(run, NULL);
}
