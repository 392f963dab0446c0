/* Memory faults: in a task, in other threads beside a run, and with a handler of the program's own. */
#include <gossamer.h>
#include <pthread.h>

#include "base/config.h"
#include "tests/death/death.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

static void in_a_run(void *fn)
{
    gos_run((int (*)(void *))fn, NULL);
}

/* At the very address 8: the compiler cannot know. */
__attribute__((noinline)) static int read_null(void)
{
    volatile int *p = (volatile int *)8;
    __asm__("" : "+r"(p));
    return *p;
}

static int in_main(void *unused)
{
    (void)unused;
    return read_null();
}

static void task(void *unused)
{
    (void)unused;
    gos_yield();
    read_null();
}

static int in_task(void *unused)
{
    (void)unused;
    gos_go(task, NULL);
    gos_sleep(INT64_MAX);
    return 0;
}

__attribute__((noinline)) static int deep(int depth)
{
    volatile char frame[9000];
    REAL(frame);
    frame[0] = 0;
    return depth ? deep(depth - 1) + frame[0] : read_null();
}

static int in_the_deep(void *unused)
{
    (void)unused;
    return deep(GOS_PAGED_ONLY ? 20 : 50);
}

static void *thread(void *unused)
{
    (void)unused;
    read_null();
    return NULL;
}

static int beside_a_run(void *unused)
{
    pthread_t other;
    pthread_create(&other, NULL, thread, unused);
    gos_sleep(INT64_MAX);
    return 0;
}

static void after_a_run(void *unused)
{
    gos_run(in_the_deep, unused);
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void after_the_end(void *unused)
{
    gos_run(nothing, unused);
    read_null();
}

static void own(int sig)
{
    static const char line[] = "own handler\n";
    _exit(write(2, line, sizeof line - 1) < 0 || sig != SIGSEGV ? 1 : 17);
}

static void own_info(int sig, siginfo_t *info, void *context)
{
    if (context && info->si_addr == (void *)8)
        own(sig);
}

static void with_own_handler(void *unused)
{
    signal(SIGSEGV, own);
    gos_run(in_task, unused);
}

static void with_own_siginfo(void *unused)
{
    struct sigaction action = { .sa_sigaction = own_info, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    gos_run(in_the_deep, unused);
}

static void ignored(void *unused)
{
    signal(SIGSEGV, SIG_IGN);
    gos_run(in_main, unused);
}

int main(void)
{
    static const char *const silent[] = { NULL }, *const own_line[] = { "own handler", NULL };
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers have handlers of their own");
    expect_death("main task", in_a_run, (void *)in_main, SIGSEGV, 0, silent);
    expect_death("task", in_a_run, (void *)in_task, SIGSEGV, 0, silent);
    expect_death("deep", after_a_run, NULL, SIGSEGV, 0, silent);
    expect_death("other thread", in_a_run, (void *)beside_a_run, SIGSEGV, 0, silent);
    expect_death("after the run", after_the_end, NULL, SIGSEGV, 0, silent);
    expect_death("ignored", ignored, NULL, SIGSEGV, 0, silent);
    expect_death("own handler", with_own_handler, NULL, 0, 17, own_line);
    expect_death("own handler with information", with_own_siginfo, NULL, 0, 17, own_line);
    return 0;
}
