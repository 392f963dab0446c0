/* gos_context: ends by cancel, deadline or parent, once, with one cause; told to whoever waits, tasks and threads;
 * trees of any shape, freed in any order, also while they end. */
// timeout: 120
// also: paged
#define _GNU_SOURCE 1 /* gettid */
#include <gossamer.h>
#include <gossamer/context.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/blocked.h"
#include "tests/test.h"

static const int64_t ms = 1000000;
static uint64_t seed;
static gos_waitgroup all;

static bool is_done(gos_context *context)
{
    gos_case done = { .chan = gos_context_done(context), .op = GOS_RECV };
    int chosen = gos_select(&done, 1, 0);
    CHECK(chosen == -EAGAIN || (chosen == 0 && done.result == -EPIPE));
    return chosen == 0;
}

static void one(void)
{
    gos_context *context = gos_context_new(NULL, INT64_MAX);
    CHECK_EQ(gos_context_cause(context), 0);
    CHECK_EQ(gos_context_deadline(context), INT64_MAX);
    CHECK(!is_done(context));
    CHECK_EQ(gos_context_cancel(context, -EIO), 0);
    CHECK_EQ(gos_context_cancel(context, -ENOENT), -EALREADY);
    CHECK_EQ(gos_context_cause(context), -EIO);
    CHECK(is_done(context));
    gos_context *late = gos_context_new(context, INT64_MAX); /* born ended */
    CHECK_EQ(gos_context_cause(late), -EIO);
    CHECK(is_done(late));
    gos_context_free(context);
    CHECK_EQ(gos_context_cause(late), -EIO);
    gos_context_free(late);
    gos_context_free(NULL);
}

static void await_end(void *arg)
{
    CHECK_EQ(gos_chan_recv(gos_context_done(arg), NULL), -EPIPE);
    CHECK(gos_context_cause(arg) < 0);
    gos_waitgroup_done(&all);
}

