/* gos_timer: fires once and not early, is stopped or fires, many of them, from every thread, across runs. */
// timeout: 120
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/test.h"

static const int64_t ms = 1000000;
static uint64_t seed;

static gos_waitgroup all;
static uint64_t fired;

static void fire(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&fired, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void note_time(void *arg)
{
    *(int64_t *)arg = gos_now();
    gos_sleep(ms); /* it is a task and may park */
    gos_waitgroup_done(&all);
}

static void come(void *arg)
{
    *(int *)arg = 1;
}

/* False: this thread was kept from running, and they may have fired before. */
static bool stopped_in_time(void)
{
    static int came[1000], try;
    int *mine = &came[try++ % 1000];
    int64_t start = gos_now();
    gos_timer *timer = gos_timer_new(5 * ms, come, mine), *freed = gos_timer_new(5 * ms, come, mine);
    int result = gos_timer_stop(timer);
    gos_timer_free(freed);
    if (gos_now() - start >= 5 * ms) {
        gos_timer_free(timer);
        return false;
    }
    CHECK_EQ(result, 0);
    CHECK_EQ(gos_timer_stop(timer), -EALREADY);
    gos_sleep(10 * ms);
    CHECK_EQ(*mine, 0);
    gos_timer_free(timer);
    return true;
}

static void one_timer(void)
{
    int64_t at = 0, start = gos_now();
    gos_waitgroup_add(&all, 1);
    gos_timer *timer = gos_timer_new(5 * ms, note_time, &at);
    CHECK(timer != NULL);
    gos_waitgroup_wait(&all);
    CHECK(at - start >= 5 * ms);
    CHECK_EQ(gos_timer_stop(timer), -EALREADY);
    gos_timer_free(timer);
    gos_timer_free(NULL);

    while (!stopped_in_time())
        continue;

    fired = 0;
    gos_waitgroup_add(&all, 2);
    gos_timer *now = gos_timer_new(0, fire, NULL), *past = gos_timer_new(INT64_MIN, fire, NULL);
    gos_timer *never = gos_timer_new(INT64_MAX, fire, NULL);
    gos_waitgroup_wait(&all);
    CHECK_EQ(fired, 2);
    CHECK_EQ(gos_timer_stop(never), 0);
    gos_timer_free(never);
    gos_timer_free(now);
    gos_timer_free(past);
}

/* Of many timers in no order some are stopped at once; each of the others fires once. Whichever task frees them. */
#ifdef GOS_TSAN
enum { MANY = 4000 }; /* all may fire before one ends: thread sanitizer has room for 8,000 tasks */
#else
enum { MANY = 10000 };
#endif
static gos_timer *many[MANY];

static void free_some(void *arg)
{
    for (uintptr_t i = (uintptr_t)arg; i < MANY; i += 4)
        gos_timer_free(many[i]);
    gos_waitgroup_done(&all);
}

static void many_at_once(void)
{
    uint64_t random = seed, expected = MANY;
    fired = 0;
    gos_waitgroup_add(&all, MANY);
    for (int i = 0; i < MANY; i++) {
        many[i] = gos_timer_new((int64_t)(test_random(&random) % (30 * (uint64_t)ms)), fire, NULL);
        CHECK(many[i] != NULL);
    }
    for (int i = 0; i < MANY; i += 3)
        if (!gos_timer_stop(many[i])) {
            expected--;
            gos_waitgroup_done(&all);
        }
    gos_waitgroup_wait(&all);
    CHECK_EQ(fired, expected);
    gos_waitgroup_add(&all, 4);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK_EQ(gos_go(free_some, (void *)i), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(fired, expected);
}

/* On one worker timers fire in the order of their times, whichever are taken out from among them. */
enum { SOME = 200 };
static int sequence[SOME], sequence_n;

static void note_order(void *arg)
{
    sequence[sequence_n++] = (int)(intptr_t)arg;
    gos_waitgroup_done(&all);
}

static void order_holds(void)
{
    uint64_t random = seed + 2;
    int64_t earliest[SOME], latest[SOME];
    sequence_n = 0;
    for (intptr_t i = 0; i < SOME; i++) {
        int64_t wait = 5 * ms + (int64_t)(test_random(&random) % (5 * (uint64_t)ms));
        earliest[i] = gos_now() + wait;
        gos_waitgroup_add(&all, 1);
        many[i] = gos_timer_new(wait, note_order, (void *)i);
        latest[i] = gos_now() + wait;
    }
    for (int i = 0; i < SOME; i++)
        if (test_random(&random) % 2) {
            if (!gos_timer_stop(many[i]))
                gos_waitgroup_done(&all);
            gos_timer_free(many[i]);
            many[i] = NULL;
        }
    gos_waitgroup_wait(&all);
    for (int i = 1; i < sequence_n; i++)
        CHECK(earliest[sequence[i - 1]] <= latest[sequence[i]]);
    for (int i = 0; i < SOME; i++)
        gos_timer_free(many[i]);
}

/* Stopping races firing: exactly one of the two has its way. */
static gos_chan *to_stop;
static uint64_t stopped;

static void stopper(void *arg)
{
    (void)arg;
    gos_timer *timer;
    while (!gos_chan_recv(to_stop, &timer)) {
        if (!gos_timer_stop(timer)) {
            __atomic_fetch_add(&stopped, 1, __ATOMIC_RELAXED);
            gos_waitgroup_done(&all);
        }
        gos_timer_free(timer);
    }
    gos_waitgroup_done(&all);
}

static void stop_races_fire(void)
{
    enum { ROUNDS = 4000, STOPPERS = 3 };
    uint64_t random = seed + 1;
    fired = stopped = 0;
    to_stop = gos_chan_new(sizeof(gos_timer *), 8);
    gos_waitgroup_add(&all, ROUNDS + STOPPERS);
    for (int i = 0; i < STOPPERS; i++)
        CHECK_EQ(gos_go(stopper, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        gos_timer *timer = gos_timer_new((int64_t)(test_random(&random) % 20000), fire, NULL);
        if (i % 8 == 0)
            gos_sleep((int64_t)(test_random(&random) % 20000));
        CHECK_EQ(gos_chan_send(to_stop, &timer), 0);
    }
    CHECK_EQ(gos_chan_close(to_stop), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(fired + stopped, ROUNDS);
    gos_chan_free(to_stop);
}

/* From a thread that is not ours, while the workers sleep. */
static void *foreign(void *arg)
{
    gos_timer **kept = arg;
    for (int i = 0; i < 20; i++) {
        gos_timer *timer = gos_timer_new(i % 2 * ms, fire, NULL);
        CHECK(timer != NULL);
        if (!gos_timer_stop(timer))
            gos_waitgroup_done(&all);
        gos_timer_free(timer);
    }
    *kept = gos_timer_new(ms, fire, NULL);
    return NULL;
}

static void from_outside(void)
{
    gos_timer *kept = NULL;
    pthread_t thread;
    gos_waitgroup_add(&all, 21);
    CHECK_EQ(pthread_create(&thread, NULL, foreign, &kept), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_timer_free(kept);
}

/* Timers go on when their worker goes. */
static void workers_change(int procs)
{
    fired = 0;
    gos_waitgroup_add(&all, 400);
    for (int i = 0; i < 400; i++) {
        many[i] = gos_timer_new(5 * ms + i * 1000, fire, NULL);
        gos_yield();
    }
    gos_procs(1);
    gos_procs(procs + 1);
    gos_procs(procs);
    gos_waitgroup_wait(&all);
    CHECK_EQ(fired, 400);
    for (int i = 0; i < 400; i++)
        gos_timer_free(many[i]);
}

static gos_timer *left_armed, *left_stopped, *left_fired;

static int body(void *procs)
{
    one_timer();
    many_at_once();
    stop_races_fire();
    from_outside();
    workers_change((int)(intptr_t)procs);
    for (int i = 0; i < 5 && (intptr_t)procs == 1; i++) {
        order_holds();
        seed += 1000;
    }
    gos_waitgroup_add(&all, 1);
    left_fired = gos_timer_new(0, fire, NULL);
    gos_waitgroup_wait(&all);
    left_armed = gos_timer_new(3600000 * ms, fire, NULL);
    left_stopped = gos_timer_new(3600000 * ms, fire, NULL);
    CHECK_EQ(gos_timer_stop(left_stopped), 0);
    return 0;
}

static int free_the_old(void *timer)
{
    CHECK_EQ(gos_timer_stop(timer), -EALREADY);
    gos_timer_free(timer);
    return 0;
}

int main(void)
{
    seed = test_seed();
    CHECK(!gos_timer_new(0, fire, NULL));
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, (void *)(intptr_t)procs), 0);
        CHECK_EQ(gos_timer_stop(left_armed), -EALREADY); /* its run is over */
        gos_timer_free(left_armed);
        gos_timer_free(left_stopped);
        CHECK_EQ(gos_run(free_the_old, left_fired), 0);
    }
    return 0;
}
