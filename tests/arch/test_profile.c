/*
 * Backtraces from signal handlers, as profilers take them: after every single instruction of a path through doors,
 * crossings, thunks, callbacks and switches (the processor's trap flag), then at random moments on several workers.
 * Each ends by itself, and one taken on a task's stack comes to the task's function.
 */
// arch: x86_64 (single steps by its trap flag)
// also: paged
// not-with: address thread (they delay signals, and step slowly)
// timeout: 300
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <gossamer.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "arch/state.h"
#include "tests/test.h"

#define NOINLINE __attribute__((noinline))
#define HANDLER  __attribute__((noinline, no_split_stack))

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

enum { MOST = 60, WORKERS = 3, TASKS = 12, WANTED = 1500 };

static int sampled, whole, endless;
static gos_waitgroup all;
static gos_chan *turns;
static volatile sig_atomic_t enough, stepping;

static NOINLINE int after(int x) /* keeps calls before it from being tail calls */
{
    __asm__ volatile("");
    return x;
}

/* The section of task_body alone. */
extern const char __start_task_bodies[], __stop_task_bodies[];

static HANDLER int comes_to_task(void *const *trace, int n)
{
    for (int i = 0; i < n; i++)
        if ((const char *)trace[i] > __start_task_bodies && (const char *)trace[i] < __stop_task_bodies)
            return 1;
    return 0;
}

static HANDLER void handler(int sig, siginfo_t *info, void *context)
{
    (void)info;
    int saved = errno;
    void *trace[MOST];
    int n = backtrace(trace, MOST);
    int found = comes_to_task(trace, n);
    __atomic_fetch_add(&sampled, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&whole, found, __ATOMIC_RELAXED);
    __atomic_fetch_add(&endless, n == MOST, __ATOMIC_RELAXED);
    /* Whichever threads had it on; one without a task may be about to end, which the C library does with all signals
     * blocked: a trap then kills. */
    if (sig == SIGTRAP && (!stepping || !gos__self.task))
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
    errno = saved;
}

static NOINLINE int trace_here(void)
{
    void *trace[MOST];
    int n = backtrace(trace, MOST);
    CHECK(n < MOST);
    CHECK(comes_to_task(trace, n));
    return after(n);
}

static NOINLINE int deep(int levels, int traces)
{
    volatile char frame[900]; /* the first leaves the nursery */
    REAL(frame);
    frame[0] = (char)levels;
    int n = levels ? deep(levels - 1, traces) : traces ? trace_here() : 0;
    gos_yield();
    return after(n + frame[0] - (char)levels);
}

static NOINLINE int large(int traces)
{
    volatile char frame[100000]; /* leaves the first region, too */
    REAL(frame);
    frame[99999] = 1;
    return after(deep(1, traces) + frame[99999] - 1);
}

static int callback_traces;

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    if (callback_traces)
        CHECK(trace_here() > 4);
    gos_yield();
    return x < y ? -1 : x > y;
}

/* On this thread. In assembly, for the unwinder has to know of each push. */
void set_trap_flag(void);
__asm__(".text\n"
        "set_trap_flag:\n"
        "    .cfi_startproc\n"
        "    pushfq\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    orq $0x100, (%rsp)\n"
        "    popfq\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    retq\n"
        "    .cfi_endproc\n");

static NOINLINE void one_round(int traces)
{
    int numbers[] = { 3, 1, 2 };
    char text[40], turn = 1;
    callback_traces = traces;
    if (stepping) /* again each time: the worker may have been handed to another thread, as this one is slow */
        set_trap_flag();
    qsort(numbers, 3, sizeof *numbers, compare);
    CHECK(numbers[0] == 1 && numbers[2] == 3);
    deep(2, traces);
    large(traces);
    snprintf(text, sizeof text, "%d %s %g", numbers[1], "x", 1.5);
    free(malloc(50));
    gos_chan_send(turns, &turn);
    gos_yield();
    gos_chan_recv(turns, &turn);
    if (traces)
        trace_here();
}

__attribute__((section("task_bodies"))) static NOINLINE void task_body(void *arg)
{
    int rounds = (int)(intptr_t)arg;
    for (int i = 0; rounds ? i < rounds : !enough; i++)
        one_round(rounds != 0);
    gos_waitgroup_done(&all);
    after(0);
}

static NOINLINE void run_tasks(int n, int rounds)
{
    gos_waitgroup_add(&all, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(task_body, (void *)(intptr_t)rounds), 0);
    gos_waitgroup_wait(&all);
}

static int run_stepped(void *unused)
{
    (void)unused;
    run_tasks(3, 3); /* binds and allocates what is bound and allocated once */
    stepping = 1;
    run_tasks(2, 1);
    stepping = 0;
    return 0;
}

static int run_sampled(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task_body, NULL), 0);
    while (__atomic_load_n(&sampled, __ATOMIC_RELAXED) < WANTED)
        gos_sleep(1000000);
    enough = 1;
    gos_waitgroup_wait(&all);
    return 0;
}

static void report(const char *what)
{
    fprintf(stderr, "%s: %d backtraces, %d came to the task, %d did not end\n", what, sampled, whole, endless);
    CHECK_EQ(endless, 0);
}

int main(void)
{
    void *first[1];
    CHECK_EQ(backtrace(first, 1), 1); /* loads the unwinder */
    turns = gos_chan_new(1, 100);
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
    CHECK_EQ(sigaction(SIGPROF, &action, NULL), 0);
    gos_procs(1);
    CHECK_EQ(gos_run(run_stepped, NULL), 0);
    report("stepped");
    CHECK(sampled > 10000);
    CHECK(whole > sampled / 10 * 9); /* all but where a change of stacks is half done */

    sampled = whole = 0;
    uint64_t seed = test_seed();
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF };
    struct timespec period = { .tv_nsec = 50000 + (long)(seed % 20000) };
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &(struct itimerspec){ period, period }, NULL), 0);
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
    CHECK_EQ(setitimer(ITIMER_PROF, &every, NULL), 0);
    gos_procs(WORKERS);
    CHECK_EQ(gos_run(run_sampled, NULL), 0);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK_EQ(setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL), 0);
    report("sampled");
    CHECK(whole > 0);
    return 0;
}