/* root - a - b, root - c: each is told by whom it depends on, and by nobody else. */
static void tree(void)
{
    gos_context *root = gos_context_new(NULL, INT64_MAX), *a = gos_context_new(root, INT64_MAX),
                *b = gos_context_new(a, INT64_MAX), *c = gos_context_new(root, INT64_MAX);
    gos_waitgroup_add(&all, 2);
    CHECK_EQ(gos_go(await_end, a), 0);
    CHECK_EQ(gos_go(await_end, b), 0);
    gos_yield();
    CHECK_EQ(gos_context_cancel(a, -EINTR), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(gos_context_cause(a), -EINTR);
    CHECK_EQ(gos_context_cause(b), -EINTR);
    CHECK_EQ(gos_context_cause(root), 0);
    CHECK_EQ(gos_context_cause(c), 0);
    gos_context_free(root); /* before those below it */
    CHECK_EQ(gos_context_cause(c), -ECANCELED);
    CHECK_EQ(gos_context_cause(b), -EINTR);
    CHECK(is_done(c));
    gos_context_free(b);
    gos_context_free(a);
    gos_context_free(c);
}

/* Each below the one before: its end takes as many steps as there are, not their square, which would be minutes. */
static void chain(void)
{
    enum { LONG = 300000 };
    gos_context **chain = calloc(LONG, sizeof *chain);
    CHECK(chain != NULL);
    for (int i = 0; i < LONG; i++)
        CHECK((chain[i] = gos_context_new(i ? chain[i - 1] : NULL, INT64_MAX)) != NULL);
    CHECK_EQ(gos_context_cancel(chain[1], -EIO), 0);
    CHECK_EQ(gos_context_cause(chain[0]), 0);
    for (int i = 1; i < LONG; i++)
        CHECK(gos_context_cause(chain[i]) == -EIO && is_done(chain[i]));
    for (int i = 0; i < LONG; i++)
        gos_context_free(chain[i]);
    free(chain);
}

static void deadlines(void)
{
    int64_t soon = gos_now() + 20 * ms, far = gos_now() + 60000 * ms;
    gos_context *root = gos_context_new(NULL, soon), *child = gos_context_new(root, far),
                *sooner = gos_context_new(root, soon - 15 * ms), *past = gos_context_new(root, 1);
    CHECK_EQ(gos_context_deadline(child), soon);
    CHECK_EQ(gos_context_cause(past), -ETIMEDOUT);
    CHECK_EQ(gos_chan_recv(gos_context_done(sooner), NULL), -EPIPE);
    CHECK_EQ(gos_context_cause(sooner), -ETIMEDOUT);
    CHECK_EQ(gos_chan_recv(gos_context_done(child), NULL), -EPIPE);
    CHECK(gos_now() >= soon);
    CHECK_EQ(gos_context_cause(child), -ETIMEDOUT);
    CHECK_EQ(gos_context_cause(root), -ETIMEDOUT);
    CHECK_EQ(gos_context_cancel(root, -EIO), -EALREADY);
    gos_context_free(child);
    gos_context_free(root);
    gos_context_free(sooner);
    gos_context_free(past);
    gos_context *never = gos_context_new(NULL, far); /* its timer goes with it */
    CHECK_EQ(gos_context_cancel(never, -EIO), 0);
    CHECK_EQ(gos_context_cause(never), -EIO);
    gos_context_free(never);
}

static void *cancels(void *arg)
{
    gos_context *child = gos_context_new(arg, gos_now() + 5 * ms);
    CHECK(child != NULL);
    while (!gos_context_cause(child))
        sched_yield();
    CHECK_EQ(gos_context_cause(child), -ETIMEDOUT);
    gos_context_free(child);
    CHECK_EQ(gos_context_cancel(arg, -EPERM), 0);
    return NULL;
}

static void from_a_thread(void)
{
    pthread_t thread;
    gos_context *context = gos_context_new(NULL, INT64_MAX);
    CHECK_EQ(pthread_create(&thread, NULL, cancels, context), 0);
    CHECK_EQ(gos_chan_recv(gos_context_done(context), NULL), -EPIPE);
    CHECK_EQ(gos_context_cause(context), -EPERM);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_context_free(context);
}

/* ---- stress: trees that grow, end by deadline, cancel and free from all sides at once ---- */

enum { TASKS = 16, NODES = 6 };

static gos_context *shared;

static void grow_and_end(void *arg)
{
    uint64_t random = seed + (uintptr_t)arg;
    for (int i = 0; i < 300; i++) {
        gos_context *nodes[NODES];
        for (int n = 0; n < NODES; n++) {
            gos_context *parent = n ? nodes[test_random(&random) % (uint64_t)n] : shared;
            int64_t after = (int64_t)(test_random(&random) % 100000);
            nodes[n] = gos_context_new(parent, test_random(&random) % 2 ? gos_now() + after : INT64_MAX);
            CHECK(nodes[n] != NULL);
        }
        gos_context *victim = nodes[test_random(&random) % NODES];
        if (test_random(&random) % 2)
            gos_context_cancel(victim, -EIO);
        gos_case done = { .chan = gos_context_done(victim), .op = GOS_RECV };
        int chosen = gos_select(&done, 1, (int64_t)(test_random(&random) % 50000));
        CHECK_EQ(chosen == 0, chosen == 0 && gos_context_cause(victim) < 0);
        for (int n = NODES; n > 0; n--) { /* in any order */
            uint64_t at = test_random(&random) % (uint64_t)n;
            gos_context_free(nodes[at]);
            nodes[at] = nodes[n - 1];
        }
    }
    gos_waitgroup_done(&all);
}

static void stress(void)
{
    for (int round = 0; round < 3; round++) {
        shared = gos_context_new(NULL, gos_now() + (round + 1) * 10 * ms);
        gos_waitgroup_add(&all, TASKS);
        for (uintptr_t i = 0; i < TASKS; i++)
            CHECK_EQ(gos_go(grow_and_end, (void *)(i + (uintptr_t)round * TASKS)), 0);
        gos_waitgroup_wait(&all);
        gos_context_free(shared);
    }
}

/* ---- from one run to the next ---- */

static gos_context *outlives, *left[2], *again;

static void wait_for_ever(void *context)
{
    gos_chan_recv(gos_context_done(context), NULL);
}

static void select_for_ever(void *context)
{
    gos_case cases[] = { { .chan = gos_context_done(context), .op = GOS_RECV },
                         { .chan = gos_context_done(left[0]), .op = GOS_RECV } };
    gos_select(cases, 2, 60000 * ms);
}

static void wait_again(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_chan_recv(gos_context_done(again), NULL), -EPIPE);
    gos_waitgroup_done(&all);
}

