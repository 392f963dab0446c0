/*
 * A worker's timers leave in the order of their times, whatever of them is in the heap or on the wheel, and whatever is
 * called off; most of many are on the wheel, whose memory goes when they have left.
 */
// build: plain
#include "base/rng.h"
#include "sched/due.h"
#include "sched/wheel.h"
#include "tests/test.h"

enum { MANY = 30000, ROUNDS = 6 };

static const int64_t us = 1000, ms = 1000000, second = 1000000000, day = 86400ll * 1000000000;

typedef struct entry {
    gos__alarm alarm; /* what `target` is aligned for */
    int64_t when;
    bool is_sleeper, is_set;
} GOS_ALIGNED(16) entry;

static entry entries[MANY];
static entry *order[MANY];
static gos__timers timers;
static gos__rng rng;

static int by_time(const void *a, const void *b)
{
    int64_t one = (*(entry *const *)a)->when, other = (*(entry *const *)b)->when;
    return (one > other) - (one < other);
}

/* Its neighbours are in the same slot, or rounds of the wheel apart. */
static int64_t draw(int64_t now)
{
    const int64_t spans[] = { 50 * us, ms, 100 * ms, second, 10 * second, day };
    int64_t span = spans[gos__rng_below(&rng, 6)];
    return gos__rng_below(&rng, 1000) ? now + (int64_t)(gos__rng_next(&rng) % (uint64_t)span) : INT64_MAX;
}

static void add(entry *it, int64_t when)
{
    it->when = when;
    it->is_set = true;
    it->is_sleeper = gos__rng_below(&rng, 3) == 0;
    uintptr_t target = (uintptr_t)it | (it->is_sleeper ? 0 : GOS_TIMER_IS_ALARM);
    CHECK(gos__due_add(&timers, (gos__timer){ .when = when, .target = target }));
}

static uint32_t add_all(int64_t now)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        if (!entries[i].is_set && gos__rng_below(&rng, 4))
            add(&entries[i], draw(now));
        if (entries[i].is_set)
            order[n++] = &entries[i];
    }
    return n;
}

static void call_off_some(void)
{
    for (uint32_t i = 0; i < MANY / 4; i++) {
        entry *it = &entries[gos__rng_below(&rng, MANY)];
        if (!it->is_set || it->is_sleeper)
            continue;
        gos__due_take(&timers, &it->alarm);
        CHECK_EQ(it->alarm.at, 0);
        it->is_set = false;
    }
}

/* Some of them; the time of the last. */
static int64_t pop(uint32_t n, uint32_t most)
{
    int64_t now = 0;
    for (uint32_t i = 0; i < n && most; i++) {
        if (!order[i]->is_set)
            continue;
        most--;
        CHECK_EQ(timers.first, order[i]->when);
        gos__timer timer = gos__due_pop(&timers);
        entry *it = gos__timer_target(timer);
        CHECK_EQ(timer.when, order[i]->when);
        CHECK_EQ(timer.when, it->when);
        CHECK_EQ(timer.target & GOS_TIMER_IS_ALARM, it->is_sleeper ? 0 : GOS_TIMER_IS_ALARM);
        CHECK(it->is_set && !it->alarm.at);
        /* Of several at the same time the other may be the first. */
        for (uint32_t at = i; order[i] != it; at++)
            if (order[at] == it) {
                order[at] = order[i];
                order[i] = it;
            }
        it->is_set = false;
        now = it->when;
    }
    return now;
}

static uint32_t left(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < MANY; i++)
        n += entries[i].is_set;
    return n;
}

int main(void)
{
    rng.state = test_seed();
    gos__timers_init(&timers);
    int64_t now = day;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t n = add_all(now);
        CHECK(timers.wheel != NULL);
        CHECK(timers.n < n / 2); /* whose change touches the fewer */
        call_off_some();
        qsort(order, n, sizeof *order, by_time);
        CHECK_EQ(gos__timers_count(&timers), left());
        int64_t last = pop(n, round == ROUNDS - 1 ? n : n / 2);
        CHECK_EQ(gos__timers_count(&timers), left());
        now = last == INT64_MAX ? now : last;
    }
    CHECK_EQ(left(), 0);
    CHECK_EQ(timers.first, INT64_MAX);
    CHECK(timers.wheel == NULL);

    /* Called off, all of them, from wherever they are. */
    uint32_t alarms = 0;
    for (uint32_t i = 0; i < MANY; i++)
        add(&entries[i], draw(now));
    for (uint32_t i = 0; i < MANY; i++)
        if (!entries[i].is_sleeper) {
            gos__due_take(&timers, &entries[i].alarm);
            alarms++;
        }
    CHECK_EQ(gos__timers_count(&timers), MANY - alarms);
    gos__due_free(&timers);
    return 0;
}
