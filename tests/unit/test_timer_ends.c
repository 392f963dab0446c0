/* When a worker that goes to sleep is to wake for its timers: at the first end of a grain. */
// build: plain
#include "sched/due.h"
#include "sched/worker.h"
#include "tests/test.h"

enum { ROUNDS = 2000, MOST = 300 };

static const int64_t us = 1000, day = 86400ll * 1000000000;

static gos__worker *worker;

static int64_t end_of(int64_t when, uint8_t grain)
{
    int64_t length = grain ? INT64_C(2048) << grain : 1;
    CHECK(length < 263 * us);
    return when + length;
}

static int64_t add(int64_t when, int64_t after)
{
    uint8_t grain = gos__timer_grain(after);
    CHECK(gos__timer_add(worker, when, grain, (gos__task *)(uintptr_t)64));
    return end_of(when, grain);
}

static void clear(void)
{
    gos__due_free(&worker->timers);
    gos__timers_init(&worker->timers);
}

int main(void)
{
    worker = aligned_alloc(_Alignof(gos__worker), sizeof *worker);
    CHECK(worker != NULL);
    memset(worker, 0, sizeof *worker);
    gos__timers_init(&worker->timers);
    gos__rng rng = { .state = test_seed() };

    CHECK_EQ(gos__timers_wake_at(&worker->timers), INT64_MAX);
    CHECK_EQ(gos__timer_grain(16 * 1000 * us), 0); /* exact */
    CHECK_EQ(gos__timer_grain(INT64_MAX), gos__timer_grain(day));

    /* A short sleep is not held up by a long one that is due before it. */
    add(day, day);
    CHECK(gos__timers_wake_at(&worker->timers) >= day);
    add(day + 1, 50 * us);
    CHECK(gos__timers_wake_at(&worker->timers) <= day + 1);
    clear();

    for (int i = 0; i < ROUNDS; i++) {
        int64_t latest = INT64_MAX, first = INT64_MAX;
        for (uint32_t n = 1 + gos__rng_below(&rng, MOST); n; n--) {
            int64_t when = day + gos__rng_below(&rng, 1 + i * 100), after = INT64_C(1) << gos__rng_below(&rng, 40);
            int64_t end = add(when, after);
            latest = end < latest ? end : latest;
            first = when < first ? when : first;
        }
        CHECK_EQ(worker->timers.first, first);
        CHECK(gos__timers_wake_at(&worker->timers) >= first); /* before that there is nothing to do */
        CHECK(gos__timers_wake_at(&worker->timers) <= latest);
        clear();
    }
    free(worker);
    return 0;
}
