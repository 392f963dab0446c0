/* More blocked threads than GOS_MAXTHREADS: one line says so, and what the limit is called, and the program ends with
 * status 2. As many as it allows are no reason, nor are more workers than that, asked for: there are fewer then. */
#include <gossamer.h>

#include <sys/syscall.h>

#include "tests/death/death.h"

enum { LIMIT = 8 };

static int pipes[2], inside;

static void block(void *unused)
{
    (void)unused;
    char byte;
    __atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED);
    CHECK_EQ(syscall(SYS_read, pipes[0], &byte, 1), 1);
    __atomic_fetch_add(&inside, -1, __ATOMIC_RELAXED);
}

static int with_blocked(void *count)
{
    int n = *(int *)count;
    CHECK_EQ(pipe(pipes), 0);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(block, NULL), 0);
    while (__atomic_load_n(&inside, __ATOMIC_RELAXED) < n)
        gos_yield();
    for (int i = 0; i < n; i++)
        CHECK_EQ(write(pipes[1], "", 1), 1);
    while (__atomic_load_n(&inside, __ATOMIC_RELAXED))
        gos_yield();
    return 0;
}

static int ask_for_more(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_procs(0), 2);
    CHECK_EQ(gos_procs(5), 2);
    return gos_procs(0) == 2 ? 0 : 1;
}

/* No more workers than threads. */
static void run_few(void *unused)
{
    (void)unused;
    putenv("GOS_PROCS=4");
    putenv("GOS_MAXTHREADS=2");
    CHECK_EQ(gos_run(ask_for_more, NULL), 0);
}

static void run_blocked(void *count)
{
    putenv("GOS_PROCS=1");
    putenv("GOS_MAXTHREADS=8");
    CHECK_EQ(gos_run(with_blocked, count), 0);
}

int main(void)
{
    static const char *const nothing[] = { NULL };
    static const char *const limit[] = {
        "gossamer: fatal error: 8 threads, as many as GOS_MAXTHREADS allows, and another is needed: *", NULL
    };
    static int allowed = LIMIT - 1, too_many = LIMIT;
    expect_death("more workers than threads", run_few, NULL, 0, 0, nothing);
    expect_death("one left for the worker", run_blocked, &allowed, 0, 0, nothing);
    expect_death("all of them blocked", run_blocked, &too_many, 0, 2, limit);
    return 0;
}
