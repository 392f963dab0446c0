/*
 * doors_aarch64.h: what the doors of entry_aarch64.S and sync_aarch64.S are made of: PARK, MAY_PARK, CALL and OUTSIDE,
 * as doors_x86_64.h says. Task code has no stack checks here and every task a paged stack, so that nothing is said of
 * limits, and channels are all C behind a door.
 *
 * In a door x9 to x17 are free. x0 to x7 are the arguments; x3 then is the running task. While C code runs for PARK,
 * x29 points to the saved context, x28 is the task that came in and w27 the FPCR now loaded.
 *
 * Memory is not ordered as on x86: `in_runtime = 0` is a store with release (O5 of sched/worker.h), and `locked` is
 * loaded with acquire (O3). Between O1 and O3 there is no barrier here either: its partner is a membarrier.
 */
#ifndef GOS_ARCH_DOORS_AARCH64_H
#define GOS_ARCH_DOORS_AARCH64_H

#include "arch/asm.h"
#include "arch/ctx_aarch64.h"
#include "arch/state.h"

#ifdef __ASSEMBLER__

/* What this thread knows; spoils x17. */
.macro SELF to
    mrs \to, tpidr_el0
    adrp x17, :gottprel:gos__self
    ldr x17, [x17, #:gottprel_lo12:gos__self]
    add \to, \to, x17
.endm

/* A saved context at `base` in unwind information: a frame of its caller. By number: d8 is 72. */
.macro CONTEXT_CFI base
    .cfi_def_cfa \base, GOS_CTX_SIZE
    CONTEXT_OFFSETS
.endm
.macro CONTEXT_OFFSETS
    .cfi_offset x19, GOS_CTX_X19 - GOS_CTX_SIZE
    .cfi_offset x20, GOS_CTX_X19 + 8 - GOS_CTX_SIZE
    .cfi_offset x21, GOS_CTX_X21 - GOS_CTX_SIZE
    .cfi_offset x22, GOS_CTX_X21 + 8 - GOS_CTX_SIZE
    .cfi_offset x23, GOS_CTX_X23 - GOS_CTX_SIZE
    .cfi_offset x24, GOS_CTX_X23 + 8 - GOS_CTX_SIZE
    .cfi_offset x25, GOS_CTX_X25 - GOS_CTX_SIZE
    .cfi_offset x26, GOS_CTX_X25 + 8 - GOS_CTX_SIZE
    .cfi_offset x27, GOS_CTX_X27 - GOS_CTX_SIZE
    .cfi_offset x28, GOS_CTX_X27 + 8 - GOS_CTX_SIZE
    .cfi_offset x29, GOS_CTX_FP - GOS_CTX_SIZE
    .cfi_offset x30, GOS_CTX_PC - GOS_CTX_SIZE
    .cfi_offset 72, GOS_CTX_D8 - GOS_CTX_SIZE
    .cfi_offset 73, GOS_CTX_D8 + 8 - GOS_CTX_SIZE
    .cfi_offset 74, GOS_CTX_D10 - GOS_CTX_SIZE
    .cfi_offset 75, GOS_CTX_D10 + 8 - GOS_CTX_SIZE
    .cfi_offset 76, GOS_CTX_D12 - GOS_CTX_SIZE
    .cfi_offset 77, GOS_CTX_D12 + 8 - GOS_CTX_SIZE
    .cfi_offset 78, GOS_CTX_D14 - GOS_CTX_SIZE
    .cfi_offset 79, GOS_CTX_D14 + 8 - GOS_CTX_SIZE
.endm

/* Spoils x10. */
.macro SAVE_CONTEXT
    sub sp, sp, #GOS_CTX_SIZE
    .cfi_def_cfa_offset GOS_CTX_SIZE
    stp x19, x20, [sp, #GOS_CTX_X19]
    stp x21, x22, [sp, #GOS_CTX_X21]
    stp x23, x24, [sp, #GOS_CTX_X23]
    stp x25, x26, [sp, #GOS_CTX_X25]
    stp x27, x28, [sp, #GOS_CTX_X27]
    stp x29, x30, [sp, #GOS_CTX_FP]
    stp d8, d9, [sp, #GOS_CTX_D8]
    stp d10, d11, [sp, #GOS_CTX_D10]
    stp d12, d13, [sp, #GOS_CTX_D12]
    stp d14, d15, [sp, #GOS_CTX_D14]
    mrs x10, fpcr
    str w10, [sp, #GOS_CTX_FPCR]
    CONTEXT_OFFSETS
.endm

/* All but FPCR. For the unwinder that is the caller's frame again; it remembers what was before. */
.macro LOAD_CONTEXT
    .cfi_remember_state
    ldp x19, x20, [sp, #GOS_CTX_X19]
    ldp x21, x22, [sp, #GOS_CTX_X21]
    ldp x23, x24, [sp, #GOS_CTX_X23]
    ldp x25, x26, [sp, #GOS_CTX_X25]
    ldp x27, x28, [sp, #GOS_CTX_X27]
    ldp x29, x30, [sp, #GOS_CTX_FP]
    ldp d8, d9, [sp, #GOS_CTX_D8]
    ldp d10, d11, [sp, #GOS_CTX_D10]
    ldp d12, d13, [sp, #GOS_CTX_D12]
    ldp d14, d15, [sp, #GOS_CTX_D14]
    add sp, sp, #GOS_CTX_SIZE
    .cfi_def_cfa sp, 0
    .irp register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, 72, 73, 74, 75, 76, 77, 78, 79
    .cfi_restore \register
    .endr
.endm

/* The context is all there but for errno: it becomes the task's, x3, and x29 points to it. x9: gos__self. */
.macro CONTEXT_OF_TASK
    ldr x10, [x9, #GOS_THREAD_ERRNO]
    ldr w10, [x10]
    strh w10, [sp, #GOS_CTX_ERRNO]
    adrp x10, gos__half_seconds
    ldrh w10, [x10, #:lo12:gos__half_seconds]
    strh w10, [x3, #GOS_TASK_SINCE]
    mov x29, sp
    .cfi_def_cfa x29, GOS_CTX_SIZE
    mov x28, x3                 /* for gos__resume: who came in */
    str x29, [x3, #GOS_TASK_SP]
.endm

.macro IN_RUNTIME value
    mov w10, #\value
    str w10, [x9, #GOS_THREAD_IN_RUNTIME]
.endm

.macro OUT_OF_RUNTIME self
    add x10, \self, #GOS_THREAD_IN_RUNTIME
    stlr wzr, [x10]             /* O5 */
.endm

/* O3: to `held` unless this thread may touch its worker; word: x10, or w10 where the call does not park, and
 * GOS_THREAD_OWNED beside it does not matter. */
.macro TO_SYSTEM_STACK held, word=x10
    ldr x10, [x9, #GOS_THREAD_SYSTEM_SP]
    mov sp, x10
    add x10, x9, #GOS_THREAD_LOCKED
    ldar \word, [x10]
    cbnz \word, \held
.endm

/* From the task, x3, to the system stack. */
.macro ENTER_PARKING
    SAVE_CONTEXT
    CONTEXT_OF_TASK
    IN_RUNTIME 1
    TO_SYSTEM_STACK 8f
7:
.endm

.macro WAIT_UNLOCKED
8:  bl gos__held_up_saving
    b 7b
.endm

.macro PARK name, cfn, foreign
EXPORT(\name)
    SELF x9
    ldr x3, [x9, #GOS_THREAD_TASK]
    cbz x3, 1f
    ENTER_PARKING
    ldr w27, [x29, #GOS_CTX_FPCR]
    bl \cfn
    b gos__resume
    WAIT_UNLOCKED
1:  .cfi_def_cfa sp, 0
    CONTEXT_GONE
    b \foreign
END(\name)
.endm

.macro CONTEXT_GONE
    .irp register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, 72, 73, 74, 75, 76, 77, 78, 79
    .cfi_restore \register
    .endr
.endm

.macro FRAME
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .cfi_def_cfa_register x29
.endm

.macro FRAME_END
    mov sp, x29
    ldp x29, x30, [sp], #16
    .cfi_def_cfa sp, 0
    .cfi_restore x29
    .cfi_restore x30
.endm

/* The arguments wait on the system stack. */
.macro MAY_PARK name, try, cfn, foreign
EXPORT(\name)
    SELF x9
    ldr x10, [x9, #GOS_THREAD_TASK]
    cbz x10, 1f
    IN_RUNTIME 1
    FRAME
    TO_SYSTEM_STACK 8f
7:  stp x0, x1, [sp, #-32]!
    str x2, [sp, #16]
    bl \try
    SELF x9
    mov w10, #(GOS_MUST_PARK & 0xffff)
    movk w10, #(GOS_MUST_PARK >> 16 & 0xffff), lsl #16
    cmp w0, w10
    b.eq 5f
    .cfi_remember_state
    FRAME_END
    OUT_OF_RUNTIME x9
    ret
    .cfi_restore_state
5:  ldp x0, x1, [sp]
    ldr x2, [sp, #16]
    ldr x3, [x9, #GOS_THREAD_TASK]
    .cfi_remember_state
    FRAME_END
    SAVE_CONTEXT
    CONTEXT_OF_TASK
    ldr x10, [x9, #GOS_THREAD_SYSTEM_SP]
    mov sp, x10
    ldr w27, [x29, #GOS_CTX_FPCR]
    bl \cfn
    b gos__resume
    .cfi_restore_state
    WAIT_UNLOCKED
1:  .cfi_def_cfa sp, 0
    .cfi_restore x29
    .cfi_restore x30
    b \foreign
END(\name)
.endm

.macro OUTSIDE name
FUNC(gos__foreign_\name)
    adrp x0, 9f
    add x0, x0, #:lo12:9f
    b gos__outside
    .section .rodata
9:  .asciz "\name"
    .text
END(gos__foreign_\name)
.endm

.macro CALL name, cfn
EXPORT(\name)
    SELF x9
    ldr x10, [x9, #GOS_THREAD_TASK]
    cbz x10, 1f
    IN_RUNTIME 1
    FRAME
    TO_SYSTEM_STACK 8f, w10
7:  bl \cfn
    .cfi_remember_state
    SELF x9
    FRAME_END
    OUT_OF_RUNTIME x9
    ret
    .cfi_restore_state
    WAIT_UNLOCKED
1:  .cfi_def_cfa sp, 0
    .cfi_restore x29
    .cfi_restore x30
    b \cfn
END(\name)
.endm

#endif
#endif
