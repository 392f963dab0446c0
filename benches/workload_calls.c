/* Blocks of calls, for the case check: on the caller's stack, or on a unit's. */
#include "workload.h"

#include "check_calls.h"

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

void block_run(void *arg)
{
    block *b = arg;
    for (int i = 0; i < BLOCK_EPOCHS; i++) {
        int64_t begin = stamp();
        b->ops[i] = b->arm[b->order[i]](b->rounds);
        b->ns[i] = stamp() - begin;
    }
}

static void *block_done;   /* latch */
static const contender *block_who;

static void block_unit(void *arg)
{
    block *b = arg;
    b->who->yield();   /* nobody shall wait for the processor meanwhile: the first unit goes to its latch */
    int64_t warm = stamp() + WARM_UP_NS;
    block_who = b->who;
    do block_run(b);
    while (stamp() < warm);
    block_run(b);
    b->who->latch_done(block_done);
}

void block_on_unit(void *arg)
{
    block *b = arg;
    block_done = b->who->latch_new(1);
    b->error = -b->who->spawn(block_unit, b);
    if (b->error == 0) b->who->latch_wait(block_done);
    b->who->latch_free(block_done);
}

uint64_t crossing_on_large_stack(uint64_t rounds) { return crossing_plain(rounds); }

uint64_t crossing_on_nursery(uint64_t rounds)
{
    uint64_t calls = crossing_checked(rounds);
    block_who->yield();
    return calls;
}
