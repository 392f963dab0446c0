/*
 * gossamer as a contender, twice: on its nursery stacks, and with a fixed stack for every task on the same scheduler,
 * so that the stack is the only thing that differs. Task code, because units call it on their own stacks.
 */
#include "baselines/contender.h"
#include "gossamer.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t made_count;

typedef struct first {
    void (*fn)(void *);
    void *arg;
} first;

static int main_task(void *arg)
{
    first *f = arg;
    f->fn(f->arg);
    while (gos_ntasks() > 1) gos_yield();   /* done with a latch is not yet ended */
    return 0;
}

static int gossamer_run(int threads, void (*fn)(void *), void *arg)
{
    first f = { fn, arg };
    __atomic_store_n(&made_count, 1, __ATOMIC_RELAXED);
    gos_procs(threads);
    return gos_run(main_task, &f);
}

/* The environment is read when a runtime first starts, and a process measures one contender. */
static int gossamer_fixed_run(int threads, void (*fn)(void *), void *arg)
{
    static char value[256];
    const char *debug = getenv("GOS_DEBUG");
    if (value[0] == '\0') {
        snprintf(value, sizeof value, "%s%spaged", debug != NULL ? debug : "", debug != NULL ? "," : "");
        setenv("GOS_DEBUG", value, 1);
    }
    return gossamer_run(threads, fn, arg);
}

static int gossamer_spawn(void (*fn)(void *), void *arg)
{
    int error = gos_go(fn, arg);
    if (error == 0) __atomic_fetch_add(&made_count, 1, __ATOMIC_RELAXED);
    return error;
}

static uint64_t gossamer_made(void) { return __atomic_load_n(&made_count, __ATOMIC_RELAXED); }

/* A gate is a channel that nothing is sent on: closing it wakes all who wait. */
static void *gate_new(void) { return gos_chan_new(0, 0); }
static void gate_wait(void *gate) { gos_chan_recv(gate, NULL); }
static void gate_open(void *gate) { gos_chan_close(gate); }
static void gate_free(void *gate) { gos_chan_free(gate); }

static void *latch_new(long n)
{
    gos_waitgroup *group = calloc(1, sizeof *group);
    if (group != NULL) gos_waitgroup_add(group, n);
    return group;
}
static void latch_done(void *latch) { gos_waitgroup_done(latch); }
static void latch_wait(void *latch) { gos_waitgroup_wait(latch); }
static void latch_free(void *latch) { free(latch); }

static void *chan_new(size_t capacity) { return gos_chan_new(sizeof(uint64_t), capacity); }
static void chan_send(void *chan, uint64_t word) { gos_chan_send(chan, &word); }
static uint64_t chan_recv(void *chan)
{
    uint64_t word = 0;
    gos_chan_recv(chan, &word);
    return word;
}
static void chan_free(void *chan) { gos_chan_free(chan); }

#define OPERATIONS                                                                                                     \
    .spawn = gossamer_spawn, .yield = gos_yield,                                                                       \
    .gate_new = gate_new, .gate_wait = gate_wait, .gate_open = gate_open, .gate_free = gate_free,                      \
    .latch_new = latch_new, .latch_done = latch_done, .latch_wait = latch_wait, .latch_free = latch_free,              \
    .chan_new = chan_new, .chan_send = chan_send, .chan_recv = chan_recv, .chan_free = chan_free,                      \
    .made = gossamer_made

extern const contender contender_gossamer, contender_gossamer_fixed;   /* benches/contenders.c lists them */

const contender contender_gossamer = {
    .name = "gossamer",
    .label = "gossamer",
    .isolates = "the project itself: M:N tasks on nursery stacks that borrow a deep region when they need one",
    .run = gossamer_run,
    OPERATIONS,
};

const contender contender_gossamer_fixed = {
    .name = "gossamer-fixed",
    .label = "gossamer, fixed stacks",
    .isolates = "the stack: gossamer's scheduler with a 64 KiB demand-paged stack for every task",
    .run = gossamer_fixed_run,
    OPERATIONS,
};
