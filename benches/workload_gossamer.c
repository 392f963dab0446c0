/*
 * gossamer as a contender, three times: on its nursery stacks; on these, packed away when cold; and with a fixed stack
 * for every task on the same scheduler, so that the stack is the only thing that differs. Task code, because units call
 * it on their own stacks.
 */
#include "baselines/contender.h"
#include "gossamer.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t made_before;   /* by the runs that are over */

typedef struct first {
    void (*fn)(void *);
    void *arg;
} first;

/* The runtime's own count, kept where tasks begin: nothing is added to a spawn for it. */
static uint64_t gossamer_made(void)
{
    gos_stats stats;
    return gos_stats_read(&stats) == 0 ? (uint64_t)stats.tasks_started : made_before;
}

static int main_task(void *arg)
{
    first *f = arg;
    f->fn(f->arg);
    while (gos_ntasks() > 1) gos_yield();   /* done with a latch is not yet ended */
    made_before = gossamer_made();
    return 0;
}

static int gossamer_run(int threads, void (*fn)(void *), void *arg)
{
    first f = { fn, arg };
    gos_procs(threads);
    return gos_run(main_task, &f);
}

/* The environment is read when a runtime first starts, and a process measures one contender. */
static void debug_with(const char *word)
{
    static char value[256];
    const char *debug = getenv("GOS_DEBUG");
    if (value[0] != '\0') return;
    snprintf(value, sizeof value, "%s%s%s", debug != NULL ? debug : "", debug != NULL ? "," : "", word);
    setenv("GOS_DEBUG", value, 1);
}

static int gossamer_fixed_run(int threads, void (*fn)(void *), void *arg)
{
    debug_with("paged");
    return gossamer_run(threads, fn, arg);
}

static int gossamer_cold_run(int threads, void (*fn)(void *), void *arg)
{
    debug_with("cold=500");
    return gossamer_run(threads, fn, arg);
}

/* Nothing more is packed for three looks in a row. */
static const char *cold_settle(void)
{
    gos_stats before = { 0 }, now;
    for (int still = 0; still < 30; still++) {
        gos_sleep(50000000);
        gos_stats_read(&now);
        if (now.cold_packed != before.cold_packed) still = 0;
        before = now;
    }
    return now.cold_packed > 0 ? NULL : "nothing was packed: too few tasks, or no userfaultfd (docs/DEBUGGING.md)";
}

/* The bound that GOS_MAXSTACK sets, which is read when the runtime first starts. */
static void stack_room(size_t bytes)
{
    char value[32];
    size_t bound = bytes + bytes / 8 + ((size_t)1 << 20);
    snprintf(value, sizeof value, "%zu", bound > (size_t)64 << 20 ? bound : (size_t)64 << 20);
    setenv("GOS_MAXSTACK", value, 1);
}

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
static void latch_free(void *latch) { free(latch); }
static void latch_init(void *latch, long n)
{
    *(gos_waitgroup *)latch = (gos_waitgroup)GOS_WAITGROUP_INIT;
    gos_waitgroup_add(latch, n);
}
_Static_assert(sizeof(gos_waitgroup) <= LATCH_BYTES, "a waitgroup must fit the harness' place for a latch");

static void recv_either(void *one, void *other, void *word)
{
    gos_case cases[] = { { .chan = one, .op = GOS_RECV, .elem = word },
                         { .chan = other, .op = GOS_RECV, .elem = word } };
    gos_select(cases, 2, -1);
}

static void *mutex_new(void) { return calloc(1, sizeof(gos_mutex)); }
static void mutex_free(void *mutex) { free(mutex); }

static void post(void *chan, const void *word) { gos_chan_try_send(chan, word); }
static void *chan_new(size_t capacity) { return gos_chan_new(sizeof(uint64_t), capacity); }

/* What is timed is the runtime's own call, without a wrapper (contender.h): results in rax that nobody reads. */
#define CALL(kind, fn) ((kind)(void (*)(void))(fn))
typedef void (*of_object)(void *);
typedef void (*send_fn)(void *, const void *);
typedef void (*recv_fn)(void *, void *);
typedef void *(*timer_fn)(int64_t, void (*)(void *), void *);

#define OPERATIONS                                                                                                    \
    .spawn = gos_go, .yield = gos_yield,                                                                              \
    .gate_new = gate_new, .gate_wait = gate_wait, .gate_open = gate_open, .gate_free = gate_free,                     \
    .latch_new = latch_new, .latch_done = CALL(of_object, gos_waitgroup_done),                                         \
    .latch_wait = CALL(of_object, gos_waitgroup_wait), .latch_free = latch_free,                                      \
    .chan_new = chan_new, .chan_send = CALL(send_fn, gos_chan_send),                                                  \
    .chan_recv = CALL(recv_fn, gos_chan_recv), .chan_free = CALL(of_object, gos_chan_free),                          \
    .chan_recv_either = recv_either, .mutex_new = mutex_new, .mutex_lock = CALL(of_object, gos_mutex_lock),           \
    .mutex_unlock = CALL(of_object, gos_mutex_unlock), .mutex_free = mutex_free,                                      \
    .latch_init = latch_init, .post = post, .sleep = gos_sleep,                                                        \
    .timer_new = CALL(timer_fn, gos_timer_new), .timer_free = CALL(of_object, gos_timer_free),                        \
    .block_begin = gos_block_begin,                                                                                   \
    .block_end = gos_block_end, .pin = gos_pin, .made = gossamer_made

/* benches/contenders.c lists them. */
extern const contender contender_gossamer, contender_gossamer_cold, contender_gossamer_fixed;

const contender contender_gossamer = {
    .name = "gossamer",
    .label = "gossamer",
    .isolates = "the project itself: M:N tasks on nursery stacks that borrow a deep region when they need one",
    .run = gossamer_run,
    .stack_room = stack_room,
    OPERATIONS,
};

const contender contender_gossamer_cold = {
    .name = "gossamer-cold",
    .label = "gossamer, cold tasks packed",
    .isolates = "packing: gossamer whose tasks have been parked for half a second when they are measured",
    .run = gossamer_cold_run,
    .stack_room = stack_room,
    .settle = cold_settle,
    OPERATIONS,
};

const contender contender_gossamer_fixed = {
    .name = "gossamer-fixed",
    .label = "gossamer, fixed stacks",
    .isolates = "the stack: gossamer's scheduler with a 128 KiB demand-paged stack for every task",
    .run = gossamer_fixed_run,
    .stack_room = stack_room,
    OPERATIONS,
};
