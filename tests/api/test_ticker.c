/* gos_ticker: ticks carry the times at which they were due, whole periods apart; nobody is late by more than one;
 * tickers come and go from tasks and threads, and end with the run. */
// also: paged
#include <gossamer.h>
#include <gossamer/context.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "tests/test.h"

enum { TICKS = 20, TICKERS = 30 };
static const int64_t ms = 1000000;
static gos_waitgroup all;

static void ticks(void)
{
    int64_t start = gos_now(), last = 0, due;
    gos_ticker *ticker = gos_ticker_new(ms);
    gos_chan *chan = gos_ticker_chan(ticker);
    for (int i = 0; i < TICKS; i++) {
        CHECK_EQ(gos_chan_recv(chan, &due), 0);
        CHECK(due <= gos_now());
        CHECK(due >= start + ms);
        CHECK(!last || (due > last && (due - last) % ms == 0));
        last = due;
    }
    /* Ticks that nobody took are one. */
    gos_sleep(10 * ms);
    CHECK_EQ(gos_chan_recv(chan, &due), 0);
    int more = gos_chan_try_recv(chan, &due) == 0; /* the next may have come just now */
    CHECK(more <= 1);
    gos_ticker_free(ticker);
    gos_ticker_free(NULL);
}

static void come_and_go(void *arg)
{
    int64_t due;
    for (int i = 0; i < 20; i++) {
        gos_ticker *ticker = gos_ticker_new(10000 * (1 + (intptr_t)arg % 7));
        CHECK(ticker != NULL);
        for (int n = i % 3; n > 0; n--)
            CHECK_EQ(gos_chan_recv(gos_ticker_chan(ticker), &due), 0);
        gos_ticker_free(ticker);
    }
    gos_waitgroup_done(&all);
}

static void *from_a_thread(void *unused)
{
    (void)unused;
    int64_t due;
    gos_ticker *ticker = gos_ticker_new(100000);
    CHECK(ticker != NULL);
    /* Giving way: valgrind runs one thread at a time, and its slices can end with the channel locked each time. */
    for (int n = 0; n < 5; sched_yield())
        n += gos_chan_try_recv(gos_ticker_chan(ticker), &due) == 0;
    gos_ticker_free(ticker);
    return NULL;
}

static gos_ticker *left;

static int body(void *unused)
{
    (void)unused;
    pthread_t thread;
    ticks();
    gos_waitgroup_add(&all, TICKERS);
    for (intptr_t i = 0; i < TICKERS; i++)
        CHECK_EQ(gos_go(come_and_go, (void *)i), 0);
    CHECK_EQ(pthread_create(&thread, NULL, from_a_thread, NULL), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    left = gos_ticker_new(50000);
    gos_sleep(ms);
    return 0;
}

int main(void)
{
    CHECK(gos_ticker_new(ms) == NULL);
    for (int procs = 1; procs <= 3; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(body, NULL), 0);
        gos_ticker_free(left);
    }
    return 0;
}
