/* The units of the case `timers`: see workload_timers.h. Task code. */
#include "workload_timers.h"

static timers_work *work;   /* the one under way */

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

static void fired(void *due)
{
    int64_t *mine = due;
    *mine = stamp() - *mine;
    __atomic_fetch_add(&work->fired, 1, __ATOMIC_RELAXED);
    work->who->latch_done(work->over);
}

static void sleeping_unit(void *due)
{
    work->who->sleep(*(int64_t *)due - stamp());
    fired(due);
}

static int64_t draw(timers_work *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return TIMERS_LEAST_MS * INT64_C(1000000) + (int64_t)((w->random >> 33) % (TIMERS_SPREAD_MS * UINT64_C(1000000)));
}

static int start(timers_work *w, uint64_t i)
{
    int64_t delay = draw(w);
    w->due[i] = stamp() + delay;
    if (!w->objects) return -w->who->spawn(sleeping_unit, &w->due[i]);
    w->timers[i] = w->who->timer_new(delay, fired, &w->due[i]);
    return w->timers[i] == NULL;
}

void timers_main(void *arg)
{
    timers_work *w = work = arg;
    w->over = w->who->latch_new((long)w->n);
    if (w->over == NULL) {
        w->error = 1;
        return;
    }
    observer_ask(OBSERVER_STOP, 0);
    w->begin = stamp();
    while (w->started < w->n && w->error == 0) {
        w->error = start(w, w->started);
        if (w->error == 0) w->started++;
    }
    w->end = stamp();
    w->early = __atomic_load_n(&w->fired, __ATOMIC_RELAXED);
    observer_ask(OBSERVER_STOP, 0);
    for (uint64_t i = w->started; i < w->n; i++) w->who->latch_done(w->over);
    w->who->latch_wait(w->over);
    observer_ask(OBSERVER_STOP, 0);
    for (uint64_t i = 0; w->objects && i < w->started; i++) w->who->timer_free(w->timers[i]);
    w->who->latch_free(w->over);
}
