/* When no task can ever run again, one report with every task ends the program; as long as anything may still wake
 * one, none does. */
// not-with: emulator (it has a thread of its own)
// also: paged
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "tests/death/death.h"

#ifndef GOS_ASAN
#define GOS_ASAN 0
#endif
#ifndef GOS_TSAN
#define GOS_TSAN 0
#endif

/* ---- deadlocks ---- */

static gos_chan *chan;
static gos_mutex mutex;
static gos_waitgroup group;

static void in_a_run(void *fn)
{
    chan = gos_chan_new(sizeof(int), 0);
    gos_run((int (*)(void *))fn, NULL);
}

static void receive_for_ever(void *unused)
{
    (void)unused;
    int n;
    gos_chan_recv(chan, &n);
}

static int wait_for_each_other(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&group, 1);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(gos_go(receive_for_ever, NULL), 0);
    gos_waitgroup_wait(&group);
    return 0;
}

static int lock_twice(void *unused)
{
    (void)unused;
    gos_mutex_lock(&mutex);
    gos_mutex_lock(&mutex);
    return 0;
}

static int select_nothing(void *unused)
{
    (void)unused;
    return gos_select(&(gos_case){ .chan = NULL, .op = GOS_RECV }, 1, -1);
}

static int main_leaves(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(receive_for_ever, NULL), 0);
    gos_exit();
}

static int all_leave(void *unused)
{
    (void)unused;
    gos_exit();
}

/* After a timer, a call and a thread, all of which were reasons to wait. */
static void sleeper(void *unused)
{
    (void)unused;
    gos_sleep(20000000);
}

static void *leaving_thread(void *unused)
{
    (void)unused;
    usleep(20000);
    return NULL;
}

static int run_dry(void *unused)
{
    (void)unused;
    pthread_t thread;
    gos_procs(1);
    CHECK_EQ(gos_go(sleeper, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, leaving_thread, NULL), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    gos_stats stats = { .handoffs = 0 };
    while (!stats.handoffs) { /* the sleeper waits for the only worker, so the monitor looks at it */
        syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 50000000 }, NULL);
        CHECK_EQ(gos_stats_read(&stats), 0);
    }
    receive_for_ever(NULL);
    return 0;
}

static int pinned(void *unused)
{
    (void)unused;
    gos_pin();
    receive_for_ever(NULL);
    return 0;
}

#if GOS_ASAN /* does not look at the stacks of others */
#define ON ""
#else
#define ON " on 0x*"
#endif

static void expect_report(const char *name, int (*fn)(void *), const char *tasks, const char *one,
                          const char *other)
{
    const char *const said[] = { "gossamer: fatal error: all tasks are asleep - deadlock!", tasks, one, "...", other,
                                 other ? "..." : NULL, NULL };
    expect_death(name, in_a_run, (void *)(uintptr_t)fn, 0, 2, said);
}

static void reports(void)
{
    expect_report("tasks and the main task", wait_for_each_other, "gossamer: 1001 tasks",
                  "1000 tasks like 0x* [[]chan receive*]" ON " started with receive_for_ever*",
                  "task 0x* [[]wait group*]" ON " started with wait_for_each_other*");
    expect_report("a mutex locked twice", lock_twice, "gossamer: 1 tasks",
                  "task 0x* [[]mutex*]" ON " started with lock_twice*", NULL);
    expect_report("a select of nothing", select_nothing, "gossamer: 1 tasks",
                  "task 0x* [[]select*] started with select_nothing*", NULL);
    expect_report("main has left", main_leaves, "gossamer: 1 tasks",
                  "task 0x* [[]chan receive*]" ON " started with receive_for_ever*", NULL);
    expect_report("late", run_dry, "gossamer: 1 tasks", "task 0x* [[]chan receive*]" ON " started with run_dry*",
                  GOS_ASAN ? NULL : "    receive_for_ever*");
    expect_report("a pinned task", pinned, "gossamer: 1 tasks",
                  "task 0x* [[]chan receive*]" ON " started with pinned*, pinned", NULL);
    const char *const none[] = { "gossamer: fatal error: no task is left, and main ended by gos_exit - deadlock!",
                                 NULL };
    expect_death("all have left", in_a_run, (void *)(uintptr_t)all_leave, 0, 2, none);
}

/* ---- no deadlocks: all of them outlast the looks of the monitor ---- */

enum { LONG_NS = 300000000 };

static void send_one(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_chan_send(chan, &(int){ 1 }), 0);
}

static void *send_from_outside(void *unused)
{
    (void)unused;
    usleep(LONG_NS / 1000);
    CHECK_EQ(gos_go(send_one, NULL), 0);
    return NULL;
}

static void send_after_call(void *unused)
{
    syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = LONG_NS }, NULL);
    send_one(unused);
}

static int pipe_ends[2];

static void send_after_read(void *unused)
{
    char byte;
    CHECK_EQ(read(pipe_ends[0], &byte, 1), 1);
    send_one(unused);
}

static int survives(void *unused)
{
    (void)unused;
    int n;
    gos_timer *timer = gos_timer_new(LONG_NS, send_one, NULL);
    CHECK(timer != NULL);
    CHECK_EQ(gos_chan_recv(chan, &n), 0);
    gos_timer_free(timer);

    gos_case never = { .chan = chan, .op = GOS_RECV, .elem = &n };
    CHECK_EQ(gos_select(&never, 1, LONG_NS), -ETIMEDOUT);

    CHECK_EQ(gos_go(send_after_call, NULL), 0);
    CHECK_EQ(gos_chan_recv(chan, &n), 0);

    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, send_from_outside, NULL), 0);
    CHECK_EQ(gos_chan_recv(chan, &n), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);

    /* Another process writes; by number, so that it has no run of its own, as thread sanitizer cannot. */
    CHECK_EQ(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (!child) {
        syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = LONG_NS }, NULL);
        _exit(syscall(SYS_write, pipe_ends[1], "", 1) != 1);
    }
    CHECK_EQ(gos_go(send_after_read, NULL), 0);
    CHECK_EQ(gos_chan_recv(chan, &n), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return 0;
}

int main(void)
{
    chan = gos_chan_new(sizeof(int), 0);
    CHECK_EQ(gos_run(survives, NULL), 0);
    if (!GOS_TSAN) /* its own thread might be one of the program's */
        reports();
    return 0;
}
