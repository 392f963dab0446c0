/* gos_select: every arm, every answer, ties, timeouts, closes, and exact sums under stress on up to four workers. */
// timeout: 120
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>

#include "tests/test.h"

static const int64_t ms = 1000000;
static uint64_t seed;

/* ---- one task ---- */

static void answers_without_parking(void)
{
    gos_chan *a = gos_chan_new(sizeof(int), 1), *b = gos_chan_new(sizeof(int), 1);
    int x = 0, y = 7;
    gos_case cases[] = { { .chan = a, .op = GOS_RECV, .elem = &x }, { .chan = b, .op = GOS_SEND, .elem = &y } };
    CHECK_EQ(gos_select(cases, 1, 0), -EAGAIN);
    CHECK_EQ(gos_select(cases, 2, 0), 1);
    CHECK_EQ(cases[1].result, 0);
    CHECK_EQ(gos_select(cases, 2, 0), -EAGAIN);
    CHECK_EQ(gos_chan_try_send(a, &y), 0);
    CHECK_EQ(gos_select(cases, 2, -1), 0);
    CHECK_EQ(x, 7);
    int64_t start = gos_now();
    CHECK_EQ(gos_select(cases, 2, 5 * ms), -ETIMEDOUT);
    CHECK(gos_now() - start >= 5 * ms);
    CHECK_EQ(gos_select(NULL, 0, 0), -EAGAIN);
    CHECK_EQ(gos_select(NULL, 0, ms), -ETIMEDOUT);
    gos_case none[2] = { { .op = GOS_RECV }, { .op = GOS_SEND } };
    CHECK_EQ(gos_select(none, 2, 0), -EAGAIN);
    CHECK_EQ(gos_select(none, 2, ms), -ETIMEDOUT);
    CHECK_EQ(gos_select(cases, 65537, 0), -EINVAL);
    CHECK_EQ(gos_chan_close(a), 0);
    CHECK_EQ(gos_select(cases, 2, -1), 0);
    CHECK_EQ(cases[0].result, -EPIPE);
    cases[0].op = GOS_SEND;
    CHECK_EQ(gos_select(cases, 2, INT64_MAX), 0);
    CHECK_EQ(cases[0].result, -EPIPE);
    gos_chan_free(a);
    gos_chan_free(b);
}

/* What is ready is chosen evenly, also where some cases are not. */
static void choice_is_fair(void)
{
    enum { N = 6, ROUNDS = 6000 };
    gos_chan *chan[N];
    gos_case cases[N];
    int hits[N] = { 0 };
    for (int i = 0; i < N; i++) {
        chan[i] = gos_chan_new(0, 1);
        cases[i] = (gos_case){ .chan = chan[i], .op = GOS_RECV };
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i += 2)
            gos_chan_try_send(chan[i], NULL);
        int chosen = gos_select(cases, N, -1);
        CHECK(chosen >= 0);
        hits[chosen]++;
    }
    for (int i = 0; i < N; i++) { /* expected 2000 of the even ones, with a deviation of 37 */
        CHECK(i % 2 ? hits[i] == 0 : hits[i] > 1700);
        gos_chan_free(chan[i]);
    }
}

/* ---- two tasks ---- */

static gos_waitgroup all;

typedef struct later {
    gos_chan *chan;
    int64_t wait;
    int op; /* GOS_SEND, GOS_RECV, or 2: close */
    int value;
} later;

static void do_later(void *arg)
{
    later *it = arg;
    gos_sleep(it->wait);
    if (it->op == GOS_SEND)
        CHECK_EQ(gos_chan_send(it->chan, &it->value), 0);
    else if (it->op == GOS_RECV)
        CHECK_EQ(gos_chan_recv(it->chan, &it->value), 0);
    else
        CHECK_EQ(gos_chan_close(it->chan), 0);
    gos_waitgroup_done(&all);
}

static void start(later *it)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(do_later, it), 0);
}

static void parked_and_met(void)
{
    enum { SEND, RECV, CLOSE };
    for (int op = SEND; op <= CLOSE; op++)
        for (int timed = 0; timed < 2; timed++) {
            gos_chan *a = gos_chan_new(sizeof(int), 0), *b = gos_chan_new(sizeof(int), 0);
            int x = 1, y = 2, z = 3;
            gos_case cases[] = {
                { .chan = a, .op = GOS_RECV, .elem = &x, .result = 99 }, { .chan = NULL, .op = GOS_SEND },
                { .chan = b, .op = op == SEND ? GOS_RECV : GOS_SEND, .elem = &y, .result = 99 },
                { .chan = a, .op = GOS_RECV, .elem = &z, .result = 99 },
            };
            later it = { .chan = b, .wait = ms, .op = op, .value = 42 };
            start(&it);
            CHECK_EQ(gos_select(cases, 4, timed ? 10000 * ms : -1), 2);
            CHECK_EQ(cases[2].result, op == CLOSE ? -EPIPE : 0);
            CHECK_EQ(y, op == SEND ? 42 : 2);
            gos_waitgroup_wait(&all);
            if (op == RECV)
                CHECK_EQ(it.value, 2);
            CHECK_EQ(cases[0].result, 99);
            CHECK_EQ(gos_chan_try_send(a, &x), -EAGAIN); /* nobody was left behind */
            gos_chan_free(a);
            gos_chan_free(b);
        }
}

