/* timer.c: a worker's sleepers and alarms, and the alarms' memory. */
#include "sched/timer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/due.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* Free blocks that a worker keeps. */
#define BLOCKS_KEPT 256

/* So many tasks may be done before another worker is there. */
#define FEW 32

/* Another worker helps when what is due has had to wait for so long. */
#define LATE_NS 100000

_Static_assert(GOS_TASK_SIZE % 16 == 0 && _Alignof(max_align_t) % 16 == 0, "timer: the low bits of a target");

void gos__timers_init(gos__timers *timers)
{
    *timers = (gos__timers){ 0 };
    gos__due_init(timers);
}

int64_t gos__deadline(int64_t after)
{
    int64_t now = gos__task_clock();
    return after < INT64_MAX - now ? now + after : INT64_MAX;
}

bool gos__timer_add(gos__worker *worker, int64_t when, uint8_t grain, gos__task *task)
{
    uintptr_t target = (uintptr_t)task | (uintptr_t)grain << GOS_TIMER_GRAIN_SHIFT;
    return gos__due_add(&worker->timers, (gos__timer){ .when = when, .target = target });
}

/*
 * ---- alarms ----
 *
 *     who gives an alarm back, on any thread          who makes it another's, holding the owner
 *     W1  owner = alarm->worker                       W4  alarm->worker = the new owner, whose thread this is, under
 *     W2  the own? out of the heap, free it               the former owner's timers.lock
 *     W3  else take the owner's timers.lock; is it
 *         the owner still? into its `returned`        the owner, sooner or later, or its heir (run.c, V4)
 *         else W1                                     W5  W1 for each in `returned`: it may be another's by now
 */

static void enlist(gos__timers *timers, gos__alarm *alarm)
{
    alarm->prev = NULL;
    alarm->next = timers->all;
    if (alarm->next)
        alarm->next->prev = alarm;
    timers->all = alarm;
}

static void delist(gos__timers *timers, gos__alarm *alarm)
{
    if (alarm->prev)
        alarm->prev->next = alarm->next;
    else
        timers->all = alarm->next;
    if (alarm->next)
        alarm->next->prev = alarm->prev;
}

static void change_owner(gos__alarm *alarm, gos__worker *from, gos__worker *to)
{
    gos__spin_lock(&from->timers.lock);
    delist(&from->timers, alarm);
    enlist(&to->timers, alarm);
    gos__store_relaxed(&alarm->worker, to); /* W4 */
    gos__spin_unlock(&from->timers.lock);
}

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
    *alarm = (gos__alarm){ .worker = worker, .fire = fire, .is_block = is_block };
    enlist(timers, alarm);
    return alarm;
}

bool gos__alarm_set(gos__worker *worker, gos__alarm *alarm, int64_t when)
{
    gos__assert(!alarm->at && alarm->worker == worker);
    uintptr_t target = (uintptr_t)alarm | (uintptr_t)alarm->grain << GOS_TIMER_GRAIN_SHIFT | GOS_TIMER_IS_ALARM;
    return gos__due_add(&worker->timers, (gos__timer){ .when = when, .target = target });
}

static void drop(gos__worker *worker, gos__alarm *alarm)
{
    gos__timers *timers = &worker->timers;
    if (alarm->at)
        gos__due_take(timers, alarm);
    if (alarm->is_block && timers->free_n < BLOCKS_KEPT) {
        alarm->link = timers->free;
        timers->free = alarm;
        timers->free_n++;
        return;
    }
    delist(timers, alarm);
    free(alarm);
}

