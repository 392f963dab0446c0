/*
 * doors_x86_64.h: what the doors of entry_x86_64.S and sync_x86_64.S are made of.
 *
 * PARK name, cfn, foreign
 *                      The call may park. The stub saves the task's context on its own stack before anything else, so
 *                      that C may publish it anywhere at once: gos__task *cfn(a, b, c, gos__task *self) returns the
 *                      task to go on with, self or another; the public result is that task's `result`. A thread
 *                      without a task goes to `foreign`: OUTSIDE makes one that ends the program.
 * MAY_PARK name, try, cfn, foreign
 *                      The same for calls that seldom park: int try(a, b, c) comes first and costs no context. What it
 *                      returns is the result; GOS_MUST_PARK: cfn, as above, goes on where it stopped.
 * CALL name, cfn       The call never parks: cfn has the public signature. Without a task it is called directly.
 */
#ifndef GOS_ARCH_DOORS_X86_64_H
#define GOS_ARCH_DOORS_X86_64_H

#include "arch/asm.h"
#include "arch/ctx_x86_64.h"
#include "arch/state.h"

#ifdef __ASSEMBLER__

/*
 * What the doors tell sanitizers (arch/san.h): nothing in other builds. On the system stack, rsp a multiple of 16.
 * SAN_CALL keeps everything that is live on the way in, SAN_RESUME the result of C code on the way out.
 */
.macro SAN_CALL hook
#if GOS_SAN
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %r8
    callq \hook
    popq %r8
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
#endif
.endm

.macro SAN_RESUME task
#if GOS_SAN
    pushq %rax
    pushq %rdx
    movq \task, %rdi
    callq gos__san_resume
    popq %rdx
    popq %rax
#endif
.endm

/* The control words come first: a load does not get what stmxcsr stored before that has left the pipeline, and holds up
 * all that retires after it (CONTROL_WORDS). */
.macro SAVE_CONTEXT
    stmxcsr GOS_CTX_MXCSR-GOS_CTX_RIP(%rsp)
    fnstcw GOS_CTX_FPUCW-GOS_CTX_RIP(%rsp)
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
.endm

/* The context is all there but for errno: it becomes the task's, rcx, and rbp points to it. */
.macro CONTEXT_OF_TASK
    movq %fs:GOS_THREAD_ERRNO(%rax), %r14
    movl (%r14), %r14d
    movw %r14w, GOS_CTX_ERRNO(%rsp)
    movzwl gos__half_seconds(%rip), %r14d
    movw %r14w, GOS_TASK_SINCE(%rcx)
    movq %rsp, %rbp
    .cfi_def_cfa %rbp, GOS_CTX_SIZE
    movq %rcx, %r15             /* for gos__resume: who came in */
    movq %rsp, GOS_TASK_SP(%rcx)
.endm

/* From the task, rcx, to the system stack: its context is saved, and rbp points to it. */
.macro ENTER_PARKING
    SAVE_CONTEXT
    CONTEXT_OF_TASK
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    SAN_CALL gos__san_enter
    cmpq $0, %fs:GOS_THREAD_LOCKED(%rax)    /* and GOS_THREAD_OWNED */
    jne 8f
7:  SAN_CALL gos__san_holds
.endm

/* What gos__resume compares with. */
.macro CONTROL_WORDS context
    movl GOS_CTX_MXCSR(\context), %r13d
    movzwl GOS_CTX_FPUCW(\context), %r14d
.endm

.macro WAIT_UNLOCKED
8:  callq gos__held_up_saving
    jmp 7b
.endm

/*
 * What the doors of a channel do first (`first` of MAY_PARK) where it is biased to the worker that this thread holds
 * (sync/chan.h). Words pass at once where the buffer serves, or where a task is parked on the other side, which goes to
 * the front of the queue then (gos__ready_in_front). No stack for that, and no other registers than the arguments that
 * are not passed on. What has nobody to meet goes to `parks`, all else to `tries`, both inside the runtime already.
 * Sanitizers shall see all of it in C. The channel's line is asked for as what will be written: to read it first and
 * write it then is two ways to another processor that has it.
 */
