/*
 * unwind_aarch64.S: a backtrace that begins in a saved context instead of here.
 *
 * void gos__unwind_from(const gos__ctx *context, void (*walk)(void *), void *arg): x0, x1, x2
 *
 * Calls walk(arg) from a frame whose unwind information says that it was called from where the context goes on, as the
 * doors' says of themselves. An unwinder that is started below it comes from here to the context's own frames.
 */
#include "arch/doors_aarch64.h"

FUNC(gos__unwind_from)
    stp x29, x30, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    str x19, [sp, #16]
    .cfi_rel_offset x19, 16
    mov x29, sp
    mov x19, x0
    mov x9, x1
    mov x0, x2
    .cfi_remember_state
    CONTEXT_CFI x19
    blr x9
    .cfi_restore_state
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    .cfi_adjust_cfa_offset -32
    .cfi_restore x19
    .cfi_restore x29
    .cfi_restore x30
    ret
END(gos__unwind_from)

NO_EXECUTABLE_STACK