static void sleep_a_little(void *unused)
{
    (void)unused;
    gos_sleep(ms);
}

/* One run leaves tasks that wait, and the next one asks again, with its tasks elsewhere. */
static int ask_again(void *is_last)
{
    for (int i = 0; is_last && i < 200; i++)
        CHECK_EQ(gos_go(sleep_a_little, NULL), 0);
    gos_waitgroup_add(&all, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(gos_go(wait_again, NULL), 0);
        CHECK_EQ(gos_go(select_for_ever, again), 0);
    }
    gos_sleep(2 * ms);
    if (is_last) {
        CHECK_EQ(gos_context_cancel(again, -EIO), 0);
        gos_waitgroup_wait(&all);
    }
    return 0;
}

/* A thread without a task waits through runs that have nothing to do with it. */
static void *wait_through_runs(void *tid)
{
    *(_Atomic pid_t *)tid = gettid();
    CHECK_EQ(gos_chan_recv_until(gos_context_done(left[1]), NULL, gos_now() + 30000 * ms), -EPIPE);
    return NULL;
}

static void run_after_run(void)
{
    pthread_t thread;
    _Atomic pid_t tid = 0;
    again = gos_context_new(NULL, INT64_MAX);
    for (int i = 0; i < 2; i++)
        left[i] = gos_context_new(NULL, INT64_MAX);
    CHECK_EQ(pthread_create(&thread, NULL, wait_through_runs, &tid), 0);
    /* An emulator's threads are in calls of the machine below. */
    for (int i = 0; i < 2000 && !(tid && blocks_in(tid, SYS_futex)); i++)
        usleep(1000);
    for (int run = 0; run < 2; run++) {
        all = (gos_waitgroup){ 0 };
        CHECK_EQ(gos_run(ask_again, run ? again : NULL), 0);
    }
    CHECK_EQ(gos_context_cancel(left[1], -EIO), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_context_free(again);
    for (int i = 0; i < 2; i++)
        gos_context_free(left[i]);
}

static int body(void *unused)
{
    (void)unused;
    one();
    tree();
    chain();
    deadlines();
    from_a_thread();
    stress();
    outlives = gos_context_new(NULL, gos_now() + 60000 * ms);
    for (int i = 0; i < 2; i++) {
        left[i] = gos_context_new(i ? left[0] : NULL, INT64_MAX);
        CHECK_EQ(gos_go(wait_for_ever, left[i]), 0);
        CHECK_EQ(gos_go(select_for_ever, left[i]), 0);
    }
    gos_sleep(ms); /* until they wait, which the end of the run leaves them to */
    return 0;
}

int main(void)
{
    seed = test_seed();
    CHECK(gos_context_new(NULL, INT64_MAX - 1) == NULL); /* nobody would tell the time */
    gos_context *before = gos_context_new(NULL, INT64_MAX);
    CHECK_EQ(gos_context_cancel(before, -EIO), 0);
    gos_context_free(before);
    for (int procs = 1; procs <= 3; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
        CHECK_EQ(gos_context_cause(outlives), 0);
        gos_context_free(outlives);
        gos_context_free(left[0]);
        CHECK_EQ(gos_context_cause(left[1]), -ECANCELED);
        gos_context_free(left[1]);
        run_after_run();
    }
    return 0;
}
