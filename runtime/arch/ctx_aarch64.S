/*
 * void gos__ctx_switch(void **from, void *to)        x0, x1
 *
 * Saves what the ABI says belongs to the caller (layout and source: ctx_aarch64.h) and takes up `to`. FPCR is written
 * only where it differs, since that may wait for all that is under way. The last step is a jump, not a `ret`, which
 * would be predicted from a stack of returns that belongs to another stack.
 */
#include "arch/doors_aarch64.h"

FUNC(gos__ctx_switch)
    SAVE_CONTEXT
    ldr w9, [sp, #GOS_CTX_FPCR]
    mov x10, sp
    str x10, [x0]
    mov sp, x1                  /* from here on the other stack; its saved frame has the same shape */
    ldr w10, [sp, #GOS_CTX_FPCR]
    cmp w10, w9
    b.ne 2f
1:  LOAD_CONTEXT
    br x30
    .cfi_restore_state
2:  msr fpcr, x10
    b 1b
END(gos__ctx_switch)

/* First code of a fresh context: x19 = fn, x20 = arg. x30 is undefined here, so that backtraces end. */
FUNC(gos__ctx_start)
    .cfi_undefined x30
    mov x0, x20
    mov x29, xzr
    blr x19
    brk #1
END(gos__ctx_start)

NO_EXECUTABLE_STACK
