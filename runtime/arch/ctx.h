/*
 * ctx.h: the raw register switch, shared by the runtime's tests and the baselines.
 *
 * A saved context is one stack pointer. Above it lie the callee-saved registers and the floating-point control
 * words, and the address to continue at, in the order of ctx_x86_64.h or ctx_aarch64.h.
 */
#ifndef GOS_ARCH_CTX_H
#define GOS_ARCH_CTX_H

#if defined(__x86_64__)
#include "arch/ctx_x86_64.h"
#else
#include "arch/ctx_aarch64.h"
#endif

/* Saves the caller's context in *from and continues at `to`; returns when somebody switches to *from. The caller's
 * signal mask, errno and split-stack limit are not part of a context. */
void gos__ctx_switch(void **from, void *to);

/* Makes a context on the stack that ends at `top` (any alignment): fn(arg) runs with `top` as the end of its stack.
 * fn must not return. Uses at most GOS_CTX_SIZE + 32 bytes below top. */
void *gos__ctx_init(void *top, void (*fn)(void *), void *arg);

/* Calls walk(arg) from a frame that unwinds to where a saved context goes on (arch/unwind_*.S). */
void gos__unwind_from(const gos__ctx *context, void (*walk)(void *), void *arg);

#endif
