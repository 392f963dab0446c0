/* Whoever ends a context, at whatever time and beside whomever: when the call returns, it and all below it has ended,
 * with a cause and a closed channel; trees that are wide, deep, and anything between. Outside a run, by tasks, and as
 * a run ends. */
// timeout: 120
// also: paged
#include <gossamer.h>
#include <gossamer/context.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/test.h"

enum { MOST = 8000, ENDERS = 3 };

static uint64_t seed;
static int n, rounds;
static gos_context *tree[MOST];
static atomic_int begun, ended;
static gos_waitgroup all;

static void require_ended(int first)
{
    for (int i = first; i < n; i++) {
        gos_case done = { .chan = gos_context_done(tree[i]), .op = GOS_RECV };
        CHECK(gos_context_cause(tree[i]) < 0);
        CHECK_EQ(gos_select(&done, 1, 0), 0);
        CHECK_EQ(done.result, -EPIPE);
    }
}

/* tree[1] is below tree[0], and everything else below tree[1]. */
static void grow(int shape, uint64_t *draw)
{
    tree[0] = gos_context_new(NULL, INT64_MAX);
    tree[1] = gos_context_new(tree[0], INT64_MAX);
    for (int i = 2; i < n; i++) {
        int above = shape == 0 ? 1 : shape == 1 ? i - 1 : 1 + (int)(test_random(draw) % (uint64_t)(i - 1));
        CHECK((tree[i] = gos_context_new(tree[above], INT64_MAX)) != NULL);
    }
}

static void cancel(int which)
{
    int result = gos_context_cancel(tree[which], -EIO);
    CHECK(result == 0 || result == -EALREADY);
    require_ended(which < 2 ? which : n);
}

/* Ender 0 does the root while 1 does what is below it; 2 begins further down, and then does the same as 1. */
static void end_all(int me)
{
    uint64_t draw = seed + (uint64_t)me;
    for (int round = 1; round <= rounds; round++) {
        if (me == 0) {
            grow(round % 3, &draw);
            begun = round;
        }
        while (begun != round || (me == 0 && !gos_context_cause(tree[1])))
            sched_yield();
        if (me == 2)
            cancel(1 + (int)(test_random(&draw) % (uint64_t)(n - 1)));
        cancel(me == 0 ? 0 : 1);
        ended++;
        while (ended < round * ENDERS)
            sched_yield();
        for (int i = 0; me == 0 && i < n; i++)
            gos_context_free(tree[i]);
    }
}

static void *thread(void *me)
{
    end_all((int)(intptr_t)me);
    return NULL;
}

static void outside(void)
{
    pthread_t threads[ENDERS];
    for (intptr_t i = 0; i < ENDERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
    for (int i = 0; i < ENDERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void task(void *me)
{
    gos_pin(); /* it waits by loops */
    end_all((int)(intptr_t)me);
    gos_waitgroup_done(&all);
}

static int inside(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, ENDERS);
    for (intptr_t i = 0; i < ENDERS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

/* ---- by a thread without a task, just as the run ends whose tasks wait ---- */

static void wait_for_it(void *context)
{
    gos_chan_recv(gos_context_done(context), NULL);
}

static void *cancel_soon(void *draw)
{
    while (!begun)
        sched_yield();
    for (volatile uint64_t i = test_random(draw) % 100000; i > 0; i--)
        ;
    CHECK_EQ(gos_context_cancel(tree[0], -EIO), 0);
    return NULL;
}

static int leave_waiting(void *unused)
{
    (void)unused;
    for (int i = 0; i < n / 4; i++)
        CHECK_EQ(gos_go(wait_for_it, tree[0]), 0);
    gos_sleep(1000000);
    begun = 1;
    return 0;
}

static void at_the_end(void)
{
    uint64_t draw = seed;
    for (int i = 0; i < 10 * rounds; i++) {
        pthread_t thread;
        begun = 0;
        tree[0] = gos_context_new(NULL, INT64_MAX);
        CHECK_EQ(pthread_create(&thread, NULL, cancel_soon, &draw), 0);
        CHECK_EQ(gos_run(leave_waiting, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        gos_context_free(tree[0]);
    }
}

int main(void)
{
    const char *san = getenv("SAN");
    seed = test_seed();
    n = san && *san ? MOST / 8 : MOST;
    rounds = 9;
    outside();
    begun = ended = 0;
    gos_procs(ENDERS);
    CHECK_EQ(gos_run(inside, NULL), 0);
    at_the_end();
    return 0;
}