.macro OWN_CHANNEL
    prefetchw (%rdi)
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    je 1f
    testq %rdi, %rdi
    jz 1f
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    cmpq $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 1f
    movl %fs:GOS_THREAD_TAG(%rax), %ecx
    cmpl %ecx, GOS_CHAN_BIAS(%rdi)
    jne 1f
.endm

.macro OWN_CHANNEL_USED
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    xorl %eax, %eax
    retq
.endm

/* A word goes from rsi to the first of `waiters`, or the other way. */
.macro MEET waiters, tries, from, to
    cmpq $8, GOS_CHAN_ELEM_SIZE(%rdi)
    jne \tries
    movq GOS_WAITER_NEXT(%rcx), %rdx        /* the first, as rcx is the last */
    movq GOS_WAITER_TASK(%rdx), %r8
    leaq GOS_TASK_WAITER(%r8), %r10
    cmpq %r10, %rdx                         /* of a select? */
    jne \tries
    cmpb $0, GOS_TASK_PINNED(%r8)
    jne \tries
    movq %fs:GOS_THREAD_WORKER(%rax), %r9
    movl GOS_WORKER_FRONT(%r9), %r10d
    movl GOS_WORKER_BACK(%r9), %r11d
    subl %r10d, %r11d
    cmpl $GOS_QUEUE_SIZE, %r11d
    je \tries
    cmpl $GOS_FRONT_STREAK, GOS_WORKER_STREAK(%r9)
    jae \tries
    incl GOS_WORKER_STREAK(%r9)
    decl %r10d
    movl %r10d, GOS_WORKER_FRONT(%r9)
    movzbl %r10b, %r10d
    movq %r8, GOS_WORKER_QUEUE(%r9,%r10,8)
    movq GOS_WAITER_ELEM(%rdx), %r10
    movl $0, GOS_TASK_RESULT(%r8)
    movb $GOS_STATE_READY, GOS_TASK_STATE(%r8)
    movq (\from), %r11
    movq %r11, (\to)
    movq GOS_WAITER_NEXT(%rdx), %r10        /* out of the circle */
    xorl %r11d, %r11d
    movq %r10, GOS_WAITER_NEXT(%rcx)
    movq %rcx, GOS_WAITER_PREV(%r10)
    cmpq %rcx, %rdx
    cmoveq %r11, %rcx
    movq %rcx, \waiters(%rdi)
    movq gos__rt(%rip), %rcx                /* S3 (worker.h) */
    cmpl $0, GOS_RUN_IDLE_N(%rcx)
    jne gos__met_waking
    OWN_CHANNEL_USED
.endm

.macro SEND_TO_OWN tries, parks
#if !GOS_SAN
    OWN_CHANNEL
    movq GOS_CHAN_RECEIVERS(%rdi), %rcx
    testq %rcx, %rcx
    jnz 2f
    movq GOS_CHAN_LEN(%rdi), %rcx
    cmpw $0, GOS_CHAN_CLOSED(%rdi)
    jne \tries
    cmpq GOS_CHAN_CAPACITY(%rdi), %rcx
    jae \parks
    cmpq $8, GOS_CHAN_ELEM_SIZE(%rdi)
    jne \tries
    movq GOS_CHAN_HEAD(%rdi), %rdx
    addq %rcx, %rdx
    movq %rdx, %r8
    subq GOS_CHAN_CAPACITY(%rdi), %r8
    cmovaeq %r8, %rdx
    movq (%rsi), %r8
    movq %r8, GOS_CHAN_RING(%rdi,%rdx,8)
    incq %rcx
    movq %rcx, GOS_CHAN_LEN(%rdi)
    OWN_CHANNEL_USED
2:  MEET GOS_CHAN_RECEIVERS, \tries, %rsi, %r10
1:
#endif
.endm

