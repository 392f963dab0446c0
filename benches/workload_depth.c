/* Units that use their stacks: see workload_depth.h. As in workload.c they call no libc but in stamp() and hold(). */
#include "workload_depth.h"

#include <stdlib.h>
#include <time.h>

enum { FRAME = 48 };   /* with return address and frame pointer 64 bytes a call */

/* Keeps a value in a register across the call before it, so that no loop replaces the recursion. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))
#define TOUCH(array) __asm__ volatile("" : : "r"(array) : "memory")

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

static void count(uint64_t *counter, uint64_t n) { __atomic_fetch_add(counter, n, __ATOMIC_RELAXED); }

/* Calls itself `calls` times, then bottom(arg) unless that is NULL. Returns the calls it made. Each call writes its
 * return address and frame pointer, 64 bytes apart at most, so every page and nearly every line is touched. */
static __attribute__((noinline, noclone)) uint64_t down(uint64_t calls, void (*bottom)(void *), void *arg)
{
    char frame[FRAME];
    TOUCH(frame);
    if (calls == 0) {
        if (bottom != NULL) bottom(arg);
        return 0;
    }
    uint64_t below = down(calls - 1, bottom, arg);
    KEEP(below);
    return below + 1;
}

static void here(void *where) { *(uintptr_t *)where = (uintptr_t)__builtin_frame_address(0); }

uint64_t depth_frame(void)
{
    uintptr_t low = 0, high = 0;
    down(1, here, &high);
    down(2, here, &low);
    return high - low;
}

static void release(const contender *who, void *latch, uint64_t missing)
{
    for (uint64_t i = 0; i < missing; i++) who->latch_done(latch);
    who->latch_wait(latch);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static depth_work *depth;

static void park(void *unused)
{
    (void)unused;
    depth->who->latch_done(depth->arrived);
    depth->who->gate_wait(depth->gate);
}

static void deep_unit(void *unused)
{
    depth_work *w = depth;
    count(&w->ran, 1);
    if (w->calls > 0) count(&w->reached, down(w->calls, w->after ? NULL : park, unused));
    if (w->calls == 0 || w->after) park(unused);
    w->who->latch_done(w->finished);
}

void depth_main(void *arg)
{
    depth_work *w = depth = arg;
    w->gate = w->who->gate_new();
    w->arrived = w->who->latch_new((long)w->asked);
    w->finished = w->who->latch_new((long)w->asked);
    w->no_memory = w->gate == NULL || w->arrived == NULL || w->finished == NULL;
    if (w->no_memory) return;
    while (w->spawned < w->asked && !w->stopped) {
        int error = observer_says_stop() ? 0 : w->who->spawn(deep_unit, NULL);
        w->stopped = error != 0 || observer_says_stop();
        if (w->stopped) observer_ask(OBSERVER_LIMITS, -error);
        if (error == 0) w->spawned++;
    }
    release(w->who, w->arrived, w->asked - w->spawned);
    observer_ask(OBSERVER_STOP, 0);
    w->who->gate_open(w->gate);
    release(w->who, w->finished, w->asked - w->spawned);
    w->who->latch_free(w->finished);
    w->who->latch_free(w->arrived);
    w->who->gate_free(w->gate);
}

/* ---- cost -------------------------------------------------------------------------------------------------------- */

static void descending_unit(void *arg)
{
    descent *d = arg;
    d->who->yield();   /* the first unit goes to its latch: nobody waits for the processor */
    int64_t begin = stamp();
    d->made += down(d->calls, NULL, NULL);
    d->first_ns = stamp() - begin;
    for (int i = 0; i < d->samples; i++) {
        begin = stamp();
        for (uint64_t k = 0; k < d->times; k++) d->made += down(d->calls, NULL, NULL);
        d->warm_ns[i] = stamp() - begin;
    }
    d->who->latch_done(d->finished);
}

void descent_main(void *arg)
{
    descent *d = arg;
    d->finished = d->who->latch_new(1);
    d->error = d->finished == NULL ? -1 : d->who->spawn(descending_unit, d);
    if (d->error != 0) return;
    d->spawned = 1;
    d->who->latch_wait(d->finished);
    d->who->latch_free(d->finished);
}

/* ---- burst ------------------------------------------------------------------------------------------------------- */

static burst_work *burst;

static __attribute__((noinline)) void hold(int ms)
{
    const struct timespec pause = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&pause, NULL);
}

