/*
 * The rows of the runtime, as loops of the main task. Partners park between epochs, so that the other build has the CPU
 * to itself. No loop calls libc: the linker would move it to a deep region at each call.
 */
#define _GNU_SOURCE
#include "gate.h"

#include "benches/check_calls.h"
#include "gossamer.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The gate's own test: a build whose operations each have two instructions more, and differ in nothing else, must fail
 * the exact budgets. */
#ifdef GATE_MUTANT
#define EACH_OPERATION() __asm__ volatile("nop\n\tnop")
#else
#define EACH_OPERATION() __asm__ volatile("")
#endif

static gos_chan *made_chan(size_t capacity)
{
    gos_chan *chan = gos_chan_new(sizeof(uint64_t), capacity);
    if (chan == NULL) gate_fail("no memory for a channel");
    return chan;
}

static void start(void (*fn)(void *))
{
    if (gos_go(fn, NULL) != 0) gate_fail("cannot start a task");
}

/* ---- yield: two tasks switch to each other --------------------------------------------------------------------- */

static gos_chan *go_on, *there, *back;

static void yielding_partner(void *unused)
{
    (void)unused;
    uint64_t rounds;
    while (gos_chan_recv(go_on, &rounds) == 0) {
        for (uint64_t i = 0; i < rounds; i++) {
            EACH_OPERATION();
            gos_yield();
        }
        gos_chan_send(back, &rounds);
    }
}

static void prepare_yield(void)
{
    go_on = made_chan(1);
    back = made_chan(1);
    start(yielding_partner);
}

static uint64_t run_yield(uint64_t ops)
{
    uint64_t rounds = (ops + 1) / 2, done;
    gos_chan_send(go_on, &rounds);
    for (uint64_t i = 0; i < rounds; i++) {
        EACH_OPERATION();
        gos_yield();
    }
    gos_chan_recv(back, &done);
    return rounds + done;
}

/* ---- handover: a word there and back through channels without room ---------------------------------------------- */

static void answering_partner(void *unused)
{
    (void)unused;
    uint64_t word;
    while (gos_chan_recv(there, &word) == 0) {
        EACH_OPERATION();
        word++;
        gos_chan_send(back, &word);
    }
}

static void prepare_handover(void)
{
    there = made_chan(0);
    back = made_chan(0);
    start(answering_partner);
}

static uint64_t run_handover(uint64_t ops)
{
    uint64_t word = 0;
    for (uint64_t i = 0; i < (ops + 1) / 2; i++) {
        EACH_OPERATION();
        gos_chan_send(there, &word);
        gos_chan_recv(back, &word);
    }
    return 2 * word;
}

/* ---- chan, select: one task sends into a channel with room and takes the word out again ------------------------- */

static void prepare_chan(void)
{
    there = made_chan(64);
    back = made_chan(64);
}

static uint64_t run_chan(uint64_t ops)
{
    uint64_t word = 0;
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        word++;
        gos_chan_send(there, &word);
        gos_chan_recv(there, &word);
    }
    return word;
}

static uint64_t run_select(uint64_t ops)
{
    uint64_t word = 0, other;
    gos_case cases[2] = { { there, GOS_RECV, &word, 0 }, { back, GOS_RECV, &other, 0 } };
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        word++;
        gos_chan_send(there, &word);
        gos_select(cases, 2, -1);
    }
    return word;
}

/* ---- spawn, deep: start, run and end ----------------------------------------------------------------------------- */

static gos_waitgroup all_ended;
static uint64_t ran;

static void counting_task(void *unused)
{
    (void)unused;
    ran++;
    gos_waitgroup_done(&all_ended);
}

static void deep_task(void *unused)
{
    (void)unused;
    ran += crossing_checked(1);
    gos_waitgroup_done(&all_ended);
}

static uint64_t run_tasks(void (*task)(void *), uint64_t ops)
{
    ran = 0;
    gos_waitgroup_add(&all_ended, (long)ops);
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        start(task);
    }
    gos_waitgroup_wait(&all_ended);
    return ran;
}

static uint64_t run_spawn(uint64_t ops) { return run_tasks(counting_task, ops); }

static uint64_t run_deep(uint64_t ops) { return run_tasks(deep_task, ops); }

