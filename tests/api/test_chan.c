/* Channels: order, blocking, closing, element sizes, many users at once. */
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { PRODUCERS = 8, CONSUMERS = 5, LARGEST = 4096 };

static int items; /* of each producer */
static gos_waitgroup all;

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

/* ---- one task, no parking ---- */

static void buffered(size_t size, size_t capacity)
{
    unsigned char in[LARGEST], out[LARGEST];
    gos_chan *chan = gos_chan_new(size, capacity);
    CHECK(chan != NULL);
    CHECK_EQ(gos_chan_cap(chan), capacity);
    for (size_t round = 0; round < 3; round++) { /* the ring wraps */
        for (size_t i = 0; i < capacity; i++) {
            memset(in, (int)(i + round), size);
            CHECK_EQ(i & 1 ? gos_chan_send(chan, in) : gos_chan_try_send(chan, in), 0);
            CHECK_EQ(gos_chan_len(chan), i + 1);
        }
        CHECK_EQ(gos_chan_try_send(chan, in), -EAGAIN);
        for (size_t i = 0; i < capacity - (round == 0); i++) {
            memset(out, 0xee, sizeof out);
            CHECK_EQ(i & 1 ? gos_chan_recv(chan, out) : gos_chan_try_recv(chan, out), 0);
            for (size_t k = 0; k < sizeof out; k++) /* the whole element and nothing behind it */
                CHECK_EQ(out[k], k < size ? (unsigned char)(i + round) : 0xee);
        }
        if (round == 0)
            CHECK_EQ(gos_chan_recv(chan, out), 0); /* an odd number out, so that the next round starts elsewhere */
        CHECK_EQ(gos_chan_try_recv(chan, out), -EAGAIN);
    }
    gos_chan_free(chan);
}

static void sizes(void)
{
    const size_t all_sizes[] = { 0, 1, 3, 8, 24, LARGEST };
    for (size_t i = 0; i < sizeof all_sizes / sizeof *all_sizes; i++)
        for (size_t capacity = 1; capacity <= 7; capacity += 3)
            buffered(all_sizes[i], capacity);
    CHECK(gos_chan_new(SIZE_MAX / 2, 3) == NULL);
    CHECK(gos_chan_new(SIZE_MAX, 1) == NULL);
    gos_chan_free(NULL);
}

static void close_and_drain(void)
{
    gos_chan *chan = gos_chan_new(sizeof(int), 3);
    int n = 0;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(gos_chan_send(chan, &i), 0);
    CHECK_EQ(gos_chan_close(chan), 0);
    CHECK_EQ(gos_chan_close(chan), -EPIPE);
    CHECK_EQ(gos_chan_send(chan, &n), -EPIPE);
    CHECK_EQ(gos_chan_try_send(chan, &n), -EPIPE);
    CHECK_EQ(gos_chan_len(chan), 2);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(i ? gos_chan_try_recv(chan, &n) : gos_chan_recv(chan, &n), 0);
        CHECK_EQ(n, i);
    }
    CHECK_EQ(gos_chan_recv(chan, &n), -EPIPE);
    CHECK_EQ(gos_chan_try_recv(chan, &n), -EPIPE);
    gos_chan_free(chan);
}

/* ---- parked ---- */

static gos_chan *shared;
static _Atomic int parked_results, sent;

static void parked_receiver(void *unused)
{
    (void)unused;
    int n = -1, result = gos_chan_recv(shared, &n);
    CHECK(result == -EPIPE ? n == -1 : result == 0 && n == 99);
    atomic_fetch_add(&parked_results, result == -EPIPE ? 1 : 100);
    gos_waitgroup_done(&all);
}

static void parked_sender(void *unused)
{
    (void)unused;
    int n = 99, result = gos_chan_send(shared, &n);
    CHECK(result == 0 || result == -EPIPE);
    atomic_fetch_add(&parked_results, result == -EPIPE ? 1 : 100);
    gos_waitgroup_done(&all);
}

static void close_with_parked(void (*fn)(void *), size_t capacity, int served)
{
    parked_results = 0;
    shared = gos_chan_new(sizeof(int), capacity);
    for (int i = 0; i < 10; i++)
        start(fn, NULL);
    int there = 10 - (fn == parked_sender ? (int)capacity : 0);
    await_tasks(fn, fn == parked_sender ? GOS_WAIT_SEND : GOS_WAIT_RECV, there);
    while (parked_results < 100 * (10 - there))
        gos_yield();
    CHECK_EQ(parked_results, 100 * (fn == parked_sender ? (int)capacity : 0));
    for (int i = 0; i < served; i++) {
        int n = 99;
        CHECK_EQ(fn == parked_sender ? gos_chan_recv(shared, &n) : gos_chan_send(shared, &n), 0);
        CHECK_EQ(n, 99);
    }
    CHECK_EQ(gos_chan_close(shared), 0);
    gos_waitgroup_wait(&all);
    int left = 10 - served - (fn == parked_sender ? (int)capacity : 0);
    CHECK_EQ(parked_results, left + 100 * (10 - left));
    for (size_t i = 0; fn == parked_sender && i < capacity; i++) { /* what is in the ring stays to be had */
        int n = 0;
        CHECK_EQ(gos_chan_recv(shared, &n), 0);
        CHECK_EQ(n, 99);
    }
    int n;
    CHECK_EQ(gos_chan_recv(shared, &n), -EPIPE);
    gos_chan_free(shared);
}