void gos__alarm_return(gos__alarm *alarm)
{
    for (;;) {
        gos__worker *owner = gos__load_relaxed(&alarm->worker); /* W1 */
        if (gos__likely(owner == gos__self.worker)) {           /* W2 */
            drop(owner, alarm);
            return;
        }
        gos__spin_lock(&owner->timers.lock);
        bool is_owner = gos__load_relaxed(&alarm->worker) == owner; /* W3 */
        if (is_owner) {
            alarm->link = owner->timers.returned;
            gos__store_relaxed(&owner->timers.returned, alarm);
        }
        gos__spin_unlock(&owner->timers.lock);
        if (is_owner)
            return;
    }
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
        gos__alarm_return(alarm); /* W5 */
        alarm = next;
    }
}

uint32_t gos__due_begin(const gos__worker *worker, uint32_t *n)
{
    uint32_t at = worker->due_begin, end = worker->due_end;
    if ((int32_t)(worker->front - at) > 0)
        at = worker->front;
    if ((int32_t)(end - worker->back) > 0)
        end = worker->back; /* some were stolen */
    /* Those that have run may have put others in their places, from the last to the first. */
    while ((int32_t)(end - at) > 0 &&
           gos__load_relaxed(&worker->queue[at & (GOS_QUEUE_SIZE - 1)]->state) != GOS_DUE)
        at++;
    *n = (int32_t)(end - at) > 0 ? end - at : 0;
    return at;
}

/*
 * Sleepers that are due go to the front, behind those that went there before: behind tasks that use up their slices
 * a sleeper would be late by a slice for each of them, and behind a million tasks that are ready by a second. Not
 * without end, since sleepers that compute must not keep all others from running, be they many or a few of which one
 * is always due: when so many have gone ahead since one of the others ran, as many of the others do, or all that there
 * are, before the next ones. Those stay where they are meanwhile, and where they would wait behind others that are due:
 * what runs on the stacks of these finds them in the cache, and whoever is out of work takes them from there.
 */
static uint32_t may_go_ahead(gos__worker *worker, uint32_t waiting)
{
    uint32_t length = worker->back - worker->front, wait = worker->due_until - worker->tick;
    if (length == waiting || (int32_t)(worker->front - worker->due_end) > 0)
        worker->due_streak = 0; /* all of them have run, and another */
    if (length != waiting && wait && wait <= GOS_QUEUE_SIZE) /* more: it was long ago */
        return 0;
    return GOS_FRONT_STREAK - (waiting > worker->due_streak ? waiting : worker->due_streak);
}

/* What has just been put at the back, `n` tasks. `before` that were due earlier begin at `begin`. */
static void to_front(gos__worker *worker, uint32_t n, uint32_t begin, uint32_t before)
{
    const uint32_t mask = GOS_QUEUE_SIZE - 1;
    uint32_t from = worker->front, back = worker->back - n;
    if (n > GOS_FRONT_STREAK || before + n > GOS_FRONT_STREAK) { /* an alarm readied a crowd */
        worker->due_until = worker->tick + (worker->back - from);
        return;
    }
    gos__task *due[GOS_FRONT_STREAK];
    for (uint32_t i = 0; i < before; i++)
        due[i] = worker->queue[(begin + i) & mask];
    for (uint32_t i = 0; i < n; i++) {
        due[before + i] = worker->queue[(back + i) & mask];
        gos__store_relaxed(&due[before + i]->state, (uint8_t)GOS_DUE);
    }
    for (uint32_t at = begin; before && at != from; at--) /* what was put in front of them meanwhile */
        worker->queue[(at - 1 + before) & mask] = worker->queue[(at - 1) & mask];
    for (uint32_t i = 0; i < before + n; i++)
        worker->queue[(from - n + i) & mask] = due[i];
    worker->due_begin = from - n;
    worker->due_end = from + before;
    gos__store_relaxed(&worker->back, back);
    gos__store_relaxed(&worker->front, from - n);
    worker->due_streak += n;
    if (worker->due_streak >= GOS_FRONT_STREAK) {
        uint32_t others = back - from - before;
        worker->due_until = worker->tick + before + n + (others < GOS_FRONT_STREAK ? others : GOS_FRONT_STREAK);
        worker->due_streak = 0;
    }
}

