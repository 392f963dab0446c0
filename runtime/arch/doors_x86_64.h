/*
 * doors_x86_64.h: what the doors of entry_x86_64.S are made of.
 *
 * PARK name, cfn, foreign
 *                      The call may park. The stub saves the task's context on its own stack before anything else, so
 *                      that C may publish it anywhere at once: gos__task *cfn(a, b, c, gos__task *self) returns the
 *                      task to go on with, self or another; the public result is that task's `result`. A thread
 *                      without a task goes to `foreign`: OUTSIDE makes one that ends the program.
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

.macro SAVE_CONTEXT
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
    stmxcsr GOS_CTX_MXCSR(%rsp)
    fnstcw GOS_CTX_FPUCW(%rsp)
.endm

/* From the task, rcx, to the system stack: its context is saved, and rbp points to it. */
.macro ENTER_PARKING
    SAVE_CONTEXT
    movq %fs:GOS_THREAD_ERRNO(%rax), %r14
    movl (%r14), %r14d
    movw %r14w, GOS_CTX_ERRNO(%rsp)
    movq %rsp, %rbp
    .cfi_def_cfa %rbp, GOS_CTX_SIZE
    movq %rcx, %r15             /* for gos__resume: who came in */
    movq %rsp, GOS_TASK_SP(%rcx)
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    SAN_CALL gos__san_enter
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 8f
7:  SAN_CALL gos__san_holds
.endm

/* What gos__resume compares with. */
.macro CONTROL_WORDS context
    movl GOS_CTX_MXCSR(\context), %r13d
    movzwl GOS_CTX_FPUCW(\context), %r14d
.endm

.macro WAIT_UNLOCKED
8:  callq gos__wait_unlocked_saving
    jmp 7b
.endm

/*
 * What the doors of a channel do first (`first` of PARK): of words, and biased to the worker that this thread holds
 * (sync/chan.h), it is used at once where nobody has to wait or waits. No stack, and no other registers than the
 * arguments that PARK does not pass on. Sanitizers shall see all of it in C.
 */
.macro OWN_CHANNEL
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    je 1f
    testq %rdi, %rdi
    jz 1f
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 1f
    movl %fs:GOS_THREAD_TAG(%rax), %ecx
    cmpl %ecx, GOS_CHAN_BIAS(%rdi)
    jne 1f
    cmpq $8, GOS_CHAN_ELEM_SIZE(%rdi)
    jne 1f
    movq GOS_CHAN_LEN(%rdi), %rcx
.endm

.macro OWN_CHANNEL_USED
    movq %rcx, GOS_CHAN_LEN(%rdi)
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    xorl %eax, %eax
    retq
1:
.endm

.macro SEND_TO_OWN
#if !GOS_SAN
    OWN_CHANNEL
    cmpq GOS_CHAN_CAPACITY(%rdi), %rcx
    jae 1f
    cmpq $0, GOS_CHAN_RECEIVERS(%rdi)
    jne 1f
    cmpw $0, GOS_CHAN_CLOSED(%rdi)
    jne 1f
    movq GOS_CHAN_HEAD(%rdi), %rdx
    addq %rcx, %rdx
    movq %rdx, %r8
    subq GOS_CHAN_CAPACITY(%rdi), %r8
    cmovaeq %r8, %rdx
    movq (%rsi), %r8
    movq %r8, GOS_CHAN_RING(%rdi,%rdx,8)
    incq %rcx
    OWN_CHANNEL_USED
#endif
.endm

.macro RECV_FROM_OWN
#if !GOS_SAN
    OWN_CHANNEL
    testq %rcx, %rcx
    jz 1f
    cmpq $0, GOS_CHAN_SENDERS(%rdi)
    jne 1f
    movq GOS_CHAN_HEAD(%rdi), %rdx
    movq GOS_CHAN_RING(%rdi,%rdx,8), %r8
    movq %r8, (%rsi)
    incq %rdx
    xorl %r8d, %r8d
    cmpq GOS_CHAN_CAPACITY(%rdi), %rdx
    cmoveq %r8, %rdx
    movq %rdx, GOS_CHAN_HEAD(%rdi)
    decq %rcx
    OWN_CHANNEL_USED
#endif
.endm

.macro PARK name, cfn, foreign, first
EXPORT(\name)
.ifnb \first
    \first
.endif
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
    callq gos__wait_unlocked_saving
    jmp 7b
END(\name)
.endm

#endif
#endif
