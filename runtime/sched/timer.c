/* timer.c: a worker's heap of sleepers and alarms, the alarms' memory, and gos_timer. */
#include "sched/timer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/worker.h"

/* Free blocks that a worker keeps. */
#define BLOCKS_KEPT 256

/* Who moves it to FIRED or STOPPED decides. */
enum { ARMED, STOPPED, FIRED };

struct gos_timer {
    gos__alarm alarm;
    uint32_t state;
    void (*fn)(void *);
    void *arg;
};

/* A timer that finds no memory for its task tries again this much later. */
#define AGAIN_NS 1000000

/* ---- the heap ---- */

#define IS_ALARM ((uintptr_t)1)

static void put(gos__timers *timers, uint32_t at, gos__timer timer)
{
    timers->heap[at] = timer;
    if (timer.target & IS_ALARM)
        ((gos__alarm *)(timer.target - IS_ALARM))->at = at + 1;
}

/* Puts `timer` where `at` is a hole, or above it. */
static void rise(gos__timers *timers, uint32_t at, gos__timer timer)
{
    for (; at && timers->heap[(at - 1) / 2].when > timer.when; at = (at - 1) / 2)
        put(timers, at, timers->heap[(at - 1) / 2]);
    put(timers, at, timer);
}

/* Puts `timer` where `at` is a hole, or below it. */
static void sink(gos__timers *timers, uint32_t at, gos__timer timer)
{
    for (uint32_t child; (child = 2 * at + 1) < timers->n; at = child) {
        if (child + 1 < timers->n && timers->heap[child + 1].when < timers->heap[child].when)
            child++;
        if (timers->heap[child].when >= timer.when)
            break;
        put(timers, at, timers->heap[child]);
    }
    put(timers, at, timer);
}

static bool add(gos__timers *timers, gos__timer timer)
{
    if (timers->n == timers->room) {
        uint32_t room = timers->room ? timers->room * 2 : 64;
        gos__timer *grown = realloc(timers->heap, room * sizeof *grown);
        if (!grown)
            return false;
        timers->heap = grown;
        timers->room = room;
    }
    rise(timers, timers->n++, timer);
    return true;
}

static gos__timer take_out(gos__timers *timers, uint32_t at)
{
    gos__timer taken = timers->heap[at], last = timers->heap[--timers->n];
    if (taken.target & IS_ALARM)
        ((gos__alarm *)(taken.target - IS_ALARM))->at = 0;
    if (at == timers->n)
        return taken;
    if (at && timers->heap[(at - 1) / 2].when > last.when)
        rise(timers, at, last);
    else
        sink(timers, at, last);
    return taken;
}

int64_t gos__deadline(int64_t after)
{
    int64_t now = gos__clock_ns();
    return after < INT64_MAX - now ? now + after : INT64_MAX;
}

bool gos__timer_add(gos__worker *worker, int64_t when, gos__task *task)
{
    return add(&worker->timers, (gos__timer){ .when = when, .target = (uintptr_t)task });
}

/* ---- alarms ---- */

gos__alarm *gos__alarm_new(gos__worker *worker, size_t size, void (*fire)(gos__worker *, gos__alarm *))
{
    gos__timers *timers = &worker->timers;
    bool is_block = size > sizeof(gos_timer) && size <= GOS_ALARM_BLOCK;
    gos__alarm *alarm = is_block ? timers->free : NULL;
    if (gos__likely(alarm != NULL)) {
        timers->free = alarm->link;
        timers->free_n--;
        alarm->fire = fire;
        return alarm;
    }
    alarm = malloc(is_block ? GOS_ALARM_BLOCK : size);
    if (!alarm)
        return NULL;
    *alarm = (gos__alarm){ .worker = worker, .next = timers->all, .fire = fire, .is_block = is_block };
    if (alarm->next)
        alarm->next->prev = alarm;
    timers->all = alarm;
    return alarm;
}

bool gos__alarm_set(gos__worker *worker, gos__alarm *alarm, int64_t when)
{
    gos__assert(!alarm->at && alarm->worker == worker);
    return add(&worker->timers, (gos__timer){ .when = when, .target = (uintptr_t)alarm | IS_ALARM });
}

static void drop(gos__worker *worker, gos__alarm *alarm)
{
    gos__timers *timers = &worker->timers;
    if (alarm->at)
        take_out(timers, alarm->at - 1);
    if (alarm->is_block && timers->free_n < BLOCKS_KEPT) {
        alarm->link = timers->free;
        timers->free = alarm;
        timers->free_n++;
        return;
    }
    if (alarm->prev)
        alarm->prev->next = alarm->next;
    else
        timers->all = alarm->next;
    if (alarm->next)
        alarm->next->prev = alarm->prev;
    free(alarm);
}

/* The owner may change under our eyes; who finds in its list what another one owns sends it on. */
void gos__alarm_return(gos__alarm *alarm)
{
    gos__worker *owner = gos__load_relaxed(&alarm->worker);
    if (gos__likely(owner == gos__self.worker)) {
        drop(owner, alarm);
        return;
    }
    gos__spin_lock(&owner->timers.lock);
    alarm->link = owner->timers.returned;
    gos__store_relaxed(&owner->timers.returned, alarm);
    gos__spin_unlock(&owner->timers.lock);
}

static GOS_NOINLINE void take_back(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    gos__spin_lock(&timers->lock);
    gos__alarm *alarm = timers->returned;
    gos__store_relaxed(&timers->returned, NULL);
    gos__spin_unlock(&timers->lock);
    while (alarm) {
        gos__alarm *next = alarm->link;
        gos__alarm_return(alarm);
        alarm = next;
    }
}

