/*
 * Everything that changes who runs what, at once: the number of workers changes all the time, so that timers find
 * heirs and biased channels lose their workers, while tasks pin themselves, foreign threads send, receive and arm
 * timers, and runs follow each other. What must hold: each run ends, and the sums come out.
 */
// timeout: 150
#include <errno.h>
#include <gossamer.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { RINGS = 8, ROUND_NS = 30000000, FOREIGN_CHANNELS = 4 };

static int rounds;
static uint64_t seed;
static _Atomic int ending; /* the round is over: everybody comes home */
static _Atomic long sent, received, armed, fired, stopped, wakes;
static gos_chan *foreign[FOREIGN_CHANNELS];
static gos_waitgroup rings;

static void on_timer(void *arg)
{
    (void)arg;
    atomic_fetch_add(&fired, 1);
}

static void arm_and_free(uint64_t draw)
{
    gos_timer *timer = gos_timer_new((int64_t)(draw % 400000), on_timer, NULL);
    CHECK(timer != NULL);
    atomic_fetch_add(&armed, 1);
    if (draw >> 32 & 1)
        gos_sleep((int64_t)(draw >> 33) % 200000);
    if (gos_timer_stop(timer) == 0)
        atomic_fetch_add(&stopped, 1);
    gos_timer_free(timer);
}

/* Channels biased to the worker of the moment, which others soon use. */
typedef struct ring {
    gos_chan *to, *back;
    uint64_t state;
} ring;

static void echo(void *arg)
{
    ring *mine = arg;
    for (long n; gos_chan_recv(mine->to, &n) == 0;)
        CHECK_EQ(gos_chan_send(mine->back, &n), 0);
    gos_waitgroup_done(&rings);
}

static void pass(ring *mine, long n)
{
    long came = -1;
    CHECK_EQ(gos_chan_send(mine->to, &n), 0);
    gos_case cases[] = { { .chan = mine->back, .op = GOS_RECV, .elem = &came }, { .chan = NULL, .op = GOS_RECV } };
    while (gos_select(cases, 2, 100000 + n % 7) == -ETIMEDOUT)
        atomic_fetch_add(&wakes, 1);
    CHECK_EQ(came, n);
}

static void ring_task(void *arg)
{
    ring *mine = arg;
    while (!atomic_load(&ending)) {
        uint64_t draw = test_random(&mine->state);
        long n = (long)(draw >> 40);
        switch (draw % 8) {
        case 0:
            gos_pin();
            pass(mine, n);
            gos_unpin();
            break;
        case 1:
            arm_and_free(draw);
            break;
        case 2:
            if (gos_chan_try_send(foreign[n % FOREIGN_CHANNELS], &n) == 0)
                atomic_fetch_add(&sent, n);
            break;
        case 3:
            if (gos_chan_try_recv(foreign[n % FOREIGN_CHANNELS], &n) == 0)
                atomic_fetch_add(&received, n);
            break;
        case 4:
            gos_sleep(n % 100000);
            break;
        default:
            pass(mine, n);
        }
    }
    CHECK_EQ(gos_chan_close(mine->to), 0);
    gos_waitgroup_done(&rings);
}

static void churn_procs(void *arg)
{
    uint64_t state = seed + (uintptr_t)arg;
    while (!atomic_load(&ending)) {
        gos_procs(1 + (int)(test_random(&state) % 5));
        gos_sleep((int64_t)(test_random(&state) % 50000));
    }
    gos_waitgroup_done(&rings);
}

static void *foreign_thread(void *arg)
{
    uint64_t state = seed ^ (uintptr_t)arg << 20;
    while (!atomic_load(&ending)) {
        uint64_t draw = test_random(&state);
        long n = (long)(draw >> 40);
        gos_chan *chan = foreign[n % FOREIGN_CHANNELS];
        switch (draw % 4) {
        case 0:
            if (gos_chan_try_send(chan, &n) == 0)
                atomic_fetch_add(&sent, n);
            break;
        case 1:
            if (gos_chan_try_recv(chan, &n) == 0)
                atomic_fetch_add(&received, n);
            break;
        case 2:
            arm_and_free(draw & 0xffffffff);
            break;
        case 3:
            if (draw >> 32 & 1)
                gos_procs(1 + (int)(draw >> 33) % 4);
            break;
        }
    }
    return NULL;
}

static int round_main(void *arg)
{
    (void)arg;
    ring all[RINGS];
    pthread_t threads[2];
    atomic_store(&ending, 0);
    for (int i = 0; i < FOREIGN_CHANNELS; i++)
        CHECK((foreign[i] = gos_chan_new(sizeof(long), 8)) != NULL);
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, foreign_thread, (void *)(i + 1)), 0);
    gos_waitgroup_add(&rings, 2 * RINGS + 1);
    CHECK_EQ(gos_go(churn_procs, NULL), 0);
    for (int i = 0; i < RINGS; i++) {
        all[i] = (ring){ gos_chan_new(sizeof(long), 0), gos_chan_new(sizeof(long), 0), seed * 31 + (uint64_t)i };
        CHECK_EQ(gos_go(echo, &all[i]), 0);
        CHECK_EQ(gos_go(ring_task, &all[i]), 0);
    }
    gos_sleep(ROUND_NS);
    atomic_store(&ending, 1);
    gos_waitgroup_wait(&rings);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    while (atomic_load(&fired) + atomic_load(&stopped) < atomic_load(&armed))
        gos_sleep(100000);
    for (int i = 0; i < FOREIGN_CHANNELS; i++) {
        for (long n; gos_chan_try_recv(foreign[i], &n) == 0;)
            atomic_fetch_add(&received, n);
        gos_chan_free(foreign[i]);
    }
    for (int i = 0; i < RINGS; i++) {
        gos_chan_free(all[i].to);
        gos_chan_free(all[i].back);
    }
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    rounds = san && *san ? 10 : 60;
    seed = test_seed();
    for (int i = 0; i < rounds; i++, seed++) {
        CHECK_EQ(gos_run(round_main, NULL), 0);
        CHECK_EQ(received, sent);
        CHECK_EQ(fired + stopped, armed);
    }
    return 0;
}
