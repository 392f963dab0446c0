/* gos__ctx_switch: what a context keeps. */
// build: plain
#include "arch/ctx.h"

#include "tests/arch/registers.h"
#include "tests/test.h"

enum { STACK = 16384, OTHERS = 3, ROUNDS = 1000 };

static void *main_ctx;
static _Alignas(64) char stacks[OTHERS][STACK], stack[STACK];
static struct other {
    void *ctx;
    int index, rounds;
} others[OTHERS];

static uint64_t value(int context, int round, int reg)
{
    return 0x9e3779b97f4a7c15u * (uint64_t)(context * 100000 + round * 10 + reg + 1);
}

/* Switches with values in the registers that only this context and round use. */
static void switch_and_compare(void **from, void *to, int context, int round)
{
    uint64_t regs[REGISTERS];
    for (int i = 0; i < REGISTERS; i++)
        regs[i] = value(context, round, i);
    call_with_registers(from, to, (void *)gos__ctx_switch, regs);
    for (int i = 0; i < REGISTERS; i++)
        CHECK_EQ(regs[i], value(context, round, i));
}

static void other_main(void *arg)
{
    struct other *other = arg;
    unsigned mode = (unsigned)other->index + 1;
    CHECK_EQ(control_now(), CONTROL_DEFAULT); /* not what the creator or the switcher has */
    set_control(control_of(mode, mode & 1));
    for (;;) {
        switch_and_compare(&other->ctx, main_ctx, other->index + 1, other->rounds++);
        CHECK_EQ(control_now(), control_of(mode, mode & 1));
    }
}

static void keeps_registers_and_control_words(void)
{
    control mine = control_pair(TO_ZERO, UP, 1);
    set_control(mine);
    for (int i = 0; i < OTHERS; i++) {
        others[i].index = i;
        others[i].ctx = gos__ctx_init(stacks[i] + STACK, other_main, &others[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OTHERS; i++) {
            switch_and_compare(&main_ctx, others[i].ctx, 0, round * OTHERS + i);
            CHECK_EQ(control_now(), mine);
        }
    }
    for (int i = 0; i < OTHERS; i++)
        CHECK_EQ(others[i].rounds, ROUNDS);
    set_control(CONTROL_DEFAULT);
}

static void *entered;

static void entry(void *arg)
{
    CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0); /* an aligned stack pointer below it */
    entered = arg;
    static void *unused; /* no variable of a frame that never ends: address sanitizer would keep its bounds */
    gos__ctx_switch(&unused, main_ctx);
}

/* Whatever the end of the stack is, and without a byte above it, or more below it than ctx.h says, touched before fn
 * runs. */
static void aligns_the_stack(void)
{
    for (int off = 0; off < 32; off++) {
        memset(stack, 0x5a, STACK);
        char *top = stack + STACK - 64 + off;
        void *ctx = gos__ctx_init(top, entry, top);
        for (char *p = stack; p < stack + STACK; p++)
            if (p < top - (GOS_CTX_SIZE + 32) || p >= top)
                CHECK_EQ(*p, 0x5a);
        gos__ctx_switch(&main_ctx, ctx);
        CHECK(entered == top);
        for (char *p = top; p < stack + STACK; p++)
            CHECK_EQ(*p, 0x5a);
    }
}

int main(void)
{
    keeps_registers_and_control_words();
    aligns_the_stack();
    return 0;
}
