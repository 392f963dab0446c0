/* fixed.c: units on 64 KiB stacks over the runtime's own register switch, with guard pages and without. */
#include "arch/ctx.h"
#include "baselines.h"
#include "coop.h"

static const coop_switch registers = {.swap = gos__ctx_switch, .init = gos__ctx_init};

static int run_guarded(int threads, void (*fn)(void *), void *arg)
{
    return coop_run(&registers, &coop_stacks_guarded, threads, fn, arg);
}

static int run_bare(int threads, void (*fn)(void *), void *arg)
{
    return coop_run(&registers, &coop_stacks_bare, threads, fn, arg);
}

const contender contender_fixed = {
    .name = "fixed",
    .label = "fixed 64 KiB stacks, guard page",
    .isolates = "stacks of fixed size, each mapped with its guard page, under the simplest scheduler",
    .run = run_guarded,
    .stack_room = coop_stack_room,
    COOP_OPERATIONS,
};

const contender contender_fixed_bare = {
    .name = "fixed-bare",
    .label = "fixed 64 KiB stacks, no guard",
    .isolates = "against fixed: only the guard page and the mapping per stack that it costs",
    .run = run_bare,
    .stack_room = coop_stack_room,
    COOP_OPERATIONS,
};
