/* due.c: the heap of timers that are due soon, and what comes to it from the wheel. */
#include "sched/due.h"

#include <stdlib.h>

#include "base/check.h"
#include "sched/wheel.h"

/* So many are in the heap at least before some move to the wheel, which takes memory for each of its slots. */
#define MOST_LEAST 8192

#define ROOM_LEAST 64

/* Of each in the heap, the children are so many. */
#define WAYS 4

void gos__due_init(gos__timers *timers)
{
    timers->first = timers->horizon = INT64_MAX;
    timers->most = MOST_LEAST;
}

static void wheel_ends(gos__timers *timers)
{
    if (timers->wheel)
        gos__wheel_free(timers->wheel);
    timers->wheel = NULL;
    timers->horizon = INT64_MAX;
}

void gos__due_free(gos__timers *timers)
{
    wheel_ends(timers);
    free(timers->heap);
}

uint32_t gos__timers_count(const gos__timers *timers)
{
    return timers->n + (timers->wheel ? timers->wheel->n : 0);
}

/* ---- the heap ---- */

static void put(gos__timers *timers, uint32_t at, gos__timer timer)
{
    timers->heap[at] = timer;
    gos__alarm *alarm = gos__timer_alarm(timer);
    if (alarm)
        alarm->at = at + 1;
}

/* Puts `timer` where `at` is a hole, or above it. */
static void rise(gos__timers *timers, uint32_t at, gos__timer timer)
{
    for (uint32_t parent; at && timers->heap[parent = (at - 1) / WAYS].when > timer.when; at = parent)
        put(timers, at, timers->heap[parent]);
    put(timers, at, timer);
}

/* Puts `timer` where `at` is a hole, or below it. */
static void sink(gos__timers *timers, uint32_t at, gos__timer timer)
{
    const gos__timer *heap = timers->heap;
    for (uint32_t child; (child = WAYS * at + 1) < timers->n; at = child) {
        if (child + WAYS <= timers->n) {
            uint32_t a = child + (heap[child + 1].when < heap[child].when);
            uint32_t b = child + 2 + (heap[child + 3].when < heap[child + 2].when);
            child = heap[b].when < heap[a].when ? b : a;
        } else {
            for (uint32_t other = child + 1; other < timers->n; other++)
                if (heap[other].when < heap[child].when)
                    child = other;
        }
        if (heap[child].when >= timer.when)
            break;
        put(timers, at, heap[child]);
    }
    put(timers, at, timer);
}

/* Makes room for one more. */
static bool make_room(gos__timers *timers)
{
    uint32_t room = timers->room ? timers->room * 2 : ROOM_LEAST;
    gos__timer *grown = realloc(timers->heap, room * sizeof *grown);
    if (!grown)
        return false;
    timers->heap = grown;
    timers->room = room;
    return true;
}

/* ---- grains ---- */

/* Grains are 4 us to 262 us. */
#define GRAIN_LEAST_BITS 12

_Static_assert(INT64_C(1) << (GRAIN_LEAST_BITS + GOS_TIMER_GRAINS - 1) <= GOS_WHEEL_SLOT_NS, "due: grains fit a slot");

uint8_t gos__timer_grain(int64_t after)
{
    int64_t most = after >> 12;
    if (most < INT64_C(1) << GRAIN_LEAST_BITS)
        return 0;
    int above = 63 - __builtin_clzll((uint64_t)most) - GRAIN_LEAST_BITS + 1;
    return (uint8_t)(above < GOS_TIMER_GRAINS ? above : GOS_TIMER_GRAINS);
}

/* When it is to have fired. */
static int64_t end_of(gos__timer timer)
{
    int64_t grain = timer.target >> GOS_TIMER_GRAIN_SHIFT & GOS_TIMER_GRAINS;
    if (!grain || timer.when > INT64_MAX / 2)
        return timer.when;
    int64_t length = INT64_C(1) << (grain - 1 + GRAIN_LEAST_BITS);
    return (timer.when + length - 1) & -length;
}

int64_t gos__timers_first_end(const gos__timers *timers)
{
    return timers->n ? end_of(timers->heap[0]) : INT64_MAX;
}

/* So many timers are looked at before a sleep; where more are to fire in one grain, it ends when the first is due. */
#define LOOKS 1024

/* The first end of those below `at` and its neighbours, which are due before it, and *end. */
static void find_end(const gos__timers *timers, uint32_t at, uint32_t width, int64_t *end, int *looks)
{
    for (; width && at < timers->n; at++, width--) {
        if (timers->heap[at].when >= *end)
            continue;
        if (!*looks)
            return;
        int64_t mine = end_of(timers->heap[at]);
        *end = mine < *end ? mine : *end;
        --*looks;
        find_end(timers, WAYS * at + 1, WAYS, end, looks);
    }
}

