/* Pinned tasks that are served while they watch a channel: no element is lost, doubled or torn, and either side may
 * free the channel as soon as its call is done. */
// also: paged
// timeout: 120
#include <gossamer.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/test.h"

enum { PAIRS = 2, CROWD = 3, MOST = 1000 };

static uint64_t seed;
static int rounds;
static gos_waitgroup all;

/* Mostly nothing; sometimes longer than the patience of who watches. */
static void pause_somehow(uint64_t *draw)
{
    uint64_t n = test_random(draw);
    if (n % 8 == 0) {
        int64_t until = gos_now() + (int64_t)(n >> 8) % 40000;
        while (gos_now() < until)
            ;
    } else if (n % 64 == 1) {
        gos_yield();
    } else if (n % 64 == 2) {
        gos_sleep(5000);
    }
}

/* ---- two pinned tasks and two channels ---- */

typedef struct pair {
    gos_chan *there, *back;
    uint64_t draw, mask;
} pair;

static void answer(void *arg)
{
    const pair *p = arg;
    uint64_t draw = p->draw + 1, word = 0, expected = 0;
    gos_pin();
    for (; gos_chan_recv(p->there, &word) == 0; expected += 2) {
        CHECK_EQ(word, expected & p->mask);
        word = (expected + 1) & p->mask;
        pause_somehow(&draw);
        CHECK_EQ(gos_chan_send(p->back, &word), 0);
    }
    CHECK_EQ(expected, 2 * (uint64_t)rounds);
    gos_waitgroup_done(&all);
}

static void ask(void *arg)
{
    const pair *p = arg;
    uint64_t draw = p->draw + 2, word = 0;
    gos_pin();
    for (int i = 0; i < rounds; i++) {
        word = 2 * (uint64_t)i & p->mask;
        pause_somehow(&draw);
        CHECK_EQ(gos_chan_send(p->there, &word), 0);
        CHECK_EQ(gos_chan_recv(p->back, &word), 0);
        CHECK_EQ(word, (2 * (uint64_t)i + 1) & p->mask);
    }
    CHECK_EQ(gos_chan_close(p->there), 0);
    gos_waitgroup_done(&all);
}

static void rally(size_t size, size_t capacity)
{
    pair pairs[PAIRS];
    gos_waitgroup_add(&all, 2 * PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;
        pairs[i] = (pair){ gos_chan_new(size, capacity), gos_chan_new(size, 0), seed + size + 10 * (uint64_t)i, mask };
        CHECK_EQ(gos_go(answer, &pairs[i]), 0);
        CHECK_EQ(gos_go(ask, &pairs[i]), 0);
    }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < PAIRS; i++) {
        gos_chan_free(pairs[i].there);
        gos_chan_free(pairs[i].back);
    }
}

/* ---- many of all kinds at one channel ---- */

static gos_chan *crowded;
static gos_waitgroup sent;
static atomic_int next, seen[MOST];

static void push(void *arg)
{
    int kind = (int)(intptr_t)arg;
    uint64_t draw = seed + (uint64_t)kind;
    if (kind < 2)
        gos_pin();
    for (int i; (i = next++) < rounds;) {
        gos_case it = { crowded, GOS_SEND, &i, 0 };
        pause_somehow(&draw);
        if (kind % 3 == 0)
            CHECK_EQ(gos_select(&it, 1, -1), 0);
        else if (kind % 3 == 1)
            CHECK_EQ(gos_chan_send(crowded, &i), 0);
        else
            while (gos_chan_try_send(crowded, &i) != 0)
                gos_yield();
    }
    gos_waitgroup_done(&sent);
    gos_waitgroup_done(&all);
}

static void pull(void *arg)
{
    int kind = (int)(intptr_t)arg, result = 0;
    uint64_t draw = seed + 100 + (uint64_t)kind;
    if (kind < 2)
        gos_pin();
    while (result != -EPIPE) {
        int i = -1;
        gos_case it = { crowded, GOS_RECV, &i, 0 };
        pause_somehow(&draw);
        if (kind % 3 == 1) {
            result = gos_chan_recv(crowded, &i);
        } else if (kind % 3 == 0) {
            result = gos_select(&it, 1, 10000);
            result = result ? result : it.result;
        } else {
            result = gos_chan_try_recv(crowded, &i);
            if (result == -EAGAIN)
                gos_yield();
        }
        if (!result)
            CHECK_EQ(seen[i]++, 0);
    }
    gos_waitgroup_done(&all);
}

