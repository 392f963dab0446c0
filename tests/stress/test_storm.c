/* A seeded random mix of everything on four workers. Every task counts what it did, and the sums are exact. */
// also: paged
// env: GOS_PROCS=4
// timeout: 120
#include <gossamer.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { CHANNELS = 6, ACTIONS = 60, SERVERS = 12 };

static uint64_t seed;
static int budget; /* tasks */
static _Atomic int started;
static _Atomic long sent, received, locked, slept;
static long plain; /* guarded by mutex */
static gos_chan *channels[CHANNELS];
static gos_mutex mutex;
static gos_waitgroup clients, servers;

__attribute__((noinline)) static long deep(long depth, uint64_t value)
{
    volatile uint64_t frame[40];
    for (int i = 0; i < 40; i++)
        frame[i] = value + (uint64_t)i;
    if (depth == 0)
        gos_yield();
    long below = depth > 0 ? deep(depth - 1, value * 3 + 1) : 0;
    for (int i = 0; i < 40; i++)
        CHECK_EQ(frame[i], value + (uint64_t)i);
    return below + 1;
}

static void client(void *arg);

static void start_another(uint64_t number)
{
    int n = atomic_fetch_add(&started, 1);
    if (n >= budget)
        return;
    gos_waitgroup_add(&clients, 1);
    CHECK_EQ(gos_go(client, (void *)(uintptr_t)number), 0);
}

static void act(uint64_t *state)
{
    uint64_t draw = test_random(state);
    long n = (long)(draw >> 32 & 1023);
    gos_chan *chan = channels[(draw >> 16) % CHANNELS];
    switch (draw % 8) {
    case 0:
        gos_yield();
        break;
    case 1:
    case 2:
        CHECK_EQ(gos_chan_send(chan, &n), 0);
        atomic_fetch_add(&sent, n);
        break;
    case 3:
        gos_mutex_lock(&mutex);
        plain += n;
        if (n % 16 == 0)
            gos_yield();
        gos_mutex_unlock(&mutex);
        atomic_fetch_add(&locked, n);
        break;
    case 4:
        CHECK_EQ(deep(n % 200, draw), n % 200 + 1);
        break;
    case 5:
        start_another(draw);
        break;
    case 6:
        if (n % 8 == 0)
            gos_sleep(n * 100);
        atomic_fetch_add(&slept, 1);
        break;
    case 7:
        if (gos_chan_try_send(chan, &n) == 0)
            atomic_fetch_add(&sent, n);
        break;
    }
}

static void client(void *arg)
{
    uint64_t state = seed ^ (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < ACTIONS; i++)
        act(&state);
    start_another(state);
    gos_waitgroup_done(&clients);
}

static void server(void *arg)
{
    gos_chan *chan = arg;
    for (long n; gos_chan_recv(chan, &n) == 0;) {
        atomic_fetch_add(&received, n);
        if (n == 1023)
            deep(n % 100, (uint64_t)n);
    }
    gos_waitgroup_done(&servers);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&servers, SERVERS);
    for (int i = 0; i < CHANNELS; i++)
        CHECK((channels[i] = gos_chan_new(sizeof(long), (size_t)i * i)) != NULL);
    for (int i = 0; i < SERVERS; i++)
        CHECK_EQ(gos_go(server, channels[i % CHANNELS]), 0);
    for (uint64_t i = 0; i < 50; i++)
        start_another(i * 7919);
    gos_waitgroup_wait(&clients);
    for (int i = 0; i < CHANNELS; i++)
        CHECK_EQ(gos_chan_close(channels[i]), 0);
    gos_waitgroup_wait(&servers);
    CHECK(started >= budget);
    CHECK_EQ(received, sent);
    CHECK_EQ(plain, locked);
    for (int i = 0; i < CHANNELS; i++)
        gos_chan_free(channels[i]);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    budget = san && *san ? 500 : 10000;
    seed = test_seed();
    return gos_run(run, NULL);
}
