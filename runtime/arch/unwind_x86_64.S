/*
 * unwind_x86_64.S: a backtrace that begins in a saved context instead of here.
 *
 * void gos__unwind_from(const gos__ctx *context, void (*walk)(void *), void *arg): rdi, rsi, rdx
 *
 * Calls walk(arg) from a frame whose unwind information says that it was called from where the context goes on, as the
 * doors' says of themselves. An unwinder that is started below it comes from here to the context's own frames.
 */
#include "arch/asm.h"
#include "arch/ctx_x86_64.h"

FUNC(gos__unwind_from)
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    movq %rdi, %rbx
    movq %rdx, %rdi
    .cfi_remember_state
    .cfi_def_cfa %rbx, GOS_CTX_SIZE
    .cfi_offset %rip, GOS_CTX_RIP - GOS_CTX_SIZE
    .cfi_offset %rbp, GOS_CTX_RBP - GOS_CTX_SIZE
    .cfi_offset %rbx, GOS_CTX_RBX - GOS_CTX_SIZE
    .cfi_offset %r12, GOS_CTX_R12 - GOS_CTX_SIZE
    .cfi_offset %r13, GOS_CTX_R13 - GOS_CTX_SIZE
    .cfi_offset %r14, GOS_CTX_R14 - GOS_CTX_SIZE
    .cfi_offset %r15, GOS_CTX_R15 - GOS_CTX_SIZE
    callq *%rsi
    .cfi_restore_state
    popq %rbx
    .cfi_adjust_cfa_offset -8
    retq
END(gos__unwind_from)

NO_EXECUTABLE_STACK
