/* Somebody makes a task ready in the very moment in which it parks: nothing is lost, nothing runs twice. */
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { PAIRS = 8 };

static int rounds;
static gos_waitgroup all;

typedef struct pair {
    gos_chan *there, *back;
    gos_mutex mutex;
    gos_waitgroup group;
    long turns;
} pair;

static void answer(void *arg)
{
    pair *p = arg;
    for (long n; gos_chan_recv(p->there, &n) == 0;) {
        n++;
        CHECK_EQ(gos_chan_send(p->back, &n), 0);
    }
    gos_waitgroup_done(&all);
}

static void ask(void *arg)
{
    pair *p = arg;
    for (long i = 0, n = 0; i < rounds; i++) {
        CHECK_EQ(gos_chan_send(p->there, &n), 0);
        CHECK_EQ(gos_chan_recv(p->back, &n), 0);
        CHECK_EQ(n, i + 1);
    }
    CHECK_EQ(gos_chan_close(p->there), 0);
    gos_waitgroup_done(&all);
}

/* Two tasks at one mutex: each lock meets the other's unlock. */
static void contend(void *arg)
{
    pair *p = arg;
    for (int i = 0; i < rounds; i++) {
        gos_mutex_lock(&p->mutex);
        p->turns++;
        gos_mutex_unlock(&p->mutex);
    }
    gos_waitgroup_done(&all);
}

static void done_now(void *arg)
{
    gos_waitgroup_done(arg);
}

/* done() meets wait(). */
static void join(void *arg)
{
    pair *p = arg;
    for (int i = 0; i < rounds / 4; i++) {
        gos_waitgroup_add(&p->group, 1);
        CHECK_EQ(gos_go(done_now, &p->group), 0);
        gos_waitgroup_wait(&p->group);
    }
    gos_waitgroup_done(&all);
}

/* close() meets a receiver and a sender; each learns of it once. */
typedef struct closing {
    gos_chan *chan;
    _Atomic long got, sent;
    gos_waitgroup group;
} closing;

static void closing_receiver(void *arg)
{
    closing *c = arg;
    int n, result;
    while ((result = gos_chan_recv(c->chan, &n)) == 0)
        atomic_fetch_add(&c->got, 1);
    CHECK_EQ(result, -EPIPE);
    gos_waitgroup_done(&c->group);
}

static void closing_sender(void *arg)
{
    closing *c = arg;
    int n = 1, result;
    while ((result = gos_chan_send(c->chan, &n)) == 0)
        atomic_fetch_add(&c->sent, 1);
    CHECK_EQ(result, -EPIPE);
    gos_waitgroup_done(&c->group);
}

static void close_races(void *arg)
{
    (void)arg;
    uint64_t state = 99;
    for (int i = 0; i < rounds / 20; i++) {
        closing c = { .chan = gos_chan_new(sizeof(int), (size_t)i % 3) };
        gos_waitgroup_add(&c.group, 4);
        CHECK_EQ(gos_go(closing_receiver, &c) + gos_go(closing_sender, &c), 0);
        CHECK_EQ(gos_go(closing_sender, &c) + gos_go(closing_receiver, &c), 0);
        for (uint64_t k = test_random(&state) % 8; k > 0; k--)
            gos_yield();
        CHECK_EQ(gos_chan_close(c.chan), 0);
        gos_waitgroup_wait(&c.group);
        CHECK_EQ(c.got, c.sent);
        gos_chan_free(c.chan);
    }
    gos_waitgroup_done(&all);
}

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

static int run(void *unused)
{
    (void)unused;
    static pair pairs[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        pair *p = &pairs[i];
        CHECK((p->there = gos_chan_new(sizeof(long), (size_t)i % 2)) && (p->back = gos_chan_new(sizeof(long), 0)));
        start(ask, p);
        start(answer, p);
        start(contend, p);
        start(contend, p);
        start(join, p);
        start(close_races, NULL);
    }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < PAIRS; i++)
        CHECK_EQ(pairs[i].turns, 2l * rounds);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    rounds = san && *san ? 1000 : 20000;
    gos_procs(4);
    return gos_run(run, NULL);
}
