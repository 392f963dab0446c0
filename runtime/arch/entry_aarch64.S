/*
 * The doors of the runtime: every public function that a task may call is a stub here. The C code behind runs on the
 * thread's system stack and is ordinary code. As entry_x86_64.S, which says more.
 */
#include "arch/doors_aarch64.h"

/* Another thread holds our worker (or it is lost), or the task is to be pinned: in C, keeping the call's arguments. */
FUNC(gos__held_up_saving)
    stp x29, x30, [sp, #-80]!
    .cfi_adjust_cfa_offset 80
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    stp x0, x1, [sp, #16]
    stp x2, x3, [sp, #32]
    stp x4, x5, [sp, #48]
    stp x6, x7, [sp, #64]
    bl gos__held_up
    ldp x0, x1, [sp, #16]
    ldp x2, x3, [sp, #32]
    ldp x4, x5, [sp, #48]
    ldp x6, x7, [sp, #64]
    ldp x29, x30, [sp], #80
    .cfi_adjust_cfa_offset -80
    .cfi_restore x29
    .cfi_restore x30
    ret
END(gos__held_up_saving)

/* gos__task *gos__next(gos__worker *worker, enum gos__left how): x0, w1. As entry_x86_64.S. */
FUNC(gos__next)
    .cfi_undefined x30
    stp x29, x30, [sp, #-16]!
    .cfi_adjust_cfa_offset 16
    bl gos__next_c
    ldp x29, x30, [sp], #16
    .cfi_adjust_cfa_offset -16
    ret
END(gos__next)

/*
 * x0: the task to run, or NULL: leave gos__enter. x28: who came in, w27: the FPCR now loaded. On the system stack.
 */
FUNC(gos__resume)
    .cfi_undefined x30
    SELF x19
    cbz x0, gos__leave
    mov w9, #GOS_STATE_RUNNING
    strb w9, [x0, #GOS_TASK_STATE]
    ldr w9, [x19, #GOS_THREAD_PREEMPT]
    cmp w9, #GOS_PREEMPT_SEEDED
    b.eq 3f
1:  str x0, [x19, #GOS_THREAD_TASK]
    ldr x9, [x0, #GOS_TASK_SP]
    mov sp, x9
    OUT_OF_RUNTIME x19
    ldr w9, [sp, #GOS_CTX_FPCR]
    cmp w9, w27
    b.ne 4f
2:  ldr x10, [x19, #GOS_THREAD_ERRNO]
    ldrsh w9, [sp, #GOS_CTX_ERRNO]
    str w9, [x10]
    cmp x0, x28
    ldr w0, [x0, #GOS_TASK_RESULT]
    b.ne 7f
    LOAD_CONTEXT
    ret                         /* to the caller: the processor predicted it when the call was made */
    .cfi_restore_state
7:  LOAD_CONTEXT
    br x30                      /* to another task: the stack of returns belongs to the former */
    .cfi_restore_state
3:  bl gos__seed_turn           /* may decide for another task; this thread may lose its worker by that */
    SELF x19
    cbz x0, gos__leave
    mov w9, #GOS_STATE_RUNNING
    strb w9, [x0, #GOS_TASK_STATE]
    b 1b
4:  msr fpcr, x9
    b 2b
END(gos__resume)

/* void gos__enter(gos__task *task): x0 */
FUNC(gos__enter)
    SAVE_CONTEXT
    ldr w27, [sp, #GOS_CTX_FPCR]
    SELF x9
    mov x10, sp
    str x10, [x9, #GOS_THREAD_SYSTEM_SP]
    mov x28, xzr
    b gos__resume
END(gos__enter)

FUNC(gos__leave_run)
    b gos__leave
END(gos__leave_run)

FUNC(gos__leave)
    .cfi_undefined x30
    SELF x9
    ldr x10, [x9, #GOS_THREAD_SYSTEM_SP]
    mov sp, x10
    CONTEXT_CFI sp
    str xzr, [x9, #GOS_THREAD_TASK]
    ldr w10, [sp, #GOS_CTX_FPCR]
    msr fpcr, x10
    LOAD_CONTEXT
    ret
    .cfi_restore_state
END(gos__leave)

/*
 * int gos_go(void (*fn)(void *), void *arg): x0, x1; gos__go_by: and in whose name, x2. As PARK, but a child that is
 * to run at once (any task but self that C returns) needs no context: it starts with its parent's FPCR, fn in x19, arg
 * in x20, parent in x28.
 */
EXPORT(gos_go)
    mov x2, x30
    .globl gos__go_by
    .hidden gos__go_by
    .type gos__go_by, %function
gos__go_by:
    SELF x9
    ldr x3, [x9, #GOS_THREAD_TASK]
    cbz x3, 1f
    ENTER_PARKING
    mov x19, x0
    mov x20, x1
    bl gos__go
    cmp x0, x28
    b.eq 2f
    .cfi_remember_state
    .cfi_undefined x30          /* the parent's frames are not ours any more */
    SELF x9
    ldr x10, [x0, #GOS_TASK_REGION]
    mov sp, x10                 /* its own: right below its header */
    str x0, [x9, #GOS_THREAD_TASK]
    ldr x10, [x9, #GOS_THREAD_ERRNO]
    str wzr, [x10]
    OUT_OF_RUNTIME x9
    b gos__task_start
    .cfi_restore_state
2:  ldr w27, [x29, #GOS_CTX_FPCR]
    b gos__resume
    WAIT_UNLOCKED
1:  .cfi_def_cfa sp, 0
    CONTEXT_GONE
    b gos__go_foreign
END(gos_go)

/*
 * First code of a task: fn in x19, its argument in x20. x30 is undefined here, so that backtraces end. In x28 is the
 * parent whose gos_go came here, if any: when that is also who goes on after the task, gos__resume returns to it.
 */
FUNC(gos__task_start)
    .cfi_undefined x30
    mov x0, x20
    mov x29, xzr
    blr x19
    /* gos_exit, but nothing of the task is saved. */
    SELF x9
    mrs x27, fpcr
    ldr x3, [x9, #GOS_THREAD_TASK]
    IN_RUNTIME 1
    TO_SYSTEM_STACK 8f
7:  bl gos__exit
    b gos__resume
    WAIT_UNLOCKED
END(gos__task_start)

/* The same for the main task, whose function returns an int. */
FUNC(gos__main_start)
    .cfi_undefined x30
    mov x0, x20
    mov x29, xzr
    blr x19
    bl gos__main_end
    brk #1
END(gos__main_start)

PARK gos__main_end, gos__main_returned, gos__foreign_gos_exit
PARK gos_yield, gos__yield, gos__foreign_gos_yield
OUTSIDE gos_yield
PARK gos_exit, gos__exit_asked, gos__foreign_gos_exit
OUTSIDE gos_exit
PARK gos_sleep, gos__sleep, gos__foreign_gos_sleep
OUTSIDE gos_sleep
PARK gos__fd_park, gos__fd_park_c, gos__foreign_gos__fd_park
OUTSIDE gos__fd_park
PARK gos_procs, gos__procs, gos__procs_foreign
MAY_PARK gos_chan_send, gos__chan_send, gos__chan_send_parks, gos__chan_send_outside
MAY_PARK gos_chan_recv, gos__chan_recv, gos__chan_recv_parks, gos__chan_recv_outside
MAY_PARK gos_select, gos__select, gos__select_parks, gos__select_outside
PARK gos__chan_until_door, gos__chan_until, gos__chan_until_outside

/* int gos_chan_send_until(gos_chan *chan, const void *elem, int64_t deadline): x0, x1, x2; and recv_until: by a
 * gos_case in the frame. From outside tasks the same without a deadline. */
.macro CASE op
    stp x29, x30, [sp, #-48]!
    .cfi_adjust_cfa_offset 48
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    mov x29, sp
    mov w9, #\op
    str x0, [sp, #16 + GOS_CASE_CHAN]
    str w9, [sp, #16 + GOS_CASE_OP]
    str x1, [sp, #16 + GOS_CASE_ELEM]
    add x0, sp, #16
    mov x1, x2
    bl gos__chan_until_door
    cbnz w0, 1f
    ldr w0, [sp, #16 + GOS_CASE_RESULT]
1:  ldp x29, x30, [sp], #48
    .cfi_adjust_cfa_offset -48
    .cfi_restore x29
    .cfi_restore x30
    ret
.endm

EXPORT(gos_chan_send_until)
    CASE GOS_CASE_SEND
END(gos_chan_send_until)
EXPORT(gos_chan_recv_until)
    CASE GOS_CASE_RECV
END(gos_chan_recv_until)
FUNC(gos__chan_send_outside)
    mov x2, #GOS_NO_DEADLINE
    b gos_chan_send_until
END(gos__chan_send_outside)
FUNC(gos__chan_recv_outside)
    mov x2, #GOS_NO_DEADLINE
    b gos_chan_recv_until
END(gos__chan_recv_outside)
#include "arch/entry_names.inc"

/* int *gos_errno(void): the same function under a name that the compiler knows nothing of. */
EXPORT(gos_errno)
    b __errno_location
END(gos_errno)

/* Brings posix_aarch64.S into every program that has tasks, also when shared libraries alone make its calls. */
    .section .rodata
    .long gos__posix - .

NO_EXECUTABLE_STACK
