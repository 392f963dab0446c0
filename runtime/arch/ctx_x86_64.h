/*
 * ctx_x86_64.h: layout of a saved context, read by C and by assembly.
 *
 * System V AMD64 ABI 1.0, section 3.2.1 and figure 3.4: rbx, rbp, r12-r15, the MXCSR control bits and the x87
 * control word belong to the caller; all else may be lost across a call.
 */
#ifndef GOS_ARCH_CTX_X86_64_H
#define GOS_ARCH_CTX_X86_64_H

#define GOS_CTX_MXCSR 0
#define GOS_CTX_FPUCW 4
#define GOS_CTX_ERRNO 6 /* of a task; 16 bits are enough for it */
#define GOS_CTX_R15 8
#define GOS_CTX_R14 16
#define GOS_CTX_R13 24
#define GOS_CTX_R12 32
#define GOS_CTX_RBX 40
#define GOS_CTX_RBP 48
#define GOS_CTX_RIP 56
#define GOS_CTX_SIZE 64
#define GOS_CTX_PC GOS_CTX_RIP
#define GOS_CTX_FP GOS_CTX_RBP

/* MXCSR without its sticky exception flags (bits 0-5), which the ABI does not preserve across calls. */
#define GOS_MXCSR_CONTROL 0xffc0

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

typedef struct gos__ctx {
    uint32_t mxcsr;
    uint16_t fpucw;
    int16_t error;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t pc;
} gos__ctx;

_Static_assert(offsetof(gos__ctx, mxcsr) == GOS_CTX_MXCSR, "ctx: mxcsr");
_Static_assert(offsetof(gos__ctx, fpucw) == GOS_CTX_FPUCW, "ctx: fpucw");
_Static_assert(offsetof(gos__ctx, error) == GOS_CTX_ERRNO, "ctx: errno");
_Static_assert(offsetof(gos__ctx, r15) == GOS_CTX_R15, "ctx: r15");
_Static_assert(offsetof(gos__ctx, r14) == GOS_CTX_R14, "ctx: r14");
_Static_assert(offsetof(gos__ctx, r13) == GOS_CTX_R13, "ctx: r13");
_Static_assert(offsetof(gos__ctx, r12) == GOS_CTX_R12, "ctx: r12");
_Static_assert(offsetof(gos__ctx, rbx) == GOS_CTX_RBX, "ctx: rbx");
_Static_assert(offsetof(gos__ctx, rbp) == GOS_CTX_RBP, "ctx: rbp");
_Static_assert(offsetof(gos__ctx, pc) == GOS_CTX_RIP, "ctx: rip");
_Static_assert(sizeof(gos__ctx) == GOS_CTX_SIZE, "ctx: size");

#define GOS_CTX_MXCSR_DEFAULT 0x1f80u
#define GOS_CTX_FPUCW_DEFAULT 0x037fu

/* A context that begins in `start` with fn and arg in rbx and r12, and no parent in r15 (gos__task_start). */
static inline void gos__ctx_begin(gos__ctx *ctx, void (*start)(void), void (*fn)(void *), void *arg)
{
    ctx->mxcsr = GOS_CTX_MXCSR_DEFAULT;
    ctx->fpucw = GOS_CTX_FPUCW_DEFAULT;
    ctx->error = 0;
    ctx->rbx = (uint64_t)fn;
    ctx->r12 = (uint64_t)arg;
    ctx->r15 = 0;
    ctx->pc = (uint64_t)start;
}

/* Floating-point control, as a thread gets it from who starts it. */
static inline void gos__ctx_inherit(gos__ctx *child, const gos__ctx *parent)
{
    child->mxcsr = parent->mxcsr;
    child->fpucw = parent->fpucw;
}
#endif

#endif