/* ---- mutex, timer, calls, crossing ------------------------------------------------------------------------------- */

static uint64_t run_mutex(uint64_t ops)
{
    static gos_mutex mutex;
    uint64_t done = 0;
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        gos_mutex_lock(&mutex);
        done++;
        gos_mutex_unlock(&mutex);
    }
    return done;
}

static void never(void *unused)
{
    (void)unused;
    gate_fail("a timer of an hour has fired");
}

static uint64_t run_timer(uint64_t ops)
{
    uint64_t done = 0;
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        gos_timer *timer = gos_timer_new(INT64_C(3600000000000), never, NULL);
        done += gos_timer_stop(timer) == 0;
        gos_timer_free(timer);
    }
    return done;
}

/* The loop of the case `check`: a tree of calls with small frames. */
static uint64_t run_call(uint64_t ops)
{
    static uint64_t calls_of_a_round;
    if (calls_of_a_round == 0) calls_of_a_round = check_calls_checked.shallow(1);
    return check_calls_checked.shallow(ops / calls_of_a_round + 1);
}

static uint64_t run_crossing(uint64_t ops) { return crossing_checked(ops); }

/* ---- pipe: the runtime's read and write, one byte through a pipe ------------------------------------------------- */

static int ends[2];

static void prepare_pipe(void)
{
    if (pipe(ends) != 0) gate_fail("no pipe");
}

static uint64_t run_pipe(uint64_t ops)
{
    uint64_t done = 0;
    char byte = 0;
    for (uint64_t i = 0; i < ops; i++) {
        EACH_OPERATION();
        if (write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1) done++;
    }
    return done;
}

/* ---- steal, handoff: these need several threads ------------------------------------------------------------------ */

static void working_task(void *unused)
{
    (void)unused;
    burn(500);
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    gos_yield();
    gos_waitgroup_done(&all_ended);
}

static uint64_t run_steal(uint64_t ops)
{
    __atomic_store_n(&ran, 0, __ATOMIC_RELAXED);
    gos_waitgroup_add(&all_ended, (long)ops);
    for (uint64_t i = 0; i < ops; i++) start(working_task);
    gos_waitgroup_wait(&all_ended);
    return __atomic_load_n(&ran, __ATOMIC_RELAXED);
}

static void writing_partner(void *unused)
{
    (void)unused;
    uint64_t word;
    while (gos_chan_recv(there, &word) == 0)
        if (syscall(SYS_write, ends[1], "", 1) != 1) gate_fail("cannot write to a pipe");
}

static void prepare_handoff(void)
{
    prepare_pipe();
    there = made_chan(1);
    start(writing_partner);
}

/* The main task blocks its thread; only on another thread can the partner end that. */
static uint64_t run_handoff(uint64_t ops)
{
    uint64_t done = 0;
    char byte;
    for (uint64_t i = 0; i < ops; i++) {
        gos_chan_send(there, &i);
        done += syscall(SYS_read, ends[0], &byte, 1) == 1;
    }
    return done;
}

const gate_row task_rows[] = {
    { "yield", "single", "one way of two tasks that yield to each other", prepare_yield, run_yield },
    { "handover", "single", "a word to another task through a channel without room", prepare_handover, run_handover },
    { "chan", "single", "send and receive on a channel with room", prepare_chan, run_chan },
    { "select", "single", "send, then select among two channels", prepare_chan, run_select },
    { "spawn", "single", "start, run and end a task", NULL, run_spawn },
    { "deep", "single", "the same with a call that goes from the nursery to a deep region and back", NULL, run_deep },
    { "mutex", "single", "lock and unlock a free mutex", NULL, run_mutex },
    { "timer", "single", "make, stop and free a timer", NULL, run_timer },
    { "call", "single", "a call with a stack check", NULL, run_call },
    { "crossing", "noisy", "a call from a nursery to a deep region and back", NULL, run_crossing },
    { "pipe", "single", "write and read a byte through a pipe", prepare_pipe, run_pipe },
    { "steal", "multi", "start, run for a microsecond and end a task, on two workers", NULL, run_steal },
    { "handoff", "multi", "from a call that blocks the thread until another task runs, and back", prepare_handoff,
      run_handoff },
    { NULL, NULL, NULL, NULL, NULL },
};
