/*
 * The contender of docs/ADDING-A-CONTENDER.md: a unit is a call. It cannot wait, so it has no gate, yield or channel.
 * And two that cheat, each in its own way, which the harness must notice.
 */
#include "baselines/contender.h"

#include <stdlib.h>

static uint64_t made;
static long missing;

static int run(int threads, void (*fn)(void *), void *arg)
{
    (void)threads;
    made = 1;
    fn(arg);
    return 0;
}

static int spawn(void (*fn)(void *), void *arg)
{
    made++;
    fn(arg);
    return 0;
}

static void *latch_new(long n)
{
    missing = n;
    return &missing;
}

static void latch_done(void *latch) { --*(long *)latch; }
static void latch_wait(void *latch) { if (*(long *)latch != 0) abort(); }
static void latch_free(void *latch) { (void)latch; }
static uint64_t count(void) { return made; }

static const contender dummy = {
    .name = "dummy", .label = "plain calls", .isolates = "nothing but the calls", .max_threads = 1,
    .lacks = "a call cannot wait", .run = run, .spawn = spawn, .latch_new = latch_new, .latch_done = latch_done,
    .latch_wait = latch_wait, .latch_free = latch_free, .made = count,
};

/* Every tenth unit is counted, and its end, but not run. */
static int spawn_nine_of_ten(void (*fn)(void *), void *arg)
{
    made++;
    if (made % 10 == 0) missing--;
    else fn(arg);
    return 0;
}

static const contender lazy = {
    .name = "dummy-lazy", .label = "lazy", .isolates = "cheating", .max_threads = 1, .lacks = "a call cannot wait",
    .run = run, .spawn = spawn_nine_of_ten, .latch_new = latch_new, .latch_done = latch_done,
    .latch_wait = latch_wait, .latch_free = latch_free, .made = count,
};

/* Units of concurrency that were never there. */
static int spawn_uncounted(void (*fn)(void *), void *arg)
{
    fn(arg);
    return 0;
}

static const contender inlined = {
    .name = "dummy-inlined", .label = "inlined", .isolates = "cheating", .max_threads = 1,
    .lacks = "a call cannot wait", .run = run, .spawn = spawn_uncounted, .latch_new = latch_new,
    .latch_done = latch_done, .latch_wait = latch_wait, .latch_free = latch_free, .made = count,
};

const contender *const contenders[] = { &dummy, &lazy, &inlined, NULL };
