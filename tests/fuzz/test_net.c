/*
 * Random networks whose outcome does not depend on the order of events, against a model that computes it: each channel
 * has one task that sends into it and closes it and one that receives from it, so that what each task does next depends
 * on what it has received alone (Kahn, "The semantics of a simple language for parallel programming", 1974). The model
 * goes through the tasks one after the other until none can move. Then each task of the run must have come exactly as
 * far, with the same words received; those that the model says are stuck are stuck, and a run in which all are is
 * reported as a deadlock.
 */
// timeout: 180
// not-with: emulator (qemu 7 ends in a child process that starts threads)
#include <errno.h>
#include <gossamer.h>

#include "base/config.h"
#include "tests/fuzz/fuzz.h"

enum { TASKS = 6, CHANNELS = 8, STEPS = 40, MOST_CAP = 4, PAUSE_NS = 1000000, DEADLOCKS = 10 };
static const int64_t hour = 3600000000000;
enum kind { SEND, RECV, CLOSE, DONE, WAIT, YIELD, KINDS };

typedef struct step {
    uint8_t kind, chan, how;
} step;

typedef struct node {
    step steps[STEPS];
    unsigned steps_n;
} node;

static struct net {
    node nodes[TASKS];
    unsigned nodes_n, chans_n, dones;
    unsigned cap[CHANNELS], sender[CHANNELS], receiver[CHANNELS];
} net;

/* Where a task is, in the model and in the run. */
typedef struct place {
    unsigned at;
    uint64_t hash;
} place;

static place model[TASKS], run[TASKS];
static gos_chan *chans[CHANNELS];
static gos_waitgroup group;
static int without_deadlines; /* one that is to come is a reason not to report a deadlock */

