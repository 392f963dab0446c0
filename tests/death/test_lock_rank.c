/* Spin locks taken in another order than docs/INVARIANTS.md has end the program with a line, in builds that check. */
// build: plain
#include "tests/death/death.h"

#include "base/spin.h"

static struct {
    gos__spin lock;
} workers[2], chans[2];
static gos__spin threads_lock, retired_lock;

static void in_order(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        gos__spin_lock(&retired_lock);
        __typeof__(workers[0]) *worker = &workers[0], *victim = &workers[1];
        gos__spin_lock(&worker->lock);
        gos__spin_lock(&victim->lock); /* under retired_lock */
        gos__spin_lock(&threads_lock);
        gos__spin_unlock(&worker->lock);
        gos__spin_unlock(&threads_lock);
        gos__spin_unlock(&victim->lock);
        gos__spin_unlock(&retired_lock);
    }
}

static void workers_after_threads(void *unused)
{
    (void)unused;
    __typeof__(workers[0]) *worker = &workers[0];
    gos__spin_lock(&threads_lock);
    gos__spin_lock(&worker->lock);
}

static void two_workers(void *unused)
{
    (void)unused;
    __typeof__(workers[0]) *worker = &workers[0], *victim = &workers[1];
    gos__spin_lock(&worker->lock);
    gos__spin_lock(&victim->lock);
}

static void channels_downwards(void *unused)
{
    (void)unused;
    for (int i = 1; i >= 0; i--) {
        __typeof__(chans[0]) *chan = &chans[i];
        gos__spin_lock(&chan->lock);
    }
}

static void twice(void *unused)
{
    (void)unused;
    gos__spin_lock(&threads_lock);
    gos__spin_lock(&threads_lock);
}

static void try_in_any_order(void *unused)
{
    (void)unused;
    __typeof__(workers[0]) *worker = &workers[0];
    gos__spin_lock(&threads_lock);
    CHECK(gos__spin_trylock(&worker->lock));
}

int main(void)
{
    static const struct {
        const char *name;
        void (*fn)(void *);
        const char *said[2];
    } wrong[] = {
        { "workers", workers_after_threads, { "gossamer: lock order: &worker->lock is taken under &threads_lock: *" } },
        { "two", two_workers, { "gossamer: lock order: &victim->lock is taken under &worker->lock: *" } },
        { "channels", channels_downwards, { "gossamer: lock order: &chan->lock is taken under &chan->lock: *" } },
        { "twice", twice, { "gossamer: lock order: &threads_lock is taken twice" } },
    };
    const char *const nothing[] = { NULL };
    expect_death("in order", in_order, NULL, 0, 0, nothing);
    expect_death("tried", try_in_any_order, NULL, 0, 0, nothing);
    if (CHECKS < 2)
        SKIP("built without looks at the order of locks (CHECKS=2)");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_death(wrong[i].name, wrong[i].fn, NULL, SIGABRT, 0, wrong[i].said);
    return 0;
}
