/*
 * Programs that do to their process what a runtime has to live with, while tasks talk, sleep and run on two workers:
 * each works, or dies with one clear line. docs/HOSTILE.md lists them and those that other tests have.
 */
// timeout: 120
// arch: x86_64 (signals by its system call)
// not-with: address thread (jumps, signal stacks and the ends of threads are the sanitizers' own)
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <gossamer.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/death/death.h"

enum { TALKERS = 4, WORDS = 200 };

static const int64_t ms = 1000000;
static gos_chan *chan;
static gos_waitgroup all;
static gos_mutex mutex;
static volatile int handled;

/* ---- what goes on meanwhile ---- */

static void hears(void *unused)
{
    (void)unused;
    for (int64_t word; gos_chan_recv(chan, &word) == 0;)
        gos_yield();
}

static void sleeps(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        gos_sleep(ms);
    gos_waitgroup_done(&all);
}

static void talk(void)
{
    for (int64_t i = 0; i < WORDS; i++)
        CHECK_EQ(gos_chan_send(chan, &i), 0);
}

static void begin(void)
{
    gos_waitgroup_add(&all, TALKERS);
    for (int i = 0; i < TALKERS; i++) {
        CHECK_EQ(gos_go(hears, NULL), 0);
        CHECK_EQ(gos_go(sleeps, NULL), 0);
    }
    talk();
}

/* All still works, descriptors too. */
static int goes_on(void)
{
    int ends[2];
    char byte = 7;
    talk();
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(write(ends[1], &byte, 1), 1);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    gos_waitgroup_wait(&all);
    return 0;
}

/* By the system call alone, so that this function stays on its nursery. */
__attribute__((noinline)) static void raise_on_nursery(long pid, long tid)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_tgkill), "D"(pid), "S"(tid), "d"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    CHECK_EQ(result, 0);
}

static void raise_often(void)
{
    for (int i = 0; i < 100; i++) {
        raise_on_nursery(getpid(), syscall(SYS_gettid));
        gos_yield();
    }
}

/* ---- jumps ---- */

static jmp_buf theirs;
static sigjmp_buf ours;
static volatile int is_set;
static char *volatile nowhere = (char *)16; /* in the null page; a null itself UBSan reports */

static void can_be_jumped_to(void *unused)
{
    (void)unused;
    if (setjmp(theirs))
        _exit(9);
    is_set = 1;
    gos_sleep(1000 * ms);
}

static int jumps_to_another_task(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(can_be_jumped_to, NULL), 0);
    while (!is_set)
        gos_yield();
    longjmp(theirs, 1);
}

__attribute__((no_split_stack)) static void jumps_out(int number)
{
    (void)number;
    siglongjmp(ours, 1);
}

static int jumps_out_of_handlers(void *unused)
{
    (void)unused;
    signal(SIGSEGV, jumps_out);
    signal(SIGUSR1, jumps_out);
    begin();
    for (volatile int i = 0; i < 50; i++) {
        if (sigsetjmp(ours, 1) == 0)
            *nowhere = 1;
        if (sigsetjmp(ours, 1) == 0)
            raise_on_nursery(getpid(), syscall(SYS_gettid));
        gos_yield();
    }
    return goes_on();
}

/* ---- descriptors ---- */

static int closes_range(void *unused)
{
    (void)unused;
    begin();
    close_range(3, ~0u, 0);
    closefrom(3);
    return goes_on();
}

static int closes_each(void *unused)
{
    (void)unused;
    begin();
    for (int i = 3; i < 1024; i++)
        close(i);
    return goes_on();
}

static int dups_over_each(void *unused)
{
    (void)unused;
    int null = open("/dev/null", O_RDWR);
    begin();
    for (int i = null + 1; i < 1024; i++)
        dup2(null, i);
    for (int i = null + 1; i < 1024; i++)
        close(i);
    return goes_on();
}

static void reads(void *end)
{
    char byte;
    CHECK(read((int)(intptr_t)end, &byte, 1) == 1);
}

static int closes_by_number(void *unused)
{
    (void)unused;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    begin();
    CHECK_EQ(gos_go(reads, (void *)(intptr_t)ends[0]), 0);
    gos_sleep(ms);
    for (int i = ends[1] + 1; i < 1024; i++)
        syscall(SYS_close, i);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(gos_go(reads, (void *)(intptr_t)ends[0]), 0);
        gos_sleep(ms);
    }
    return 0;
}

/* ---- ends ---- */

