/* A pinned task stays on its thread, alone there; what it does to the thread goes away with it. */
// also: paged
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/test.h"

enum { PINNED = 5, OTHERS = 50, ROUNDS = 200 };

static gos_waitgroup all, ended;
static int pinned_threads[PINNED];
static _Thread_local int mark;
static gos_chan *there, *back;

__attribute__((noinline)) static int thread(void)
{
    return (int)syscall(SYS_gettid);
}

__attribute__((noinline)) static void set_mark(int value)
{
    mark = value;
}

__attribute__((noinline)) static int get_mark(void)
{
    return mark;
}

static void wait_somehow(int i)
{
    switch (i % 4) {
    case 0: gos_yield(); break;
    case 1: gos_sleep(20000); break;
    case 2: usleep(10); break;
    default: gos_block_begin(); sched_yield(); gos_block_end(); break;
    }
}

static void stay(void *arg)
{
    int number = (int)(intptr_t)arg;
    gos_pin();
    gos_pin();
    int own = thread();
    __atomic_store_n(&pinned_threads[number], own, __ATOMIC_SEQ_CST);
    for (int i = 0; i < ROUNDS; i++) {
        wait_somehow(i);
        CHECK_EQ(thread(), own);
        if (i == ROUNDS / 2)
            gos_unpin(); /* nested: still pinned */
    }
    __atomic_store_n(&pinned_threads[number], 0, __ATOMIC_SEQ_CST);
    gos_unpin();
    gos_waitgroup_done(&all);
}

static void roam(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int here = thread();
        for (int k = 0; k < PINNED; k++)
            if (__atomic_load_n(&pinned_threads[k], __ATOMIC_SEQ_CST) == here)
                CHECK(thread() != here); /* it may have been preempted between the two looks */
        wait_somehow(i);
    }
    gos_waitgroup_done(&all);
}

static void alone(void)
{
    gos_waitgroup_add(&all, PINNED + OTHERS);
    for (int i = 0; i < PINNED; i++)
        CHECK_EQ(gos_go(stay, (void *)(intptr_t)i), 0);
    for (int i = 0; i < OTHERS; i++)
        CHECK_EQ(gos_go(roam, NULL), 0);
    gos_waitgroup_wait(&all);
}

/* ---- its thread ends with it ---- */

static void spoil(void *arg)
{
    gos_pin();
    set_mark(1);
    CHECK_EQ(unshare(CLONE_FS), 0); /* the working folder is this thread's own now */
    CHECK_EQ(chdir("/"), 0);
    *(int *)arg = thread();
    gos_yield();
    gos_waitgroup_done(&ended);
}

static void look_clean(void *arg)
{
    char here[4096];
    (void)arg;
    CHECK(getcwd(here, sizeof here) && strcmp(here, "/"));
    CHECK_EQ(get_mark(), 0);
    gos_sleep(500000);
    gos_waitgroup_done(&all);
}

static void ends_pinned(void)
{
    int spoilt = 0;
    gos_waitgroup_add(&ended, 1);
    CHECK_EQ(gos_go(spoil, &spoilt), 0);
    gos_waitgroup_wait(&ended);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", spoilt);
    while (!access(path, F_OK)) /* until the thread is gone */
        gos_sleep(1000000);
    gos_waitgroup_add(&all, OTHERS);
    for (int i = 0; i < OTHERS; i++)
        CHECK_EQ(gos_go(look_clean, NULL), 0);
    gos_waitgroup_wait(&all);
}

/* ---- new threads do not start from a pinned one ---- */

static void block_thread(void *arg)
{
    look_clean(arg);
    syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 3000000 }, NULL); /* takes a thread each */
    gos_waitgroup_done(&ended);
}

static void makes_threads(void *arg)
{
    (void)arg;
    gos_pin();
    set_mark(1);
    CHECK_EQ(unshare(CLONE_FS), 0);
    CHECK_EQ(chdir("/"), 0);
    gos_waitgroup_add(&all, 10);
    gos_waitgroup_add(&ended, 10);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(block_thread, NULL), 0);
    gos_waitgroup_wait(&ended);
    gos_waitgroup_done(&all);
}

static void clean_threads(void)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(makes_threads, NULL), 0);
    gos_waitgroup_wait(&all);
}

/* ---- two pinned ones, hand to hand ---- */

static void echo(void *arg)
{
    int own, number;
    (void)arg;
    gos_pin();
    own = thread();
    while (gos_chan_recv(there, &number) == 0) {
        CHECK_EQ(thread(), own);
        CHECK_EQ(gos_chan_send(back, &number), 0);
    }
    gos_waitgroup_done(&all);
}

static void hand_to_hand(void)
{
    there = gos_chan_new(sizeof(int), 0);
    back = gos_chan_new(sizeof(int), 0);
    gos_waitgroup_add(&all, 1);
    gos_pin();
    int own = thread();
    CHECK_EQ(gos_go(echo, NULL), 0);
    for (int i = 0; i < 500; i++) {
        int number = i;
        CHECK_EQ(gos_chan_send(there, &number), 0);
        CHECK_EQ(gos_chan_recv(back, &number), 0);
        CHECK_EQ(number, i);
        CHECK_EQ(thread(), own);
    }
    gos_chan_close(there);
    gos_waitgroup_wait(&all);
    gos_unpin();
    gos_unpin(); /* once too often: nothing */
    gos_chan_free(there);
    gos_chan_free(back);
}

static int run(void *arg)
{
    (void)arg;
    alone();
    ends_pinned();
    clean_threads();
    hand_to_hand();
    return 0;
}

int main(void)
{
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