/* One channel in both directions: a select never meets itself, and meets another one once. */
static void both_ways(void *arg)
{
    gos_chan *chan = arg;
    int out = 5, in = 0;
    gos_case cases[] = {
        { .chan = chan, .op = GOS_SEND, .elem = &out }, { .chan = chan, .op = GOS_RECV, .elem = &in },
    };
    int chosen = gos_select(cases, 2, -1);
    CHECK_EQ(in, chosen == 1 ? 5 : 0);
    CHECK_EQ(cases[chosen].result, 0);
    gos_waitgroup_done(&all);
}

static void send_and_receive_mixed(void)
{
    gos_chan *chan = gos_chan_new(sizeof(int), 0);
    int out = 1, in = 0;
    gos_case cases[] = {
        { .chan = chan, .op = GOS_SEND, .elem = &out }, { .chan = chan, .op = GOS_RECV, .elem = &in },
    };
    CHECK_EQ(gos_select(cases, 2, ms), -ETIMEDOUT);
    for (int i = 0; i < 500; i++) {
        gos_waitgroup_add(&all, 2);
        CHECK_EQ(gos_go(both_ways, chan), 0);
        CHECK_EQ(gos_go(both_ways, chan), 0);
    }
    gos_waitgroup_wait(&all);
    gos_chan_free(chan);
}

static void many_cases(void)
{
    enum { N = 65536 };
    gos_chan *mostly = gos_chan_new(sizeof(int), 0), *last = gos_chan_new(sizeof(int), 0);
    gos_case *cases = calloc(N, sizeof *cases);
    int x = 0;
    for (int i = 0; i < N; i++)
        cases[i] = (gos_case){ .chan = i == 65000 ? last : i % 7 ? mostly : NULL, .op = GOS_RECV, .elem = &x };
    CHECK_EQ(gos_select(cases, N, 0), -EAGAIN);
    CHECK_EQ(gos_select(cases, N, ms), -ETIMEDOUT);
    later it = { .chan = last, .wait = 10 * ms, .op = GOS_SEND, .value = 8 };
    start(&it);
    CHECK_EQ(gos_select(cases, N, -1), 65000);
    CHECK_EQ(x, 8);
    gos_waitgroup_wait(&all);
    free(cases);
    gos_chan_free(mostly);
    gos_chan_free(last);
}

/* ---- stress: every number sent is received once, whichever way it goes ---- */

enum { CHANNELS = 5, SENDERS = 12, RECEIVERS = 9, EACH = 1500 };

static gos_chan *chan[CHANNELS];
static uint64_t sent, received, timeouts;

static void one_of(gos_case *cases, uint64_t *random, int op, uint64_t *value, int *n)
{
    *n = 1 + (int)(test_random(random) % 6);
    for (int i = 0; i < *n; i++)
        cases[i] = (gos_case){ .chan = chan[test_random(random) % CHANNELS], .op = op, .elem = value };
}