static int executes(void *unused)
{
    (void)unused;
    begin();
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int exits(void *unused)
{
    (void)unused;
    begin();
    exit(7);
}

static int aborts(void *unused)
{
    (void)unused;
    begin();
    abort();
}

static void ends_its_thread(void *unused)
{
    (void)unused;
    pthread_exit(NULL);
}

static int ends_threads(void *unused)
{
    (void)unused;
    begin();
    CHECK_EQ(gos_go(ends_its_thread, NULL), 0);
    return goes_on();
}

static void cancels_itself(void *unused)
{
    (void)unused;
    pthread_cancel(pthread_self());
    pthread_testcancel();
    gos_sleep(ms);
    pthread_testcancel();
}

static int cancels_threads(void *unused)
{
    (void)unused;
    begin();
    CHECK_EQ(gos_go(cancels_itself, NULL), 0);
    return goes_on();
}

/* ---- signals ---- */

static char too_small[4096];

/* Counts what was handled on a signal stack, and not on that one. */
__attribute__((no_split_stack)) static void looks_where_it_is(int number)
{
    stack_t now;
    (void)number;
    if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_ONSTACK && now.ss_sp != too_small)
        __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}


static void changes_its_signal_stack(void *off)
{
    const stack_t none = { .ss_flags = SS_DISABLE }, mine = { .ss_sp = too_small, .ss_size = sizeof too_small };
    sigaltstack(off ? &none : &mine, NULL);
    gos_waitgroup_done(&all);
}

static void is_interrupted(void *unused)
{
    (void)unused;
    raise_often();
    gos_waitgroup_done(&all);
}

static int changes_signal_stacks(void *unused)
{
    (void)unused;
    signal(SIGUSR1, looks_where_it_is);
    begin();
    gos_waitgroup_add(&all, 20);
    for (intptr_t i = 0; i < 10; i++) {
        CHECK_EQ(gos_go(changes_its_signal_stack, (void *)(i % 2)), 0);
        CHECK_EQ(gos_go(is_interrupted, NULL), 0);
    }
    goes_on();
    CHECK_EQ(handled, 1000);
    return 0;
}

static int blocks_all_signals(void *unused)
{
    (void)unused;
    sigset_t every;
    sigfillset(&every);
    sigprocmask(SIG_BLOCK, &every, NULL);
    begin();
    return goes_on();
}

static void locks(int number)
{
    (void)number;
    gos_mutex_lock(&mutex);
}

static int locks_in_a_handler(void *unused)
{
    (void)unused;
    signal(SIGUSR1, locks);
    gos_mutex_lock(&mutex);
    raise_on_nursery(getpid(), syscall(SYS_gettid));
    return 0;
}

/* ---- memory ---- */

static int has_a_large_frame(void *unused)
{
    (void)unused;
    volatile char frame[8 << 20];
    for (size_t i = 0; i < sizeof frame; i += 1000)
        frame[i] = 1;
    begin();
    return goes_on() + frame[0] - 1;
}

static int limits_its_stack(void *unused)
{
    (void)unused;
    CHECK_EQ(setrlimit(RLIMIT_STACK, &(struct rlimit){ 65536, 65536 }), 0);
    begin();
    return goes_on();
}

static void in_a_run(void *fn)
{
    gos_procs(2);
    chan = gos_chan_new(sizeof(int64_t), 0);
    _exit(gos_run((int (*)(void *))fn, NULL));
}

int main(void)
{
    static const struct {
        const char *name;
        int (*fn)(void *);
        int signal, status;
        const char *said[3];
    } programs[] = {
        { "longjmp to another task", jumps_to_another_task, SIGABRT, 0,
          { "gossamer: longjmp to a frame that is not *" } },
        { "jumps out of handlers", jumps_out_of_handlers, 0, 0, { NULL } },
        { "close_range", closes_range, 0, 0, { NULL } },
        { "close of each number", closes_each, 0, 0, { NULL } },
        { "dup2 over each number", dups_over_each, 0, 0, { NULL } },
        { "close by system call", closes_by_number, SIGABRT, 0, { "gossamer: the program has closed descriptor *" } },
        { "exec", executes, 0, 0, { NULL } },
        { "exit", exits, 0, 7, { NULL } },
        { "abort", aborts, SIGABRT, 0, { NULL } },
        { "pthread_exit", ends_threads, SIGABRT, 0, { "gossamer: a task has ended the thread that *" } },
        { "pthread_cancel", cancels_threads, SIGABRT, 0, { "gossamer: a task has ended the thread that *" } },
        { "sigaltstack", changes_signal_stacks, 0, 0, { NULL } },
        { "all signals blocked", blocks_all_signals, 0, 0, { NULL } },
        { "a lock in a handler", locks_in_a_handler, 0, 2, { "gossamer: fatal error: all tasks are asleep*", "..." } },
        { "a frame of 8 MiB", has_a_large_frame, 0, 0, { NULL } },
        { "RLIMIT_STACK", limits_its_stack, 0, 0, { NULL } },
    };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        expect_death(programs[i].name, in_a_run, (void *)(uintptr_t)programs[i].fn, programs[i].signal,
                     programs[i].status, programs[i].said);
    return 0;
}
