/* Public calls that park: what a task finds unchanged afterwards, on one worker and on two. */
// also: paged
#include <gossamer.h>

#include "tests/arch/registers.h"
#include "tests/test.h"

enum { TASKS = 40, ROUNDS = 200 };

static gos_chan *chan[TASKS];
static gos_waitgroup all;
static gos_mutex mutex;

static void fill(uint64_t regs[REGISTERS], uint64_t seed)
{
    for (int i = 0; i < REGISTERS; i++)
        regs[i] = seed * 0x9e3779b97f4a7c15u + (uint64_t)i;
}

static void compare(const uint64_t regs[REGISTERS], uint64_t seed)
{
    for (int i = 0; i < REGISTERS; i++)
        CHECK_EQ(regs[i], seed * 0x9e3779b97f4a7c15u + (uint64_t)i);
}

static int call(void *fn, void *a, void *b, uint64_t seed)
{
    uint64_t regs[REGISTERS];
    fill(regs, seed);
    int result = call_with_registers(a, b, fn, regs);
    compare(regs, seed);
    return result;
}

static void control_is(unsigned mode)
{
    CHECK_EQ(control_now(), control_of(mode, mode & 1));
    volatile double one = 1, three = 3;
    double up = one / three * three; /* rounding shows in results, too */
    CHECK(mode == UP ? up > 1 : up <= 1);
}

static void task(void *arg)
{
    int me = (int)(intptr_t)arg;
    unsigned mode = (unsigned)me % ROUNDINGS;
    set_control(control_of(mode, mode & 1));
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t seed = (uint64_t)me * ROUNDS + (uint64_t)round, got = 0;
        call((void *)gos_yield, NULL, NULL, seed);
        control_is(mode);
        if (me & 1)
            CHECK_EQ(call((void *)gos_chan_send, chan[me / 2], &seed, ~seed), 0);
        else
            CHECK_EQ(call((void *)gos_chan_recv, chan[me / 2], &got, ~seed), 0);
        CHECK(me & 1 || got == seed + ROUNDS);
        control_is(mode);
        call((void *)gos_mutex_lock, &mutex, NULL, seed + 1);
        call((void *)gos_mutex_unlock, &mutex, NULL, seed + 2);
        control_is(mode);
        if (round % 50 == 0)
            call((void *)gos_sleep, (void *)1000, NULL, seed + 3);
        CHECK(call((void *)gos_ntasks, NULL, NULL, seed + 4) > 0);
        control_is(mode);
    }
    gos_waitgroup_done(&all);
}

static void child(void *arg)
{
    unsigned mode = (unsigned)(uintptr_t)arg;
    control_is(mode);
    set_control(CONTROL_DEFAULT); /* is ours alone */
    gos_yield();
    CHECK_EQ(control_now(), CONTROL_DEFAULT);
    gos_waitgroup_done(&all);
}

/* A new task inherits the control words, as a thread does. */
static void inherit(void)
{
    for (unsigned mode = 0; mode < ROUNDINGS; mode++) {
        set_control(control_of(mode, mode & 1));
        gos_waitgroup_add(&all, 1);
        uint64_t seed = 77 + mode;
        CHECK_EQ(call((void *)gos_go, (void *)child, (void *)(uintptr_t)mode, seed), 0);
        control_is(mode);
        gos_waitgroup_wait(&all);
        control_is(mode);
    }
    set_control(CONTROL_DEFAULT);
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(control_now(), CONTROL_DEFAULT);
    inherit();
    for (int i = 0; i < TASKS / 2; i++)
        CHECK((chan[i] = gos_chan_new(sizeof(uint64_t), (size_t)i % 3)) != NULL);
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    CHECK_EQ(control_now(), CONTROL_DEFAULT);
    gos_waitgroup_wait(&all);
    for (int i = 0; i < TASKS / 2; i++)
        gos_chan_free(chan[i]);
    CHECK_EQ(control_now(), CONTROL_DEFAULT);
    set_control(control_of(DOWN, 0)); /* ends with the run */
    return 42;
}

int main(void)
{
    set_control(control_of(UP, 0));
    for (int workers = 1; workers <= 2; workers++) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 42);
        control_is(UP);
    }
    return 0;
}