static void sender(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg, sum = 0;
    for (int i = 0; i < EACH; i++) {
        gos_case cases[6];
        int n;
        uint64_t value = test_random(&random) >> 8;
        one_of(cases, &random, GOS_SEND, &value, &n);
        int64_t timeout = test_random(&random) % 4 ? -1 : (int64_t)(test_random(&random) % 20000);
        int chosen = gos_select(cases, (size_t)n, timeout);
        if (chosen == -ETIMEDOUT || chosen == -EAGAIN) {
            __atomic_fetch_add(&timeouts, 1, __ATOMIC_RELAXED);
            CHECK_EQ(gos_chan_send(cases[0].chan, &value), 0);
        } else {
            CHECK(chosen >= 0 && chosen < n);
            CHECK_EQ(cases[chosen].result, 0);
        }
        sum += value;
    }
    __atomic_fetch_add(&sent, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static gos_waitgroup drained;

static void receiver(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg, sum = 0;
    for (;;) {
        gos_case cases[CHANNELS];
        uint64_t values[CHANNELS], got = 0;
        for (int i = 0; i < CHANNELS; i++)
            cases[i] = (gos_case){ .chan = chan[i], .op = GOS_RECV, .elem = &values[i] };
        int chosen = gos_select(cases, CHANNELS, (int64_t)(test_random(&random) % 3) * 10000 - 10000);
        if (chosen == -ETIMEDOUT || chosen == -EAGAIN) {
            gos_yield();
            continue;
        }
        CHECK(chosen >= 0);
        if (cases[chosen].result == -EPIPE)
            break;
        got = values[chosen];
        sum += got;
    }
    for (int i = 0; i < CHANNELS; i++) { /* one was closed and empty; what lies in the others is for us all */
        uint64_t value;
        while (!gos_chan_recv(chan[i], &value))
            sum += value;
    }
    __atomic_fetch_add(&received, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&drained);
}

static void stress(void)
{
    sent = received = timeouts = 0;
    for (int i = 0; i < CHANNELS; i++)
        chan[i] = gos_chan_new(sizeof(uint64_t), (size_t)i / 2);
    gos_waitgroup_add(&all, SENDERS);
    gos_waitgroup_add(&drained, RECEIVERS);
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK_EQ(gos_go(sender, (void *)(i + 1)), 0);
    for (uintptr_t i = 0; i < RECEIVERS; i++)
        CHECK_EQ(gos_go(receiver, (void *)(i + 1000)), 0);
    gos_waitgroup_wait(&all);
    for (int i = 0; i < CHANNELS; i++)
        CHECK_EQ(gos_chan_close(chan[i]), 0);
    gos_waitgroup_wait(&drained);
    CHECK_EQ(sent, received);
    for (int i = 0; i < CHANNELS; i++)
        gos_chan_free(chan[i]);
}

/* A timeout and a send at the same moment: exactly one of them happens. */
static uint64_t raced_in, raced_out;

static void racing_sender(void *arg)
{
    gos_chan *to = arg;
    for (int i = 0; i < 3000; i++) {
        if (!gos_chan_try_send(to, &i))
            raced_in++;
        gos_sleep(i % 3 * 1000);
    }
    CHECK_EQ(gos_chan_close(to), 0);
    gos_waitgroup_done(&all);
}

static void timeout_races_send(void)
{
    raced_in = raced_out = 0;
    gos_chan *from = gos_chan_new(sizeof(int), 0), *silent = gos_chan_new(0, 0);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(racing_sender, from), 0);
    for (int round = 0;; round++) {
        int x;
        gos_case cases[] = { { .chan = from, .op = GOS_RECV, .elem = &x }, { .chan = silent, .op = GOS_RECV } };
        int chosen = gos_select(cases, 2, 1000 + round % 50 * 1000);
        CHECK(chosen == 0 || chosen == -ETIMEDOUT);
        if (chosen == 0 && cases[0].result == -EPIPE)
            break;
        raced_out += chosen == 0;
    }
    gos_waitgroup_wait(&all);
    CHECK_EQ(raced_in, raced_out);
    gos_chan_free(from);
    gos_chan_free(silent);
}

/* A thread that is not ours wakes a parked select, with and without a timeout. */
static void *foreign(void *arg)
{
    for (int i = 0; i < 200; i++)
        while (gos_chan_try_send(arg, &i))
            usleep(10);
    return NULL;
}

static void from_outside(void)
{
    gos_chan *from = gos_chan_new(sizeof(int), 0), *silent = gos_chan_new(0, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign, from), 0);
    for (int i = 0; i < 200; i++) {
        int x = -1;
        gos_case cases[] = { { .chan = silent, .op = GOS_RECV }, { .chan = from, .op = GOS_RECV, .elem = &x } };
        CHECK_EQ(gos_select(cases, 2, i % 2 ? -1 : 10000 * ms), 1);
        CHECK_EQ(x, i);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_chan_free(from);
    gos_chan_free(silent);
}

/* The run may end with selects parked; their memory goes with it. */
static void parks_for_ever(void *arg)
{
    gos_case one = { .chan = arg, .op = GOS_RECV };
    gos_select(&one, 1, arg ? -1 : 1000000 * ms);
    CHECK(!"woken");
}

static gos_chan *left_parked;

static int body(void *unused)
{
    (void)unused;
    answers_without_parking();
    choice_is_fair();
    parked_and_met();
    send_and_receive_mixed();
    many_cases();
    timeout_races_send();
    from_outside();
    for (int i = 0; i < 3; i++)
        stress();
    left_parked = gos_chan_new(0, 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(gos_go(parks_for_ever, i % 2 ? left_parked : NULL), 0);
    return 5;
}

int main(void)
{
    seed = test_seed();
    for (int procs = 1; procs <= 4; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 5);
        gos_chan_free(left_parked);
    }
    return 0;
}