.macro RECV_FROM_OWN tries, parks
#if !GOS_SAN
    OWN_CHANNEL
    movq GOS_CHAN_SENDERS(%rdi), %rcx
    movq GOS_CHAN_LEN(%rdi), %r8
    testq %rcx, %rcx
    jnz 2f
    testq %r8, %r8
    jz 3f
    cmpq $8, GOS_CHAN_ELEM_SIZE(%rdi)
    jne \tries
    movq GOS_CHAN_HEAD(%rdi), %rdx
    movq GOS_CHAN_RING(%rdi,%rdx,8), %rcx
    movq %rcx, (%rsi)
    incq %rdx
    xorl %ecx, %ecx
    cmpq GOS_CHAN_CAPACITY(%rdi), %rdx
    cmoveq %rcx, %rdx
    movq %rdx, GOS_CHAN_HEAD(%rdi)
    decq %r8
    movq %r8, GOS_CHAN_LEN(%rdi)
    OWN_CHANNEL_USED
2:  testq %r8, %r8
    jnz \tries
    MEET GOS_CHAN_SENDERS, \tries, %r10, %rsi
3:  cmpw $0, GOS_CHAN_CLOSED(%rdi)
    jne \tries
    jmp \parks
1:
#endif
.endm

.macro PARK name, cfn, foreign
EXPORT(\name)
    movq gos__self@gottpoff(%rip), %rax
    movq %fs:GOS_THREAD_TASK(%rax), %rcx
    testq %rcx, %rcx
    jz \foreign
    ENTER_PARKING
    CONTROL_WORDS %rbp
    callq \cfn
    jmp gos__resume
    WAIT_UNLOCKED
END(\name)
.endm

/* The arguments wait on the system stack, and rbp where a context has it. */
.macro MAY_PARK name, try, cfn, foreign, first
EXPORT(\name)
.ifnb \first
    \first 6f, 4f
.endif
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    jz \foreign
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
6:  pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    SAN_CALL gos__san_enter
    cmpq $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 8f
7:  SAN_CALL gos__san_holds
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rdx                  /* so that rsp is a multiple of 16 */
    callq \try
    popq %rdx
    popq %rdx
    popq %rsi
    popq %rdi
    movq gos__self@gottpoff(%rip), %rcx
    cmpl $GOS_MUST_PARK, %eax
    je 5f
    SAN_RESUME %fs:GOS_THREAD_TASK(%rcx)
#if GOS_SAN
    movq gos__self@gottpoff(%rip), %rcx
#endif
    movq %rbp, %rsp
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    .cfi_remember_state
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq
    .cfi_restore_state
5:  movq %rbp, %rsp
    .cfi_def_cfa %rsp, 16       /* in full: LLVM does not restore what it counts offsets from */
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    movq %rcx, %rax
4:  movq %fs:GOS_THREAD_TASK(%rax), %rcx
    SAVE_CONTEXT
    CONTEXT_OF_TASK
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    CONTROL_WORDS %rbp
    callq \cfn
    jmp gos__resume
8:  .cfi_def_cfa %rbp, 16
    callq gos__held_up_saving
    jmp 7b
END(\name)
.endm

.macro OUTSIDE name
FUNC(gos__foreign_\name)
    leaq 9f(%rip), %rdi
    jmp gos__outside
    .section .rodata
9:  .asciz "\name"
    .text
END(gos__foreign_\name)
.endm

.macro CALL name, cfn
EXPORT(\name)
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    jz \cfn
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    SAN_CALL gos__san_enter
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 8f
7:  SAN_CALL gos__san_holds
    callq \cfn
    movq gos__self@gottpoff(%rip), %rcx
    SAN_RESUME %fs:GOS_THREAD_TASK(%rcx)
#if GOS_SAN
    movq gos__self@gottpoff(%rip), %rcx
#endif
    movq %rbp, %rsp
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq
8:  .cfi_def_cfa %rbp, 16
    callq gos__held_up_saving
    jmp 7b
END(\name)
.endm

#endif
#endif
