/* timer.c: a worker's heap of sleepers and alarms, and the alarms' memory. */
#include "sched/timer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* Free blocks that a worker keeps. */
#define BLOCKS_KEPT 256

/* So many tasks may be done before another worker is there. */
#define FEW 32

/* ---- the heap ---- */

#define IS_ALARM ((uintptr_t)1)
#define GRAIN_SHIFT 1
#define GRAINS 7
#define TARGET (~(uintptr_t)15)

_Static_assert(GOS_TASK_SIZE % 16 == 0 && _Alignof(max_align_t) % 16 == 0, "timer: the low bits of a target");

/* Grains are 4 us to 262 us. */
#define GRAIN_LEAST_BITS 12

uint8_t gos__timer_grain(int64_t after)
{
    int64_t most = after >> 12;
    if (most < INT64_C(1) << GRAIN_LEAST_BITS)
        return 0;
    int above = 63 - __builtin_clzll((uint64_t)most) - GRAIN_LEAST_BITS + 1;
    return (uint8_t)(above < GRAINS ? above : GRAINS);
}

static bool is_alarm(gos__timer timer)
{
    return timer.target & IS_ALARM;
}

static gos__alarm *alarm_of(gos__timer timer)
{
    return (gos__alarm *)(timer.target & TARGET);
}

/* When it is to have fired. */
static int64_t end_of(gos__timer timer)
{
    int64_t grain = timer.target >> GRAIN_SHIFT & GRAINS;
    if (!grain || timer.when > INT64_MAX / 2)
        return timer.when;
    int64_t length = INT64_C(1) << (grain - 1 + GRAIN_LEAST_BITS);
    return (timer.when + length - 1) & -length;
}

/* So many timers are looked at before a sleep; where more are to fire in one grain, it ends when the first is due. */
#define LOOKS 1024

/* The first end of those below `at`, which are due before it, and *end. */
static void find_end(const gos__timers *timers, uint32_t at, int64_t *end, int *looks)
{
    for (; at < timers->n && timers->heap[at].when < *end && *looks; at = 2 * at + 2) {
        int64_t mine = end_of(timers->heap[at]);
        *end = mine < *end ? mine : *end;
        --*looks;
        find_end(timers, 2 * at + 1, end, looks);
    }
}

int64_t gos__timers_wake_at(const gos__timers *timers)
{
    int64_t end = INT64_MAX;
    int looks = LOOKS;
    find_end(timers, 0, &end, &looks);
    return looks ? end : timers->first;
}

