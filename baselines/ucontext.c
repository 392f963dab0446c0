/*
 * ucontext.c: the scheduler and the stacks of fixed-bare over the C library's context calls.
 *
 * Here a context is a ucontext_t. A unit's own lies at the top of its stack, below the coop_unit, so that the pointer
 * to it never changes: swap saves to *from and leaves the pointer alone.
 */
#include "baselines.h"
#include "coop.h"

#include <ucontext.h>

/* What makecontext may count on below the ucontext_t: the stack without its first 4 KiB (8 on aarch64), where colour,
 * coop_unit and ucontext_t lie. */
#define TOP_BYTES ((COOP_COLOURS + 1) * COOP_LINE + sizeof(ucontext_t))
#define USABLE (COOP_STACK_SIZE - (TOP_BYTES + 4095) / 4096 * 4096)

static ucontext_t first;

static void swap(void **from, void *to)
{
    swapcontext(*from, to);
}

/* makecontext hands over ints; a pointer travels as two. */
static void start(unsigned fn_high, unsigned fn_low, unsigned arg_high, unsigned arg_low)
{
    void (*fn)(void *) = (void (*)(void *))((uintptr_t)fn_high << 32 | fn_low);
    fn((void *)((uintptr_t)arg_high << 32 | arg_low));
}

static void *init(void *top, void (*fn)(void *), void *arg)
{
    ucontext_t *ctx = (ucontext_t *)(((uintptr_t)top - sizeof(ucontext_t)) & ~(uintptr_t)15);
    getcontext(ctx);
    ctx->uc_link = NULL;
    ctx->uc_stack.ss_sp = (char *)ctx - USABLE;
    ctx->uc_stack.ss_size = USABLE;
    makecontext(ctx, (void (*)(void))start, 4, (unsigned)((uintptr_t)fn >> 32), (unsigned)(uintptr_t)fn,
                (unsigned)((uintptr_t)arg >> 32), (unsigned)(uintptr_t)arg);
    return ctx;
}

static const coop_switch context_calls = {.swap = swap, .init = init, .first = &first};

static int run(int threads, void (*fn)(void *), void *arg)
{
    return coop_run(&context_calls, &coop_stacks_bare, threads, fn, arg);
}

const contender contender_ucontext = {
    .name = "ucontext",
    .label = "ucontext, 64 KiB stacks",
    .isolates = "against fixed-bare: only the switch, the C library's swapcontext with its system call",
    .run = run,
    COOP_OPERATIONS,
};
