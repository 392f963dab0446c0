/* gos_waitgroup: waits for all, may be used again, and is not touched after the wait has returned. */
// also: paged
#include <gossamer.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/test.h"

static int rounds;
static _Atomic int ran;

static void work(void *group)
{
    atomic_fetch_add(&ran, 1);
    gos_waitgroup_done(group);
}

static void start(gos_waitgroup *group, int n)
{
    gos_waitgroup_add(group, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(work, group), 0);
}

static void used_again(void)
{
    static gos_waitgroup group = GOS_WAITGROUP_INIT;
    gos_waitgroup_wait(&group); /* nothing to wait for */
    gos_waitgroup_add(&group, 0);
    gos_waitgroup_wait(&group);
    for (int i = 0; i < rounds; i++) {
        ran = 0;
        start(&group, i % 9);
        gos_waitgroup_wait(&group);
        CHECK_EQ(ran, i % 9);
    }
}

/* A group on the stack of a function that returns at once: a late touch would hit the next group, or the poison. */
__attribute__((noinline)) static void on_the_stack(int n)
{
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    ran = 0;
    start(&group, n);
    gos_waitgroup_wait(&group);
    CHECK_EQ(ran, n);
    memset(&group, 0xa5, sizeof group);
    __asm__ volatile("" : : "r"(&group) : "memory");
    gos_yield();
    for (size_t i = 0; i < sizeof group; i++)
        CHECK_EQ(((unsigned char *)&group)[i], 0xa5);
}

typedef struct crowd {
    gos_waitgroup work, waiters;
    _Atomic int finished;
} crowd;

static void wait_too(void *arg)
{
    crowd *c = arg;
    gos_waitgroup_wait(&c->work);
    CHECK_EQ(c->finished, 1);
    gos_waitgroup_done(&c->waiters);
}

static void several_wait(void)
{
    static crowd c;
    for (int i = 0; i < rounds / 10; i++) {
        c.finished = 0;
        gos_waitgroup_add(&c.work, 1);
        gos_waitgroup_add(&c.waiters, 10);
        for (int k = 0; k < 10; k++)
            CHECK_EQ(gos_go(wait_too, &c), 0);
        if (i % 3 == 0)
            gos_yield();
        c.finished = 1;
        gos_waitgroup_done(&c.work);
        gos_waitgroup_wait(&c.waiters);
    }
}

static void *done_elsewhere(void *group)
{
    gos_waitgroup_done(group);
    return NULL;
}

static void from_a_thread(void)
{
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    pthread_t threads[10];
    gos_waitgroup_add(&group, 10);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, done_elsewhere, &group), 0);
    gos_waitgroup_wait(&group);
    for (int i = 0; i < 10; i++)
        pthread_join(threads[i], NULL);
}

static int run(void *unused)
{
    (void)unused;
    used_again();
    for (int i = 0; i < rounds; i++)
        on_the_stack(1 + i % 3);
    several_wait();
    from_a_thread();
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    rounds = san && *san ? 200 : 5000;
    for (int workers = 1; workers <= 4; workers++) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
