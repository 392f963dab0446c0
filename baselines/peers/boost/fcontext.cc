/*
 * fcontext.cc: Boost.Context's register switch (Debian: libboost-context-dev) under the scheduler and the stacks of
 * `fixed-bare`, so that against that one only the switch differs.
 */
#include <boost/context/detail/fcontext.hpp>

#include <cstdint>

#define _Alignas alignas
extern "C" {
#include "baselines/coop.h"
#include "baselines/contender.h"
}

namespace context = boost::context::detail;

namespace {

/* What a switch hands over: where the context that it left is to be kept, and which one it goes to. */
struct passage {
    void **from;
    void *to;
};

/* Above a new context on its stack, always at the same distance. */
struct beginning {
    void (*fn)(void *);
    void *arg;
};
std::ptrdiff_t distance;

void arrive(context::transfer_t left)
{
    *static_cast<passage *>(left.data)->from = left.fctx;
}

void begin(context::transfer_t left)
{
    auto at = static_cast<char *>(static_cast<passage *>(left.data)->to) + distance;
    beginning now = *reinterpret_cast<beginning *>(at);
    arrive(left);
    now.fn(now.arg);
}

void swap(void **from, void *to)
{
    passage pass = {from, to};
    arrive(context::jump_fcontext(to, &pass));
}

void *init(void *top, void (*fn)(void *), void *arg)
{
    auto place = reinterpret_cast<beginning *>((reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15})) - 1;
    *place = {fn, arg};
    void *fresh = context::make_fcontext(place, COOP_STACK_SIZE / 2, begin);
    distance = reinterpret_cast<char *>(place) - static_cast<char *>(fresh);
    return fresh;
}

const coop_switch registers = {swap, init, nullptr};

int run(int threads, void (*fn)(void *), void *arg)
{
    return coop_run(&registers, &coop_stacks_bare, threads, fn, arg);
}

contender table()
{
    contender c = {};
    c.name = "fcontext", c.label = "Boost.Context switch";
    c.isolates = "against fixed-bare: the switch, Boost.Context's instead of the runtime's";
    c.max_threads = 1;
    c.run = run, c.stack_room = coop_stack_room, c.spawn = coop_spawn, c.yield = coop_yield;
    c.gate_new = coop_gate_new, c.gate_wait = coop_gate_wait, c.gate_open = coop_gate_open, c.gate_free = coop_free;
    c.latch_new = coop_latch_new, c.latch_done = coop_latch_done, c.latch_wait = coop_latch_wait;
    c.latch_free = coop_free, c.latch_init = coop_latch_init;
    c.chan_new = coop_chan_new, c.chan_send = coop_chan_send, c.chan_recv = coop_chan_recv, c.chan_free = coop_free;
    c.made = coop_made;
    return c;
}

const contender bare = table();

} // namespace

extern "C" const contender *const contenders[] = {&bare, nullptr};