int64_t gos__timers_run(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    if (gos__unlikely(gos__load_relaxed(&timers->returned) != NULL))
        take_back(worker);
    if (!timers->n)
        return INT64_MAX;
    int64_t now = gos__clock_ns();
    uint32_t done = 0;
    for (; timers->n && timers->heap[0].when <= now; done++) {
        gos__timer timer = take_out(timers, 0);
        if (timer.target & IS_ALARM) {
            gos__alarm *alarm = (gos__alarm *)(timer.target - IS_ALARM);
            alarm->fire(worker, alarm);
            continue;
        }
        gos__task *task = (gos__task *)timer.target;
        task->state = GOS_READY;
        gos__push_back(worker, task);
    }
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (done > 1 && gos__load_relaxed(&gos__rt->idle_n))
        gos__wake_one(worker);
    return timers->n ? timers->heap[0].when : INT64_MAX;
}

bool gos__timers_any(const gos__worker *worker)
{
    return worker->timers.n || worker->timers.all;
}

void gos__timers_hand_on(gos__worker *worker, gos__worker *heir)
{
    gos__timers *timers = &worker->timers;
    take_back(worker);
    while (timers->n) {
        gos__timer timer = timers->heap[--timers->n];
        if (!add(&heir->timers, timer))
            gos__die("fatal error: no memory for %u timers", heir->timers.n);
    }
    while (timers->all) {
        gos__alarm *alarm = timers->all;
        timers->all = alarm->next;
        alarm->prev = NULL;
        alarm->next = heir->timers.all;
        if (alarm->next)
            alarm->next->prev = alarm;
        heir->timers.all = alarm;
        gos__store_relaxed(&alarm->worker, heir);
    }
    while (timers->free) {
        gos__alarm *alarm = timers->free;
        timers->free = alarm->link;
        alarm->link = heir->timers.free;
        heir->timers.free = alarm;
    }
    heir->timers.free_n += timers->free_n;
    timers->free_n = 0;
}

/* ---- gos_timer ---- */

void gos__timers_close(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    while (timers->all) {
        gos__alarm *alarm = timers->all;
        timers->all = alarm->next;
        if (alarm->is_held) {
            alarm->worker = NULL;
            gos__store_relaxed(&((gos_timer *)alarm)->state, (uint32_t)STOPPED);
        } else {
            free(alarm);
        }
    }
    free(timers->heap);
    *timers = (gos__timers){ .n = 0 };
}

static void fire(gos__worker *worker, gos__alarm *alarm)
{
    gos_timer *timer = (gos_timer *)alarm;
    if (gos__load_relaxed(&timer->state) != ARMED)
        return;
    gos__task *task = gos__task_new(worker, gos__task_start, timer->fn, timer->arg);
    if (!task) {
        gos__alarm_set(worker, alarm, gos__clock_ns() + AGAIN_NS); /* there is room: it has just been taken out */
        return;
    }
    if (!gos__cas_acquire(&timer->state, ARMED, FIRED)) {
        worker->spawned--;
        gos__stack_free(&worker->stacks, task);
        return;
    }
    task->state = GOS_READY;
    gos__push_back(worker, task);
}

/* The worker is held. */
static gos_timer *arm(gos__worker *worker, int64_t when, void (*fn)(void *), void *arg)
{
    gos_timer *timer = (gos_timer *)gos__alarm_new(worker, sizeof *timer, fire);
    if (!timer)
        return NULL;
    timer->state = ARMED;
    timer->fn = fn;
    timer->arg = arg;
    timer->alarm.is_held = 1;
    if (gos__alarm_set(worker, &timer->alarm, when))
        return timer;
    drop(worker, &timer->alarm);
    return NULL;
}

/* From a foreign thread, under gos__rt_lock: into the heap of a worker that can be held now. False: none can. */
static bool arm_somewhere(gos__runtime *rt, int64_t when, void (*fn)(void *), void *arg, gos_timer **timer)
{
    for (uint32_t i = 0; i < gos__load_relaxed(&rt->procs); i++) {
        gos__worker *worker = rt->workers[i];
        if (!worker || !gos__worker_lock(worker))
            continue;
        bool is_live = !gos__load_relaxed(&worker->left) && !gos__load_relaxed(&worker->quit);
        if (is_live)
            *timer = arm(worker, when, fn, arg);
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

gos_timer *gos__timer_new(int64_t ns, void (*fn)(void *), void *arg)
{
    gos__require(fn != NULL, "gos_timer_new: fn is NULL");
    int64_t when = gos__deadline(ns > 0 ? ns : 0);
    if (gos__self.worker)
        return arm(gos__self.worker, when, fn, arg);
    gos_timer *timer = NULL;
    for (bool done = false; !done;) {
        gos__spin_lock(&gos__rt_lock);
        gos__runtime *rt = gos__rt;
        done = !rt || gos__load_relaxed(&rt->stopping) || arm_somewhere(rt, when, fn, arg, &timer);
        gos__spin_unlock(&gos__rt_lock);
        if (!done)
            sched_yield(); /* the monitor, which may have to see to the workers first, wants the lock too */
    }
    return timer;
}

int gos__timer_stop(gos_timer *timer)
{
    gos__require(timer != NULL, "gos_timer_stop: the timer is NULL");
    return gos__cas_acquire(&timer->state, ARMED, STOPPED) ? 0 : -EALREADY;
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
    if (timer->alarm.worker)
        gos__alarm_return(&timer->alarm);
    else
        free(timer);
    if (is_foreign)
        gos__spin_unlock(&gos__rt_lock);
}