static void crowd(size_t capacity)
{
    crowded = gos_chan_new(sizeof(int), capacity);
    next = 0;
    for (int i = 0; i < rounds; i++)
        seen[i] = 0;
    gos_waitgroup_add(&all, 2 * CROWD);
    gos_waitgroup_add(&sent, CROWD);
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQ(gos_go(push, (void *)(intptr_t)i), 0);
        CHECK_EQ(gos_go(pull, (void *)(intptr_t)i), 0);
    }
    gos_waitgroup_wait(&sent);
    CHECK_EQ(gos_chan_close(crowded), 0);
    gos_waitgroup_wait(&all);
    for (int i = 0; i < rounds; i++)
        CHECK_EQ(seen[i], 1);
    gos_chan_free(crowded);
}

/* ---- a channel for each element: whose turn it is frees or closes it ---- */

static gos_chan *_Atomic shown;

static gos_chan *await_shown(void)
{
    gos_chan *chan;
    for (int i = 0; !(chan = atomic_exchange(&shown, NULL)); i++)
        if (i % 1000 == 999)
            gos_yield();
    return chan;
}

static void show(gos_chan *chan)
{
    gos_chan *none = NULL;
    while (!atomic_compare_exchange_weak(&shown, &none, chan))
        none = NULL;
}

enum turn { SENDER_FREES, RECEIVER_FREES, SENDER_CLOSES, RECEIVER_CLOSES, TURNS };

static atomic_int done_with[8]; /* of each of the last rounds; nobody is further ahead */

/* After a close both have to be done with it before it may be freed: the last one does it. */
static void leave_closed(gos_chan *chan, uint64_t round)
{
    if (done_with[round % 8]++ % 2)
        gos_chan_free(chan);
}

static void give(void *unused)
{
    (void)unused;
    uint64_t draw = seed + 1000;
    gos_pin();
    for (uint64_t i = 0; i < (uint64_t)rounds; i++) {
        gos_chan *chan = await_shown();
        pause_somehow(&draw);
        if (i % TURNS == SENDER_CLOSES) {
            CHECK_EQ(gos_chan_close(chan), 0);
            leave_closed(chan, i);
            continue;
        }
        CHECK_EQ(gos_chan_send(chan, &i), i % TURNS == RECEIVER_CLOSES ? -EPIPE : 0);
        if (i % TURNS == SENDER_FREES)
            gos_chan_free(chan);
        else if (i % TURNS == RECEIVER_CLOSES)
            leave_closed(chan, i);
    }
    gos_waitgroup_done(&all);
}

static void get(void *unused)
{
    (void)unused;
    uint64_t draw = seed + 2000, word;
    gos_pin();
    for (uint64_t i = 0; i < (uint64_t)rounds; i++) {
        gos_chan *chan = gos_chan_new(sizeof(uint64_t), 0);
        show(chan);
        pause_somehow(&draw);
        if (i % TURNS == RECEIVER_CLOSES) {
            CHECK_EQ(gos_chan_close(chan), 0);
            leave_closed(chan, i);
            continue;
        }
        word = UINT64_MAX;
        CHECK_EQ(gos_chan_recv(chan, &word), i % TURNS == SENDER_CLOSES ? -EPIPE : 0);
        CHECK_EQ(word, i % TURNS == SENDER_CLOSES ? UINT64_MAX : i);
        if (i % TURNS == RECEIVER_FREES)
            gos_chan_free(chan);
        else if (i % TURNS == SENDER_CLOSES)
            leave_closed(chan, i);
    }
    gos_waitgroup_done(&all);
}

static void once_each(void)
{
    gos_waitgroup_add(&all, 2);
    CHECK_EQ(gos_go(give, NULL), 0);
    CHECK_EQ(gos_go(get, NULL), 0);
    gos_waitgroup_wait(&all);
}

static int run(void *unused)
{
    (void)unused;
    rally(8, 0);
    rally(1, 0);
    rally(4, 2);
    crowd(0);
    crowd(3);
    once_each();
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    seed = test_seed();
    rounds = san && *san ? 150 : 1000;
    for (int workers = 2; workers <= 4; workers++) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
