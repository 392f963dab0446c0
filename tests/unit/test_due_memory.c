/* Without memory to grow in, a worker's timers are refused or kept, and none is lost; those of a slot of the wheel that
 * the heap has no room for come when it has. */
// build: plain
// not-with: address thread (realloc is the test's)
#include "base/rng.h"
#include "sched/due.h"
#include "sched/wheel.h"
#include "tests/test.h"

enum { MANY = 30000, SPREAD_NS = 1 << 28 };

void *__libc_realloc(void *, size_t);

static bool is_short;
static gos__timers timers;
static gos__rng rng;
static uint8_t set[MANY];

void *realloc(void *p, size_t size)
{
    return is_short ? NULL : __libc_realloc(p, size);
}

static uint32_t add(uint32_t from, uint32_t n, int64_t when, uint32_t spread)
{
    uint32_t added = 0;
    for (uint32_t i = from; i < from + n; i++) {
        uintptr_t target = (uintptr_t)(i + 1) * 16;
        set[i] = gos__due_add(&timers, (gos__timer){ .when = when + gos__rng_below(&rng, spread), .target = target });
        added += set[i];
    }
    return added;
}

int main(void)
{
    rng.state = test_seed();
    gos__timers_init(&timers);

    /* All in one slot, which is longer than the heap has room. */
    uint32_t n = add(0, MANY / 3, GOS_WHEEL_SLOT_NS, SPREAD_NS);
    CHECK(timers.wheel != NULL);
    n += add(MANY / 3, MANY / 3, 500 * GOS_WHEEL_SLOT_NS, GOS_WHEEL_SLOT_NS);
    CHECK_EQ(n, MANY / 3 * 2);
    CHECK(timers.room < MANY / 3);
    is_short = true;
    n += add(MANY / 3 * 2, MANY / 3, GOS_WHEEL_SLOT_NS, SPREAD_NS);
    CHECK_EQ(gos__timers_count(&timers), n);

    int64_t slot = 0;
    for (uint32_t i = 0; i < n; i++) {
        CHECK(gos__due_add(&timers, gos__due_pop(&timers))); /* there is room for what has just been taken out */
        gos__timer timer = gos__due_pop(&timers);
        CHECK(timer.when / GOS_WHEEL_SLOT_NS >= slot);
        slot = timer.when / GOS_WHEEL_SLOT_NS;
        uint32_t at = (uint32_t)(timer.target / 16) - 1;
        CHECK(set[at]);
        set[at] = false;
    }
    CHECK_EQ(gos__timers_count(&timers), 0);
    gos__due_free(&timers);
    return 0;
}