/* None ends later than the slot that it is in, so what is on the wheel need not be looked at. */
int64_t gos__timers_wake_at(const gos__timers *timers)
{
    int64_t end = INT64_MAX;
    int looks = LOOKS;
    find_end(timers, 0, 1, &end, &looks);
    return looks ? end : timers->first;
}

/* ---- the heap and the wheel ---- */

static void note_most(gos__timers *timers)
{
    timers->most = timers->n < MOST_LEAST / 2 ? MOST_LEAST : 2 * timers->n;
}

/* What is not due in the slot of the first goes to the wheel. Without memory for that the heap grows instead. */
static GOS_NOINLINE void spill(gos__timers *timers)
{
    if (!timers->wheel)
        timers->wheel = gos__wheel_new();
    if (timers->wheel && gos__wheel_reserve(timers->wheel, timers->n)) {
        uint32_t n = timers->n, kept = 0;
        timers->horizon = gos__wheel_slot_end(timers->heap[0].when);
        for (uint32_t i = 0; i < n; i++)
            if (timers->heap[i].when > timers->horizon)
                gos__wheel_put(timers->wheel, timers->heap[i]); /* there is room */
            else
                rise(timers, kept++, timers->heap[i]);
        timers->n = kept;
    }
    if (timers->wheel && !timers->wheel->n)
        wheel_ends(timers);
    note_most(timers);
}

/* The next slot comes into the heap. False: in part, since that cannot grow. A place stays free for gos__due_add. */
static bool pour(gos__timers *timers)
{
    gos__wheel *wheel = timers->wheel;
    int64_t end;
    gos__wheel_slot *slot = gos__wheel_next(wheel, timers->horizon, &end);
    uint32_t block = slot->block, used = slot->used;
    bool is_whole = true;
    *slot = (gos__wheel_slot){ .first = INT64_MAX };
    while (block) {
        gos__timer taken[GOS_WHEEL_BLOCK];
        uint32_t n = gos__wheel_take_block(wheel, &block, used, taken);
        used = GOS_WHEEL_BLOCK - 1;
        for (uint32_t i = 0; i < n; i++) {
            bool is_due = taken[i].when <= end;
            if (is_due && (timers->n + 2 <= timers->room || make_room(timers))) {
                rise(timers, timers->n++, taken[i]);
                continue;
            }
            gos__wheel_put(wheel, taken[i]); /* there is a block: it has just been left */
            is_whole = is_whole && !is_due;
        }
    }
    if (is_whole)
        timers->horizon = end;
    if (!wheel->n)
        wheel_ends(timers);
    note_most(timers);
    return is_whole;
}

/* A wheel is never empty. */
static GOS_NOINLINE void refill(gos__timers *timers)
{
    while (timers->wheel && (!timers->n || timers->heap[0].when > timers->horizon))
        if (!pour(timers))
            break;
}

/* After one has been taken out. */
static inline void settle(gos__timers *timers)
{
    if (gos__unlikely(timers->wheel != NULL))
        refill(timers);
    gos__store_relaxed(&timers->first, timers->n ? timers->heap[0].when : INT64_MAX);
}

bool gos__due_add(gos__timers *timers, gos__timer timer)
{
    if (gos__unlikely(timers->n >= timers->most))
        spill(timers);
    if (timer.when > timers->horizon && gos__wheel_put(timers->wheel, timer))
        return true;
    if (timers->n == timers->room && !make_room(timers))
        return false;
    rise(timers, timers->n++, timer);
    gos__store_relaxed(&timers->first, timers->heap[0].when);
    return true;
}

gos__timer gos__due_pop(gos__timers *timers)
{
    gos__timer taken = timers->heap[0];
    gos__alarm *alarm = gos__timer_alarm(taken);
    if (alarm)
        alarm->at = 0;
    if (--timers->n)
        sink(timers, 0, timers->heap[timers->n]);
    settle(timers);
    return taken;
}

static void take_out(gos__timers *timers, uint32_t at)
{
    gos__timer last = timers->heap[--timers->n];
    if (at == timers->n)
        return;
    if (at && timers->heap[(at - 1) / WAYS].when > last.when)
        rise(timers, at, last);
    else
        sink(timers, at, last);
}

void gos__due_take(gos__timers *timers, gos__alarm *alarm)
{
    if (alarm->at & GOS_ON_WHEEL) {
        gos__wheel_take(timers->wheel, alarm->at & ~GOS_ON_WHEEL);
        if (!timers->wheel->n)
            wheel_ends(timers);
    } else {
        take_out(timers, alarm->at - 1);
        settle(timers);
    }
    alarm->at = 0;
}