/* ---- order: one sender, one receiver; and parked senders are served first come first served ---- */

static void send_sequence(void *unused)
{
    (void)unused;
    for (int i = 0; i < items; i++)
        CHECK_EQ(gos_chan_send(shared, &i), 0);
    CHECK_EQ(gos_chan_close(shared), 0);
    gos_waitgroup_done(&all);
}

static void in_order(size_t capacity)
{
    shared = gos_chan_new(sizeof(int), capacity);
    start(send_sequence, NULL);
    int n = -1, expected = 0;
    while (gos_chan_recv(shared, &n) == 0)
        CHECK_EQ(n, expected++);
    CHECK_EQ(expected, items);
    gos_waitgroup_wait(&all);
    gos_chan_free(shared);
}

static void send_own_number(void *arg)
{
    int n = (int)(intptr_t)arg;
    CHECK_EQ(gos_chan_send(shared, &n), 0);
    gos_waitgroup_done(&all);
}

static void parked_in_order(void)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        shared = gos_chan_new(sizeof(int), capacity);
        for (intptr_t i = 0; i < 20; i++) {
            start(send_own_number, (void *)i);
            gos_sleep(100000);
            while (gos_procs(0) > 1 && gos_chan_len(shared) < ((size_t)i < capacity ? (size_t)i + 1 : capacity))
                gos_yield();
        }
        for (int i = 0, n = -1; i < 20; i++) {
            CHECK_EQ(gos_chan_recv(shared, &n), 0);
            if (gos_procs(0) == 1)
                CHECK_EQ(n, i);
        }
        gos_waitgroup_wait(&all);
        gos_chan_free(shared);
    }
}

/* ---- many ---- */

typedef struct item {
    int producer, number;
    char padding[16];
} item;

static _Atomic long total, total_n;

static void produce(void *arg)
{
    item it = { .producer = (int)(intptr_t)arg };
    for (it.number = 0; it.number < items; it.number++)
        CHECK_EQ(gos_chan_send(shared, &it), 0);
    if (atomic_fetch_add(&sent, 1) == PRODUCERS - 1)
        CHECK_EQ(gos_chan_close(shared), 0);
    gos_waitgroup_done(&all);
}

static void consume(void *unused)
{
    (void)unused;
    int last[PRODUCERS];
    memset(last, -1, sizeof last);
    for (item it; gos_chan_recv(shared, &it) == 0;) {
        CHECK(it.number > last[it.producer]); /* one producer's items come in its order */
        last[it.producer] = it.number;
        atomic_fetch_add(&total, it.number);
        atomic_fetch_add(&total_n, 1);
    }
    gos_waitgroup_done(&all);
}

static void many(size_t capacity)
{
    total = total_n = 0;
    sent = 0;
    shared = gos_chan_new(sizeof(item), capacity);
    for (intptr_t i = 0; i < PRODUCERS; i++)
        start(produce, (void *)i);
    for (int i = 0; i < CONSUMERS; i++)
        start(consume, NULL);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total_n, PRODUCERS * (long)items);
    CHECK_EQ(total, PRODUCERS * (long)items * (items - 1) / 2);
    gos_chan_free(shared);
}

/* After its last receive, the receiver frees the channel under the sender's nose. */
static void send_one(void *chan)
{
    int n = 5;
    CHECK_EQ(gos_chan_send(chan, &n), 0);
    gos_waitgroup_done(&all);
}

static void free_at_once(void)
{
    for (int i = 0; i < items; i++) {
        gos_chan *chan = gos_chan_new(sizeof(int), (size_t)i % 2);
        start(send_one, chan);
        int n = 0;
        CHECK_EQ(gos_chan_recv(chan, &n), 0);
        memset((void *)chan, 0xff, 16); /* whoever still looks at it will not like it */
        gos_chan_free(chan);
        CHECK_EQ(n, 5);
    }
    gos_waitgroup_wait(&all);
}

static int run(void *unused)
{
    (void)unused;
    sizes();
    close_and_drain();
    for (size_t capacity = 0; capacity < 4; capacity += 3) {
        close_with_parked(parked_receiver, capacity, 0);
        close_with_parked(parked_receiver, capacity, 4);
        close_with_parked(parked_sender, capacity, 0);
        close_with_parked(parked_sender, capacity, 4);
    }
    parked_in_order();
    free_at_once();
    for (size_t capacity = 0; capacity <= 100; capacity = capacity * 10 + 1) {
        in_order(capacity);
        many(capacity);
    }
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    items = san && *san ? 300 : 5000;
    for (int workers = 1; workers <= 4; workers += 3) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