static uint64_t mixed(uint64_t hash, uint64_t with)
{
    hash = (hash ^ with) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* ---- programs ---- */

static void draw_channels(fuzz_bytes *in)
{
    net.nodes_n = 2 + fuzz_below(in, TASKS - 1);
    net.chans_n = 1 + fuzz_below(in, CHANNELS);
    for (unsigned i = 0; i < net.chans_n; i++) {
        unsigned draw = fuzz_byte(in);
        net.sender[i] = draw % net.nodes_n;
        net.receiver[i] = (net.sender[i] + 1 + draw / 8 % (net.nodes_n - 1)) % net.nodes_n;
        net.cap[i] = fuzz_below(in, MOST_CAP) * (draw / 64 % 2);
    }
}

/* The n-th of the channels of which `self` is the end that `of` lists, or -1. */
static int channel_of(const unsigned *of, unsigned self, unsigned n)
{
    unsigned own[CHANNELS], own_n = 0;
    for (unsigned i = 0; i < net.chans_n; i++)
        if (of[i] == self)
            own[own_n++] = i;
    return own_n ? (int)own[n % own_n] : -1;
}

static void draw_step(unsigned self, unsigned draw, unsigned which)
{
    static const uint8_t kinds[] = { SEND, SEND, SEND, SEND, RECV, RECV, RECV, RECV, RECV, RECV, CLOSE, DONE, WAIT,
                                     SEND, YIELD, YIELD };
    node *it = &net.nodes[self];
    step drawn = { .kind = kinds[draw % 16], .how = (uint8_t)(draw / 16) };
    int chan = drawn.kind == RECV ? channel_of(net.receiver, self, which) : channel_of(net.sender, self, which);
    if (drawn.kind <= CLOSE && chan < 0)
        drawn.kind = YIELD;
    drawn.chan = (uint8_t)(chan < 0 ? 0 : chan);
    net.dones += drawn.kind == DONE;
    if (it->steps_n < STEPS)
        it->steps[it->steps_n++] = drawn;
    else
        net.dones -= drawn.kind == DONE;
}

/* ---- the model ---- */

static struct {
    uint64_t ring[CHANNELS][MOST_CAP];
    unsigned len[CHANNELS], closed[CHANNELS], dones;
} state;

static const step *next_of(unsigned self)
{
    return model[self].at < net.nodes[self].steps_n ? &net.nodes[self].steps[model[self].at] : NULL;
}

static uint64_t word_of(const place *it, unsigned self)
{
    return mixed(it->hash, self * 1000 + it->at);
}

static void model_goes_on(unsigned self, uint64_t with)
{
    model[self].hash = mixed(model[self].hash, with);
    model[self].at++;
}

static int model_sends(unsigned self, unsigned c)
{
    unsigned other = net.receiver[c];
    const step *its = next_of(other);
    if (state.closed[c]) {
        model_goes_on(self, (uint64_t)-EPIPE);
    } else if (state.len[c] < net.cap[c]) {
        state.ring[c][state.len[c]++] = word_of(&model[self], self);
        model_goes_on(self, 0);
    } else if (!net.cap[c] && its && its->kind == RECV && its->chan == c) {
        model_goes_on(other, word_of(&model[self], self));
        model_goes_on(self, 0);
    } else {
        return 0;
    }
    return 1;
}

static int model_receives(unsigned self, unsigned c)
{
    if (state.len[c]) {
        model_goes_on(self, state.ring[c][0]);
        state.len[c]--;
        memmove(state.ring[c], state.ring[c] + 1, sizeof state.ring[c] - sizeof state.ring[c][0]);
        return 1;
    }
    if (state.closed[c])
        model_goes_on(self, (uint64_t)-EPIPE);
    return state.closed[c] != 0; /* a sender that waits meets it itself */
}

static int model_moves(unsigned self)
{
    const step *it = next_of(self);
    if (!it)
        return 0;
    switch (it->kind) {
    case SEND:
        return model_sends(self, it->chan);
    case RECV:
        return model_receives(self, it->chan);
    case CLOSE:
        model_goes_on(self, state.closed[it->chan] ? (uint64_t)-EPIPE : 0);
        state.closed[it->chan] = 1;
        return 1;
    case WAIT:
        if (state.dones < net.dones)
            return 0;
        break;
    case DONE:
        state.dones++;
    }
    model_goes_on(self, 0);
    return 1;
}

/* The number of steps that are taken in all. */
static unsigned long compute(void)
{
    unsigned long steps = 0;
    for (int moved = 1; moved;) {
        moved = 0;
        for (unsigned i = 0; i < net.nodes_n; i++)
            while (model_moves(i))
                moved = 1;
    }
    for (unsigned i = 0; i < net.nodes_n; i++)
        steps += model[i].at;
    return steps;
}

/* ---- the run: the same step, in one of several ways ---- */

static int sends(gos_chan *chan, uint64_t *word, unsigned how)
{
    gos_case cases[] = { { .chan = NULL, .op = GOS_RECV }, { .chan = chan, .op = GOS_SEND, .elem = word } };
    switch (how % 4 + (how % 4 == 0 && without_deadlines)) {
    case 0:
        return gos_chan_send_until(chan, word, gos_now() + hour);
    case 1:
        fuzz_require(gos_select(cases, 2, -1) == 1);
        return cases[1].result;
    default:
        return gos_chan_send(chan, word);
    }
}

static int receives(gos_chan *chan, uint64_t *word, unsigned how)
{
    gos_case cases[] = { { .chan = chan, .op = GOS_RECV, .elem = word }, { .chan = NULL, .op = GOS_SEND } };
    switch (how % 4 + (how % 4 == 0 && without_deadlines)) {
    case 0:
        return gos_chan_recv_until(chan, word, gos_now() + hour);
    case 1:
        fuzz_require(gos_select(cases, 2, how / 4 % 2 && !without_deadlines ? hour : -1) == 0);
        return cases[0].result;
    default:
        return gos_chan_recv(chan, word);
    }
}

static uint64_t takes_step(const step *it, const place *here, unsigned self)
{
    uint64_t word = it->kind == SEND ? word_of(here, self) : 0;
    int result = 0;
    switch (it->kind) {
    case SEND:
        return (uint64_t)sends(chans[it->chan], &word, it->how);
    case RECV:
        result = receives(chans[it->chan], &word, it->how);
        return result ? (uint64_t)result : word;
    case CLOSE:
        return (uint64_t)gos_chan_close(chans[it->chan]);
    case DONE:
        gos_waitgroup_done(&group);
        return 0;
    case WAIT:
        gos_waitgroup_wait(&group);
        return 0;
    default:
        gos_yield();
        return 0;
    }
}

static void goes(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    place here = { 0, 0 };
    while (here.at < net.nodes[self].steps_n) {
        here.hash = mixed(here.hash, takes_step(&net.nodes[self].steps[here.at], &here, self));
        here.at++;
        __atomic_store_n(&run[self].hash, here.hash, __ATOMIC_RELAXED);
        __atomic_store_n(&run[self].at, here.at, __ATOMIC_RELEASE);
    }
}

static unsigned long steps_taken(void)
{
    unsigned long steps = 0;
    for (unsigned i = 0; i < net.nodes_n; i++)
        steps += __atomic_load_n(&run[i].at, __ATOMIC_ACQUIRE);
    return steps;
}

static int all(void *arg)
{
    unsigned long expected = *(unsigned long *)arg;
    gos_waitgroup_add(&group, net.dones);
    for (uintptr_t i = 0; i < net.nodes_n; i++)
        fuzz_require(gos_go(goes, (void *)i) == 0);
    while (steps_taken() < expected) /* for ever: somebody was not woken */
        gos_sleep(PAUSE_NS / 50);
    gos_sleep(PAUSE_NS / 10); /* time for whoever should be stuck and is not */
    for (unsigned i = 0; i < net.nodes_n; i++) {
        fuzz_require(__atomic_load_n(&run[i].at, __ATOMIC_ACQUIRE) == model[i].at);
        fuzz_require(__atomic_load_n(&run[i].hash, __ATOMIC_RELAXED) == model[i].hash);
    }
    return 3;
}

static void play_net(int seeded, uint64_t seed, int procs, unsigned long expected)
{
    memset(run, 0, sizeof run);
    group = (gos_waitgroup)GOS_WAITGROUP_INIT;
    for (unsigned i = 0; i < net.chans_n; i++)
        fuzz_require((chans[i] = gos_chan_new(sizeof(uint64_t), net.cap[i])) != NULL);
    fuzz_seed(seeded, seed);
    gos_procs(procs);
    fuzz_require(gos_run(all, &expected) == 3);
    for (unsigned i = 0; i < net.chans_n; i++)
        gos_chan_free(chans[i]);
}

static unsigned draw_net(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, data + size };
    unsigned how = fuzz_byte(&in);
    memset(&net, 0, sizeof net);
    memset(&state, 0, sizeof state);
    memset(model, 0, sizeof model);
    draw_channels(&in);
    while (in.at < in.end) {
        unsigned draw = fuzz_byte(&in), where = fuzz_byte(&in);
        draw_step(where % net.nodes_n, draw, where / 8);
    }
    return how;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned how = draw_net(data, size);
    unsigned long expected = compute();
    play_net(1, how, 1, expected);
    play_net(0, 0, 1 + (int)(how % 3), expected);
    return 0;
}

