/* ticker.c: a timer that sends the time to a channel and sets itself again, on the worker that sees it fire. */
#include <stdlib.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sched/worker.h"
#include "sync/sync.h"

struct gos_ticker {
    gos_timer *timer;
    gos_chan *chan;
    int64_t period, due;
};

/* The next tick is in the future, however late this one is. */
static void tick(gos__worker *worker, gos__alarm *alarm)
{
    if (!gos__timer_fires(alarm))
        return;
    gos_timer *timer = (gos_timer *)alarm;
    gos_ticker *ticker = timer->arg;
    gos__chan_try_send(ticker->chan, &ticker->due); /* full: the tick is lost */
    int64_t late = gos__own_clock() - ticker->due;
    int64_t after = ticker->period * (1 + (late > 0 ? late / ticker->period : 0));
    if (__builtin_add_overflow(ticker->due, after, &ticker->due))
        ticker->due = INT64_MAX;
    gos__alarm_set(worker, alarm, ticker->due); /* there is room: it has just been taken out */
    gos__store_release(&timer->state, (uint32_t)GOS_TIMER_ARMED); /* pairs with the acquire in gos__timer_call_off */
}

gos_ticker *gos__ticker_new(int64_t period)
{
    gos__require(period > 0, "gos_ticker_new: a period of %lld ns", (long long)period);
    gos_ticker *ticker = calloc(1, sizeof *ticker);
    if (!ticker)
        return NULL;
    ticker->period = period;
    ticker->due = gos__deadline(period);
    ticker->chan = gos__chan_new_shared(sizeof ticker->due, 1);
    ticker->timer = ticker->chan ? gos__timer_start(ticker->due, tick, NULL, ticker) : NULL;
    if (ticker->timer)
        return ticker;
    gos__chan_free(ticker->chan);
    free(ticker);
    return NULL;
}

gos_chan *gos__ticker_chan(gos_ticker *ticker)
{
    gos__require(ticker != NULL, "gos_ticker_chan: the ticker is NULL");
    return ticker->chan;
}

void gos__ticker_free(gos_ticker *ticker)
{
    if (!ticker)
        return;
    while (!gos__timer_call_off(ticker->timer)) { /* it is just firing, and may be waiting for our worker */
        if (gos__self.worker)
            gos__let_others_in();
        else
            gos__give_way();
    }
    gos__timer_free(ticker->timer);
    gos__chan_free(ticker->chan);
    free(ticker);
}