/* At the bottom of a round: wait until the whole wave is there. */
typedef struct place { int round; uint64_t wave; } place;

static void at_bottom(void *arg)
{
    const place *p = arg;
    burst->who->latch_done(burst->deep[p->round][p->wave]);
    burst->who->gate_wait(burst->rise[p->round][p->wave]);
}

static void down_and_up(int round, uint64_t wave)
{
    place p = { round, wave };
    count(&burst->reached, down(burst->deep_calls, at_bottom, &p));
}

/* From kept_calls deep: as deep as before, back here, and parked here. */
static void again_and_park(void *arg)
{
    const place *p = arg;
    down_and_up(p->round, p->wave);
    burst->who->latch_done(burst->risen[p->round][p->wave]);
    burst->who->gate_wait(burst->gate);
}

static void burst_unit(void *arg)
{
    burst_work *w = burst;
    uint64_t i = (uintptr_t)arg;
    place p = { 1, i / w->wave };
    count(&w->ran, 1);
    w->who->latch_done(w->arrived);
    w->who->gate_wait(w->start[0][p.wave]);
    down_and_up(0, p.wave);
    w->who->latch_done(w->risen[0][p.wave]);
    w->who->gate_wait(w->start[1][p.wave]);
    if (i % 2 == 0) {
        count(&w->reached, down(w->kept_calls, again_and_park, &p));
    } else {
        w->who->latch_done(w->deep[1][p.wave]);
        w->who->latch_done(w->risen[1][p.wave]);
        w->who->gate_wait(w->gate);
    }
    w->who->latch_done(w->finished);
}

static void enter(burst_work *w, enum burst_phase phase)
{
    __atomic_store_n(&w->phase, phase, __ATOMIC_RELEASE);
    if (w->hold_ms[phase] > 0) hold(w->hold_ms[phase]);
}

static void *grid(uint64_t waves) { return calloc(waves, sizeof(void *)); }

static bool make_waves(burst_work *w, uint64_t waves)
{
    for (int round = 0; round < 2; round++) {
        w->start[round] = grid(waves);
        w->rise[round] = grid(waves);
        w->deep[round] = grid(waves);
        w->risen[round] = grid(waves);
        for (uint64_t i = 0; i < waves; i++) {
            uint64_t left = w->asked - i * w->wave;
            long units = (long)(left < w->wave ? left : w->wave);
            w->start[round][i] = w->who->gate_new();
            w->rise[round][i] = w->who->gate_new();
            w->deep[round][i] = w->who->latch_new(units);
            w->risen[round][i] = w->who->latch_new(units);
            if (w->start[round][i] == NULL || w->rise[round][i] == NULL || w->deep[round][i] == NULL ||
                w->risen[round][i] == NULL)
                return false;
        }
    }
    return true;
}

static void run_waves(burst_work *w, int round, uint64_t waves)
{
    for (uint64_t i = 0; i < waves; i++) {
        w->who->gate_open(w->start[round][i]);
        w->who->latch_wait(w->deep[round][i]);
        w->who->gate_open(w->rise[round][i]);
        w->who->latch_wait(w->risen[round][i]);
    }
}

/* A process measures one burst: what it made is not freed one by one. */
void burst_main(void *arg)
{
    burst_work *w = burst = arg;
    uint64_t waves = (w->asked + w->wave - 1) / w->wave;
    w->gate = w->who->gate_new();
    w->arrived = w->who->latch_new((long)w->asked);
    w->finished = w->who->latch_new((long)w->asked);
    w->no_memory = w->gate == NULL || w->arrived == NULL || w->finished == NULL || !make_waves(w, waves);
    if (w->no_memory) return;
    enter(w, BURST_SPAWN);
    while (w->spawned < w->asked) {
        w->error = w->who->spawn(burst_unit, (void *)(uintptr_t)w->spawned);
        if (w->error != 0) return;   /* the harness ends the process: units wait that nobody will wake */
        w->spawned++;
    }
    w->who->latch_wait(w->arrived);
    enter(w, BURST_SHALLOW);
    enter(w, BURST_RECURSION);
    run_waves(w, 0, waves);
    enter(w, BURST_AFTER);
    enter(w, BURST_SECOND);
    run_waves(w, 1, waves);
    enter(w, BURST_DEEP);
    enter(w, BURST_OVER);
    w->who->gate_open(w->gate);
    w->who->latch_wait(w->finished);
}
