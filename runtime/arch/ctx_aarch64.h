/*
 * ctx_aarch64.h: layout of a saved context, read by C and by assembly.
 *
 * AAPCS64 (2023Q3), 6.1: x19-x29, sp, d8-d15 (the lower halves of v8-v15) and FPCR belong to the caller; x30 is where
 * to go on. Everything else, SVE's registers included, may be lost across a call. x29 and x30 lie side by side, as a
 * frame record does.
 */
#ifndef GOS_ARCH_CTX_AARCH64_H
#define GOS_ARCH_CTX_AARCH64_H

#define GOS_CTX_FPCR 0
#define GOS_CTX_ERRNO 4 /* of a task; 16 bits are enough for it */
#define GOS_CTX_X19 16
#define GOS_CTX_X21 32
#define GOS_CTX_X23 48
#define GOS_CTX_X25 64
#define GOS_CTX_X27 80
#define GOS_CTX_FP 96
#define GOS_CTX_PC 104
#define GOS_CTX_D8 112
#define GOS_CTX_D10 128
#define GOS_CTX_D12 144
#define GOS_CTX_D14 160
#define GOS_CTX_SIZE 176

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

typedef struct gos__ctx {
    uint32_t fpcr;
    int16_t error;
    uint64_t unused; /* sp is a multiple of 16 */
    uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
    uint64_t fp, pc;
    uint64_t d8_15[8];
} gos__ctx;

_Static_assert(offsetof(gos__ctx, fpcr) == GOS_CTX_FPCR, "ctx: fpcr");
_Static_assert(offsetof(gos__ctx, error) == GOS_CTX_ERRNO, "ctx: errno");
_Static_assert(offsetof(gos__ctx, x19) == GOS_CTX_X19, "ctx: x19");
_Static_assert(offsetof(gos__ctx, x21) == GOS_CTX_X21, "ctx: x21");
_Static_assert(offsetof(gos__ctx, x23) == GOS_CTX_X23, "ctx: x23");
_Static_assert(offsetof(gos__ctx, x25) == GOS_CTX_X25, "ctx: x25");
_Static_assert(offsetof(gos__ctx, x27) == GOS_CTX_X27, "ctx: x27");
_Static_assert(offsetof(gos__ctx, fp) == GOS_CTX_FP, "ctx: fp");
_Static_assert(offsetof(gos__ctx, pc) == GOS_CTX_PC, "ctx: pc");
_Static_assert(offsetof(gos__ctx, d8_15) == GOS_CTX_D8, "ctx: d8");
_Static_assert(sizeof(gos__ctx) == GOS_CTX_SIZE, "ctx: size");

/* A context that begins in `start` with fn and arg in x19 and x20, and no parent in x28 (gos__task_start). */
static inline void gos__ctx_begin(gos__ctx *ctx, void (*start)(void), void (*fn)(void *), void *arg)
{
    ctx->fpcr = 0; /* round to nearest, no traps, subnormals as they are */
    ctx->error = 0;
    ctx->x19 = (uint64_t)fn;
    ctx->x20 = (uint64_t)arg;
    ctx->x28 = 0;
    ctx->fp = 0;
    ctx->pc = (uint64_t)start;
}

/* Floating-point control, as a thread gets it from who starts it. */
static inline void gos__ctx_inherit(gos__ctx *child, const gos__ctx *parent)
{
    child->fpcr = parent->fpcr;
}
#endif

#endif
