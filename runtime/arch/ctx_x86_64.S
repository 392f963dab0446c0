/*
 * void gos__ctx_switch(void **from, void *to)        rdi, rsi
 *
 * Saves what the ABI says belongs to the caller (layout and source: ctx_x86_64.h) and takes up `to`. The control
 * words are loaded only where they differ, since ldmxcsr and fldcw cost more than the whole rest (a switch of 2 ns
 * became one of 60 on a Sapphire Rapids); MXCSR's sticky exception flags differ all the time and are not compared.
 * They are stored first, since a load does not get what stmxcsr stored before that has left the pipeline.
 * The last step is a jump through a register: a `ret` would be mispredicted, as its return-stack entry belongs to
 * another stack.
 */
#include "arch/asm.h"
#include "arch/ctx_x86_64.h"

FUNC(gos__ctx_switch)
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
    movl GOS_CTX_MXCSR(%rsp), %eax
    movzwl GOS_CTX_FPUCW(%rsp), %ecx
    movq %rsp, (%rdi)
    movq %rsi, %rsp             /* from here on the other stack; its saved frame has the same shape */
    xorl GOS_CTX_MXCSR(%rsp), %eax
    testl $GOS_MXCSR_CONTROL, %eax
    jne 2f
    cmpw %cx, GOS_CTX_FPUCW(%rsp)
    jne 2f
1:  movq GOS_CTX_R15(%rsp), %r15
    movq GOS_CTX_R14(%rsp), %r14
    movq GOS_CTX_R13(%rsp), %r13
    movq GOS_CTX_R12(%rsp), %r12
    movq GOS_CTX_RBX(%rsp), %rbx
    movq GOS_CTX_RBP(%rsp), %rbp
    movq GOS_CTX_RIP(%rsp), %rcx
    .cfi_remember_state
    leaq GOS_CTX_SIZE(%rsp), %rsp
    .cfi_def_cfa_offset 0
    .cfi_register %rip, %rcx
    .cfi_same_value %rbp
    .cfi_same_value %rbx
    .cfi_same_value %r12
    .cfi_same_value %r13
    .cfi_same_value %r14
    .cfi_same_value %r15
    jmpq *%rcx
    .cfi_restore_state
2:  ldmxcsr GOS_CTX_MXCSR(%rsp)
    fldcw GOS_CTX_FPUCW(%rsp)
    jmp 1b
END(gos__ctx_switch)

/* First code of a fresh context: rbx = fn, r12 = arg. rip is undefined here, so that backtraces end. */
FUNC(gos__ctx_start)
    .cfi_undefined %rip
    movq %r12, %rdi
    xorl %ebp, %ebp
    callq *%rbx
    ud2
END(gos__ctx_start)

NO_EXECUTABLE_STACK
