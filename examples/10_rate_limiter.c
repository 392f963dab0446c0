/*
 * At most one request each 5 ms, after a burst of three: a channel holds permits, a ticker makes new ones, and whoever
 * has a request takes one first. Who cannot wait asks with a deadline.
 */
#include <errno.h>
#include <gossamer.h>
#include <gossamer/context.h>
#include <stdio.h>

enum { BURST = 3, REQUESTS = 8, PERIOD = 5000000 };

static gos_chan *permits;
static gos_ticker *ticker;

static void make_permits(void *arg)
{
    int64_t due;
    while (gos_chan_recv(gos_ticker_chan(arg), &due) == 0)
        gos_chan_try_send(permits, NULL); /* enough are there: this one is not saved up */
}

static int run(void *unused)
{
    (void)unused;
    permits = gos_chan_new(0, BURST);
    ticker = gos_ticker_new(PERIOD);
    if (permits == NULL || ticker == NULL)
        return 1;
    int64_t start = gos_now();
    for (int i = 0; i < BURST; i++)
        gos_chan_send(permits, NULL);
    if (gos_go(make_permits, ticker) != 0)
        return 1;
    for (int i = 0; i < REQUESTS; i++)
        gos_chan_recv(permits, NULL); /* and then make the request */
    int in_time = gos_now() - start >= (REQUESTS - BURST - 1) * (int64_t)PERIOD;
    printf("%d requests, %s\n", REQUESTS, in_time ? "no faster than allowed" : "too fast");
    // expect: 8 requests, no faster than allowed
    while (gos_chan_try_recv(permits, NULL) == 0)
        continue;
    if (gos_chan_recv_until(permits, NULL, gos_now()) == -ETIMEDOUT)
        printf("no permit now\n"); // expect: no permit now
    return 0;
}

int main(void)
{
    int status = gos_run(run, NULL);
    gos_ticker_free(ticker); /* who received from it has ended with the run */
    gos_chan_free(permits);
    return status;
}