bool gos__timers_need_help(const gos__worker *worker)
{
    return worker->timers.late ||
           (worker->timers.exact > 1 && (gos__queue_length(worker) >= FEW || gos__wake_credit()));
}

int64_t gos__timers_run(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    if (gos__unlikely(gos__load_relaxed(&timers->returned) != NULL))
        take_back(worker);
    if (!timers->n)
        return 0;
    int64_t now = gos__task_clock();
    if (timers->first > now)
        return now;
    if (worker->back - worker->front > GOS_QUEUE_SIZE - GOS_FRONT_STREAK)
        gos__queue_overflow(worker); /* so that none of them comes into the shared queue, behind all that is there */
    uint32_t waiting, begin = gos__due_begin(worker, &waiting), left = may_go_ahead(worker, waiting);
    uint32_t before = worker->back, exact = 0;
    for (; timers->first <= now && left; left--) {
        gos__timer timer = gos__due_pop(timers);
        exact += !(timer.target & GOS_TIMER_GRAINS << GOS_TIMER_GRAIN_SHIFT);
        gos__alarm *alarm = gos__timer_alarm(timer);
        if (alarm) {
            alarm->fire(worker, alarm);
            continue;
        }
        gos__task *task = gos__timer_target(timer);
        gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
        if (gos__is_traced(worker))
            gos__trace_ready(worker, task, GOS_BY_TIMER);
        gos__push_back(worker, task);
    }
    if (worker->back != before)
        to_front(worker, worker->back - before, begin, waiting);
    timers->exact = exact;
    timers->late = timers->first <= now && now - gos__timers_first_end(timers) >= LATE_NS;
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__load_relaxed(&gos__rt->idle_n) && gos__timers_need_help(worker))
        gos__wake_one(worker);
    return now;
}

void gos__timers_steal(gos__worker *thief, gos__worker *victim, int64_t now)
{
    gos__timers *timers = &victim->timers;
    for (int i = 0; i < GOS_FRONT_STREAK && timers->first <= now; i++) {
        gos__timer timer = gos__due_pop(timers);
        if (!gos__due_add(&thief->timers, timer)) {
            gos__due_add(timers, timer); /* there is room: it has just been taken out */
            return;
        }
        gos__alarm *alarm = gos__timer_alarm(timer);
        if (alarm)
            change_owner(alarm, victim, thief);
    }
}

bool gos__timers_any(const gos__worker *worker)
{
    /* What was given back may be another's by now, which is to be told. */
    return worker->timers.n || worker->timers.all || gos__load_relaxed(&worker->timers.returned);
}

void gos__timers_hand_on(gos__worker *worker, gos__worker *heir)
{
    gos__timers *timers = &worker->timers;
    while (timers->n) {
        if (!gos__due_add(&heir->timers, gos__due_pop(timers)))
            gos__die("fatal error: no memory for %u timers", gos__timers_count(&heir->timers));
    }
    gos__spin_lock(&timers->lock);
    gos__alarm *returned = timers->returned;
    timers->returned = NULL;
    while (timers->all) {
        gos__alarm *alarm = timers->all;
        delist(timers, alarm);
        enlist(&heir->timers, alarm);
        gos__store_relaxed(&alarm->worker, heir); /* W4 */
    }
    gos__spin_unlock(&timers->lock);
    while (returned) {
        gos__alarm *next = returned->link;
        gos__alarm_return(returned); /* W5 */
        returned = next;
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

void gos__timers_close(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    while (timers->all) {
        gos__alarm *alarm = timers->all;
        timers->all = alarm->next;
        if (alarm->is_held) {
            alarm->worker = NULL;
            gos__store_relaxed(&((gos_timer *)alarm)->state, (uint32_t)GOS_TIMER_STOPPED);
        } else {
            free(alarm);
        }
    }
    gos__due_free(timers);
    gos__timers_init(timers);
}
