/* own_timer.c: gos_timer, an alarm that starts a task. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sched/timer.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* A timer that finds no memory for its task tries again this much later. */
#define AGAIN_NS 1000000

static void fire(gos__worker *worker, gos__alarm *alarm)
{
    gos_timer *timer = (gos_timer *)alarm;
    if (gos__load_relaxed(&timer->state) != GOS_TIMER_ARMED)
        return;
    __builtin_prefetch(timer->arg); /* the function is likely to begin with it */
    gos__task *task = gos__task_new(worker, gos__task_start, timer->fn, timer->arg, 0);
    if (!task) {
        gos__alarm_set(worker, alarm, gos__task_clock() + AGAIN_NS); /* there is room: it has just been taken out */
        return;
    }
    if (!gos__timer_fires(alarm)) {
        gos__store_relaxed(&worker->spawned, worker->spawned - 1);
        gos__stack_free(&worker->stacks, task);
        return;
    }
    gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
    gos__trace_note(worker, GOS_EV_TIMER, (uintptr_t)timer->fn, 0, 0);
    if (gos__is_traced(worker))
        gos__trace_spawn(worker, task, NULL);
    gos__push_back(worker, task);
}

/* The worker is held. */
static gos_timer *arm(gos__worker *worker, const gos_timer *wanted, int64_t when)
{
    gos_timer *timer = (gos_timer *)gos__alarm_new(worker, sizeof *timer, wanted->alarm.fire);
    if (!timer)
        return NULL;
    timer->state = GOS_TIMER_ARMED;
    timer->fn = wanted->fn;
    timer->arg = wanted->arg;
    timer->alarm.is_held = 1;
    timer->alarm.grain = wanted->alarm.grain;
    if (gos__alarm_set(worker, &timer->alarm, when))
        return timer;
    gos__alarm_return(&timer->alarm);
    return NULL;
}

/* From a foreign thread, under gos__rt_lock: into the heap of a worker that can be held now. False: none can. */
static bool arm_somewhere(gos__runtime *rt, const gos_timer *wanted, int64_t when, gos_timer **timer)
{
    uint32_t made = gos__load_acquire(&rt->made); /* pairs with the release in change_procs */
    for (uint32_t i = 0; i < gos__load_relaxed(&rt->procs) && i < made; i++) {
        gos__worker *worker = rt->workers[i];
        if (!gos__worker_lock(worker))
            continue;
        bool is_live = !gos__load_relaxed(&worker->left) && !gos__load_relaxed(&worker->quit);
        if (is_live)
            *timer = arm(worker, wanted, when);
        gos__worker_unlock(worker);
        if (!is_live)
            continue;
        gos__spin_lock(&worker->lock);
        if (worker->thread)
            gos__thread_wake(worker->thread); /* its sleep may now be too long */
        gos__spin_unlock(&worker->lock);
        return true;
    }
    return false;
}

static gos_timer *start(const gos_timer *wanted, int64_t when)
{
    if (gos__self.worker)
        return arm(gos__self.worker, wanted, when);
    gos_timer *timer = NULL;
    for (bool done = false; !done;) {
        gos__spin_lock(&gos__rt_lock);
        gos__runtime *rt = gos__rt;
        done = !rt || gos__load_relaxed(&rt->stopping) || arm_somewhere(rt, wanted, when, &timer);
        gos__spin_unlock(&gos__rt_lock);
        if (!done)
            sched_yield(); /* the monitor, which may have to see to the workers first, wants the lock too */
    }
    return timer;
}

gos_timer *gos__timer_start(int64_t when, void (*fire)(gos__worker *, gos__alarm *), void (*fn)(void *), void *arg)
{
    return start(&(gos_timer){ .alarm = { .fire = fire }, .fn = fn, .arg = arg }, when);
}

gos_timer *gos__timer_new(int64_t ns, void (*fn)(void *), void *arg)
{
    gos__require(fn != NULL, "gos_timer_new: fn is NULL");
    const gos_timer wanted = { .alarm = { .fire = fire, .grain = gos__timer_grain(ns) }, .fn = fn, .arg = arg };
    return start(&wanted, gos__deadline(ns > 0 ? ns : 0));
}

bool gos__timer_call_off(gos_timer *timer)
{
    return gos__cas_acquire(&timer->state, GOS_TIMER_ARMED, GOS_TIMER_STOPPED) ||
           gos__load_acquire(&timer->state) == GOS_TIMER_STOPPED;
}

int gos__timer_stop(gos_timer *timer)
{
    gos__require(timer != NULL, "gos_timer_stop: the timer is NULL");
    return gos__cas_acquire(&timer->state, GOS_TIMER_ARMED, GOS_TIMER_STOPPED) ? 0 : -EALREADY;
}

void gos__timer_free(gos_timer *timer)
{
    if (!timer)
        return;
    gos__timer_stop(timer);
    bool is_foreign = !gos__self.worker;
    if (is_foreign)
        gos__spin_lock(&gos__rt_lock); /* the run does not end meanwhile */
    timer->alarm.is_held = 0;
    if (gos__load_relaxed(&timer->alarm.worker))
        gos__alarm_return(&timer->alarm);
    else
        free(timer);
    if (is_foreign)
        gos__spin_unlock(&gos__rt_lock);
}
