#include "arch/ctx.h"

void gos__ctx_start(void);

void *gos__ctx_init(void *top, void (*fn)(void *), void *arg)
{
    /* 16-byte alignment at the call in gos__ctx_start, as the ABI asks. */
    uintptr_t end = (uintptr_t)top & ~(uintptr_t)15;
    gos__ctx *ctx = (gos__ctx *)(end - sizeof(gos__ctx) - 16);
    *ctx = (gos__ctx){ .error = 0 };
    gos__ctx_begin(ctx, gos__ctx_start, fn, arg);
    return ctx;
}