static void put(gos__timers *timers, uint32_t at, gos__timer timer)
{
    timers->heap[at] = timer;
    if (is_alarm(timer))
        alarm_of(timer)->at = at + 1;
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

static void note_first(gos__timers *timers)
{
    gos__store_relaxed(&timers->first, timers->n ? timers->heap[0].when : INT64_MAX);
}

void gos__timers_init(gos__timers *timers)
{
    *timers = (gos__timers){ .first = INT64_MAX };
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
    note_first(timers);
    return true;
}

static gos__timer take_out(gos__timers *timers, uint32_t at)
{
    gos__timer taken = timers->heap[at], last = timers->heap[--timers->n];
    if (is_alarm(taken))
        alarm_of(taken)->at = 0;
    if (at < timers->n) {
        if (at && timers->heap[(at - 1) / 2].when > last.when)
            rise(timers, at, last);
        else
            sink(timers, at, last);
    }
    note_first(timers);
    return taken;
}

int64_t gos__deadline(int64_t after)
{
    int64_t now = gos__task_clock();
    return after < INT64_MAX - now ? now + after : INT64_MAX;
}

bool gos__timer_add(gos__worker *worker, int64_t when, uint8_t grain, gos__task *task)
{
    uintptr_t target = (uintptr_t)task | (uintptr_t)grain << GRAIN_SHIFT;
    return add(&worker->timers, (gos__timer){ .when = when, .target = target });
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
    uintptr_t target = (uintptr_t)alarm | (uintptr_t)alarm->grain << GRAIN_SHIFT | IS_ALARM;
    return add(&worker->timers, (gos__timer){ .when = when, .target = target });
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

/*
 * What has just been put at the back, `n` tasks, goes to the front, behind those that were put there before: behind
 * tasks that use up their slices a sleeper would be late by a slice for each of them. Not without end, since sleepers
 * that compute must not keep all others from running, be they many or a few of which one is always due: when so many
 * have gone ahead since one of the others ran, they stay at the back, and so do those that follow until they have run,
 * or they would be overtaken.
 */
static void to_front(gos__worker *worker, uint32_t n)
{
    const uint32_t mask = GOS_QUEUE_SIZE - 1;
    uint32_t others = worker->back - worker->front - n, ahead = worker->due_end - worker->front;
    if ((int32_t)ahead < 0) {
        ahead = 0; /* all of them have run, and another */
        worker->due_streak = 0;
    }
    if (ahead > others)
        ahead = others; /* some were stolen */
    if (!others)
        worker->due_streak = 0;
    if (n > GOS_FRONT_STREAK || worker->due_streak + n > GOS_FRONT_STREAK ||
        (int32_t)(worker->due_until - worker->tick) > 0) {
        worker->due_until = worker->tick + (worker->back - worker->front);
        worker->due_streak = 0;
        return;
    }
    worker->due_streak += n;
    gos__task *moved[GOS_FRONT_STREAK];
    for (uint32_t i = 0; i < n; i++)
        moved[i] = worker->queue[(worker->back - n + i) & mask];
    uint32_t front = worker->front - n;
    for (uint32_t i = 0; i < ahead; i++)
        worker->queue[(front + i) & mask] = worker->queue[(worker->front + i) & mask];
    for (uint32_t i = 0; i < n; i++)
        worker->queue[(front + ahead + i) & mask] = moved[i];
    worker->due_end = front + ahead + n;
    gos__store_relaxed(&worker->back, worker->back - n);
    gos__store_relaxed(&worker->front, front);
}

bool gos__timers_need_help(const gos__worker *worker)
{
    return gos__queue_length(worker) >= FEW || gos__wake_credit();
}

int64_t gos__timers_run(gos__worker *worker)
{
    gos__timers *timers = &worker->timers;
    if (gos__unlikely(gos__load_relaxed(&timers->returned) != NULL))
        take_back(worker);
    if (!timers->n)
        return 0;
    int64_t now = gos__task_clock();
    uint32_t done = 0, before = worker->back;
    for (; timers->n && timers->heap[0].when <= now; done++) {
        gos__timer timer = take_out(timers, 0);
        if (is_alarm(timer)) {
            gos__alarm *alarm = alarm_of(timer);
            alarm->fire(worker, alarm);
            continue;
        }
        gos__task *task = (gos__task *)(timer.target & TARGET);
        gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
        if (gos__is_traced(worker))
            gos__trace_ready(worker, task, GOS_BY_TIMER);
        gos__push_back(worker, task);
    }
    if (worker->back != before)
        to_front(worker, worker->back - before);
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (done > 1 && gos__load_relaxed(&gos__rt->idle_n) && gos__timers_need_help(worker))
        gos__wake_one(worker);
    return now;
}

void gos__timers_steal(gos__worker *thief, gos__worker *victim, int64_t now)
{
    gos__timers *timers = &victim->timers;
    for (int i = 0; i < GOS_FRONT_STREAK && timers->n && timers->heap[0].when <= now; i++) {
        gos__timer timer = take_out(timers, 0);
        if (!add(&thief->timers, timer)) {
            add(timers, timer); /* there is room: it has just been taken out */
            return;
        }
        if (is_alarm(timer))
            change_owner(alarm_of(timer), victim, thief);
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
        gos__timer timer = timers->heap[--timers->n];
        if (!add(&heir->timers, timer))
            gos__die("fatal error: no memory for %u timers", heir->timers.n);
    }
    note_first(timers);
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
    free(timers->heap);
    gos__timers_init(timers);
}