#ifndef FUZZ_LIBFUZZER

/* ---- deadlocks: a process each ---- */

#include "tests/death/death.h"

static gos_waitgroup never;

static int nobody_goes_on(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&group, net.dones);
    gos_waitgroup_add(&never, 1);
    for (uintptr_t i = 0; i < net.nodes_n; i++)
        fuzz_require(gos_go(goes, (void *)i) == 0);
    gos_waitgroup_wait(&never);
    return 0;
}

static void sticks(void *unused)
{
    (void)unused;
    without_deadlines = 1;
    for (unsigned i = 0; i < net.chans_n; i++)
        fuzz_require((chans[i] = gos_chan_new(sizeof(uint64_t), net.cap[i])) != NULL);
    gos_run(nobody_goes_on, NULL);
}

int main(int argc, char **argv)
{
    const char *const said[] = { "gossamer: fatal error: all tasks are asleep - deadlock!", "...", NULL };
    uint64_t random = test_seed();
    int failed = fuzz_main(argc, argv, 1000);
    for (int i = 0; i < DEADLOCKS && !failed && !GOS_TSAN; i++) { /* whose thread may be the program's */
        uint8_t data[100];
        for (size_t k = 0; k < sizeof data; k++)
            data[k] = (uint8_t)test_random(&random);
        draw_net(data, sizeof data);
        expect_death("deadlock", sticks, NULL, 0, 2, said);
    }
    return failed;
}

#endif
