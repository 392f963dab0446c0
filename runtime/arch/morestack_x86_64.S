/*
 * __morestack and __morestack_non_split: what a checked prologue calls when the stack pointer is below the limit.
 *
 * gcc's and clang's protocol (gcc/config/i386/i386.md, split_stack_prologue; LLVM's X86FrameLowering):
 *     mov $frame, %r10d ; mov $argument_bytes, %r11d ; call __morestack ; ret ; body...
 * The body begins one byte after the return address. With room it is enough to return there; otherwise the body is
 * called on another stack, and its return goes to the `ret`. All argument registers and rax (variadic calls) are live
 * on entry; on return rax, rdx, xmm0-1 and st0-1 are. The name is kept since gdb knows it.
 *
 * lld makes a function that calls unchecked code call __morestack_non_split, always (small frames) or when less than
 * 16 KiB are left (large ones).
 *
 * Fast path: from the nursery onto one of the thread's spare regions and back, stack arguments copied. Everything else,
 * a preemption included, asks C on the system stack: gos__grow before the body, gos__shrink after it (stack/grow.c).
 *
 * A loop that crosses at every turn crosses where a call happens to reach the limit, often several times in calls
 * further up that would need to do it once. So a task that has crossed GOS_HOT_CROSSINGS times without a park finds
 * the limit of its nursery raised by a step, until it parks: then the calls above cross in place of those that they
 * make, up to the one that the loop itself makes.
 *
 * Frame while the body runs (on the stack that was left): rbp-24 to rbp-8 scratch, rbp: caller's rbp, rbp+8 return
 * address into the prologue, rbp+16 the function's own return address, rbp+24 its stack arguments.
 */
#include "arch/asm.h"
#include "arch/state.h"

/* Spill of everything that may hold an argument, on the system stack. */
#define SPILL_RAX 0
#define SPILL_RDX 8
#define SPILL_RCX 16
#define SPILL_RSI 24
#define SPILL_RDI 32
#define SPILL_R8 40
#define SPILL_R9 48
#define SPILL_R10 56
#define SPILL_R11 64
#define SPILL_WIDTH 72
#define SPILL_VECTORS 80
#define SPILL_CAUGHT (SPILL_VECTORS + 8 * 64) /* struct gos__caught, of a preempted task */
#define SPILL_SIZE (SPILL_CAUGHT + 16)

/*
 * While the body runs, unwinding goes straight on to the function's caller: its own frame is the body's, and its
 * prologue, to which the body will return, is in no table of exception handlers.
 */
#define BODY_CFI                                                                                                       \
    .cfi_def_cfa %rbp, 24;                                                                                             \
    .cfi_offset %rip, -8;                                                                                              \
    .cfi_offset %rbp, -24
#define PROLOGUE_CFI                                                                                                   \
    .cfi_def_cfa %rbp, 16;                                                                                             \
    .cfi_offset %rip, -8;                                                                                              \
    .cfi_offset %rbp, -16

#define LEA_ARGUMENTS 0x185d8d4c /* its bytes, lowest first */

/*
 * The body runs where it is: rsp as on entry, r10 and r11 free. gcc's variadic functions begin it by finding their
 * stack arguments through the frame that a crossing would have left, lea 24(%rbp), %r11: there is none, so that
 * instruction is done here and stepped over.
 */
.macro BODY_IN_PLACE
    movq (%rsp), %r10
    incq (%rsp)
    cmpl $LEA_ARGUMENTS, 1(%r10)
    jne 9f
    leaq 16(%rsp), %r11
    addq $4, (%rsp)
9:  retq
.endm

EXPORT(__morestack_non_split)
    /* Without a task: any thread's ordinary stack, where there is room. */
    movq %r11, -8(%rsp)
    movq gos__self@gottpoff(%rip), %r11
    cmpl $0, %fs:GOS_THREAD_IN_RUNTIME(%r11)
    jne 1f                      /* a signal handler above runtime code, whose stack the slow path would use */
    movq %fs:GOS_THREAD_TASK(%r11), %r11
    testq %r11, %r11
    jz 1f
    cmpq $GOS_POISON, %fs:GOS_LIMIT_WORD
    je 2f
    movq GOS_TASK_REGION(%r11), %r11
    testq %r11, %r11
    jz 2f
    movq GOS_REGION_UNCHECKED_LIMIT(%r11), %r11
    addq %r10, %r11
    cmpq %r11, %rsp
    jb 2f
1:  BODY_IN_PLACE
2:  movq -8(%rsp), %r11
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rax, -8(%rbp)
    movq $1, -24(%rbp)          /* unchecked code will run */
    jmp gos__morestack_fast
END(__morestack_non_split)

EXPORT(__morestack)
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rax, -8(%rbp)
    movq $0, -24(%rbp)

    /* r10: frame, r11: argument bytes; -8(%rbp): the caller's rax, -24(%rbp): 1 when unchecked code will run. */
    .globl gos__morestack_fast
    .hidden gos__morestack_fast
gos__morestack_fast:
    cmpq $GOS_FAST_FRAME, %r10
    ja gos__morestack_slow
    movl %r10d, -16(%rbp)
    movl %r11d, -12(%rbp)
    movq gos__self@gottpoff(%rip), %r11
    movq %fs:GOS_THREAD_TASK(%r11), %rax
    movq %rax, %r10
    subq %rsp, %r10             /* on the nursery? Not without a task, nor on any other stack */
    cmpq $GOS_NURSERY_MAX - GOS_TASK_SIZE, %r10
    jae 3f
    cmpq $0, GOS_TASK_REGION(%rax)
    jne 3f
    movq %fs:GOS_THREAD_SPARE(%r11), %r10
    testq %r10, %r10
    jz gos__morestack_refill
gos__morestack_spare:
    movq %r10, GOS_TASK_REGION(%rax)
    movq %rax, GOS_REGION_OWNER(%r10)
    cmpl $0, -12(%rbp)
    jne gos__morestack_arguments
    movq %r10, %rsp             /* the region's header is its top */
gos__morestack_placed:
    movq $0, %fs:GOS_THREAD_SPARE(%r11)
    movq GOS_REGION_LIMIT(%r10), %r10
    movq %r10, %fs:GOS_LIMIT_WORD
    cmpl $0, %fs:GOS_THREAD_PREEMPT(%r11)
    jne 4f                      /* the store may have erased a poison */
    movq 8(%rbp), %r10
    incq %r10
    movq -8(%rbp), %rax
    BODY_CFI
    callq *%r10
    PROLOGUE_CFI

    /* The body has returned, perhaps on another thread. rbp is ours again, so the left stack is found. */
    .globl gos__morestack_back
    .hidden gos__morestack_back
gos__morestack_back:
    movq gos__self@gottpoff(%rip), %r11
    movq %fs:GOS_THREAD_TASK(%r11), %rcx
    movq GOS_TASK_REGION(%rcx), %r10
    cmpl $0, GOS_REGION_PLAIN(%r10)
    je 5f
    cmpq $0, %fs:GOS_THREAD_SPARE(%r11)
    jne 6f
    movq %r10, %fs:GOS_THREAD_SPARE(%r11)
gos__morestack_left:
    movq %rbp, %rsp
    movq $0, GOS_TASK_REGION(%rcx)
    cmpq %rcx, %fs:GOS_THREAD_HOT_TASK(%r11)
    jne gos__morestack_first
    decl %fs:GOS_THREAD_HOT_LEFT(%r11)
    jz gos__morestack_hot
    movq %fs:GOS_THREAD_EDGE(%r11), %r10
8:  movq %r10, %fs:GOS_LIMIT_WORD
    cmpl $0, %fs:GOS_THREAD_PREEMPT(%r11)
    jne 2f
1:  popq %rbp
    .cfi_def_cfa %rsp, 8
    retq

    .cfi_def_cfa %rbp, 16
2:  movq $GOS_POISON, %fs:GOS_LIMIT_WORD
    jmp 1b
gos__morestack_first:
    movq %rcx, %fs:GOS_THREAD_HOT_TASK(%r11)
    movl $GOS_HOT_CROSSINGS, %fs:GOS_THREAD_HOT_LEFT(%r11)
    NURSERY_LIMIT %rcx, %r10, %rsi
7:  movq %r10, %fs:GOS_THREAD_EDGE(%r11)
    jmp 8b
gos__morestack_hot:
    movl $GOS_HOT_CROSSINGS, %fs:GOS_THREAD_HOT_LEFT(%r11)
    movq %fs:GOS_THREAD_EDGE(%r11), %r10
    leaq 16+GOS_HOT_REACH(%rbp), %rsi
    cmpq %rbp, %r10
    cmovbq %rbp, %r10
    addq $GOS_HOT_STEP, %r10
    cmpq %rsi, %r10
    cmovaq %rsi, %r10
    cmpq %fs:GOS_THREAD_EDGE(%r11), %r10 /* and never lower */
    cmovbq %fs:GOS_THREAD_EDGE(%r11), %r10
    cmpq %rcx, %r10
    cmovaq %rcx, %r10
    jmp 7b
    /* One spare region is in use further up, or back already: the others, in a list. */
6:  cmpl $GOS_SPARES, %fs:GOS_THREAD_SPARES(%r11)
    jae 5f
    movq %fs:GOS_THREAD_MORE_SPARES(%r11), %rsi
    movq %rsi, GOS_REGION_NEXT(%r10)
    movq %r10, %fs:GOS_THREAD_MORE_SPARES(%r11)
    incl %fs:GOS_THREAD_SPARES(%r11)
    jmp gos__morestack_left
    /* The slice is over: the region back, and ask. */
4:  movq %fs:GOS_THREAD_TASK(%r11), %rax
    movq GOS_TASK_REGION(%rax), %r10
    movq %r10, %fs:GOS_THREAD_SPARE(%r11)
    movq $0, GOS_TASK_REGION(%rax)
    movq $GOS_POISON, %fs:GOS_LIMIT_WORD
    jmp 3f
gos__morestack_refill:
    movq %fs:GOS_THREAD_MORE_SPARES(%r11), %r10
    testq %r10, %r10
    jz 3f
    movq GOS_REGION_NEXT(%r10), %rax
    movq %rax, %fs:GOS_THREAD_MORE_SPARES(%r11)
    decl %fs:GOS_THREAD_SPARES(%r11)
    movq %fs:GOS_THREAD_TASK(%r11), %rax
    jmp gos__morestack_spare
    /*
     * As many as there are, of a thunk that cannot know: what lies between them and the header. Both stacks begin at
     * a multiple of 64, and so each argument keeps its address modulo 64: it may be aligned to a vector's size. xmm15
     * is free here.
     */
gos__morestack_arguments:
    subq %rbp, %rax
    subq $24, %rax
    movq %r10, %rsp
    subq %rax, %rsp
    movl -12(%rbp), %r11d
    cmpq %rax, %r11
    cmovaq %rax, %r11
    testb $8, %r11b
    jz 2f
    movq 16(%rbp,%r11), %rax
    movq %rax, -8(%rsp,%r11)
    subq $8, %r11
2:  testq %r11, %r11
    jz 2f
1:  movups 8(%rbp,%r11), %xmm15
    movups %xmm15, -16(%rsp,%r11)
    subq $16, %r11
    ja 1b
2:  movq gos__self@gottpoff(%rip), %r11
    jmp gos__morestack_placed

3:  movl -16(%rbp), %r10d
    movl -12(%rbp), %r11d
    /* r10, r11, -8(%rbp), -24(%rbp): as for gos__morestack_fast; there bit 1: this call has already been preempted. */
    .globl gos__morestack_slow
    .hidden gos__morestack_slow
gos__morestack_slow:
    movq %rcx, -16(%rbp)
    movq gos__self@gottpoff(%rip), %rcx
    cmpq $0, %fs:GOS_THREAD_TASK(%rcx)
    je 1f                       /* a poison that came late, when the thread has left its task */
    cmpl $0, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    jne 1f                      /* a signal handler above runtime code, whose stack would be used */
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    movq %fs:GOS_THREAD_SYSTEM_SP(%rcx), %rsp
    subq $SPILL_SIZE, %rsp
    movq %rdx, SPILL_RDX(%rsp)
    movq %rsi, SPILL_RSI(%rsp)
    movq %rdi, SPILL_RDI(%rsp)
    movq %r8, SPILL_R8(%rsp)
    movq %r9, SPILL_R9(%rsp)
    movq -8(%rbp), %rdx
    movq %rdx, SPILL_RAX(%rsp)
    movq -16(%rbp), %rdx
    movq %rdx, SPILL_RCX(%rsp)
    callq gos__spill_vectors
    cmpq $GOS_POISON, %fs:GOS_LIMIT_WORD
    je gos__morestack_preempted
gos__morestack_unpreempted:
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rcx)
    je 6f
    pushq %r10
    pushq %r11
    callq gos__wait_unlocked
    popq %r11
    popq %r10
6:  movq %r10, %rdi             /* uintptr_t gos__grow(frame, arguments, unchecked, left_sp) */
    movq %r11, %rsi
    movl -24(%rbp), %edx
    andl $1, %edx
    leaq 16(%rbp), %rcx
    callq gos__grow
gos__morestack_decided:
    callq gos__fill_vectors
    movq %rax, %r10
    movq SPILL_RAX(%rsp), %rax
    movq SPILL_RDX(%rsp), %rdx
    movq SPILL_RCX(%rsp), %rcx
    movq SPILL_RSI(%rsp), %rsi
    movq SPILL_RDI(%rsp), %rdi
    movq SPILL_R8(%rsp), %r8
    movq SPILL_R9(%rsp), %r9
    movq gos__self@gottpoff(%rip), %r11
    testq %r10, %r10
    jz 7f
    movq %r10, %rsp             /* a new stack, with the stack arguments copied to its top */
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%r11)
    movq 8(%rbp), %r10
    incq %r10
    BODY_CFI
    callq *%r10
    PROLOGUE_CFI
    jmp gos__morestack_back
7:  movl $0, %fs:GOS_THREAD_IN_RUNTIME(%r11)
    jmp 2f                      /* there is room where we are */
1:  movq -16(%rbp), %rcx
    movq -8(%rbp), %rax
2:  movq %rbp, %rsp
    popq %rbp
    .cfi_def_cfa %rsp, 8
    BODY_IN_PLACE

    .cfi_def_cfa %rbp, 16
5:  movl $1, %fs:GOS_THREAD_IN_RUNTIME(%r11)
    movq %fs:GOS_THREAD_SYSTEM_SP(%r11), %rsp
    subq $SPILL_SIZE, %rsp
    movq %rax, SPILL_RAX(%rsp)
    movq %rdx, SPILL_RDX(%rsp)
    callq gos__spill_vectors
    cmpl $0, %fs:GOS_THREAD_LOCKED(%r11)
    je 8f
    callq gos__wait_unlocked
8:  leaq 16(%rbp), %rdi         /* void gos__shrink(left_sp) */
    callq gos__shrink
    callq gos__fill_vectors
    movq SPILL_RAX(%rsp), %rax
    movq SPILL_RDX(%rsp), %rdx
    movq gos__self@gottpoff(%rip), %r11
    movq %rbp, %rsp
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%r11)
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq

    /*
     * Somebody poisoned the limit: the slice is over. The spilled registers move to a place on the task's own stacks
     * (C finds or borrows one), since it may go on on another thread. Then the question is asked again; a region
     * borrowed for this is found to be out of use there and given back.
     */
    .cfi_def_cfa %rbp, 16
gos__morestack_preempted:
    testb $2, -24(%rbp)         /* once a call: under GOS_SEED the limit stays poisoned */
    jnz gos__morestack_unpreempted
    orb $2, -24(%rbp)
    movq %r10, SPILL_R10(%rsp)
    movq %r11, SPILL_R11(%rsp)
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rcx)
    je 9f
    callq gos__wait_unlocked
9:  leaq 16(%rbp), %rdi         /* void *gos__preempt_at(left_sp, spill, size) */
    movq %rsp, %rsi
    movl $SPILL_SIZE, %edx
    callq gos__preempt_at
    testq %rax, %rax
    jz gos__morestack_decided   /* not on a stack of ours: later */
    movq %rax, %rsp
    movq gos__self@gottpoff(%rip), %rcx
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    callq gos__yield_preempted
    leaq SPILL_CAUGHT(%rsp), %rdi
    callq gos__preempt_over
    callq gos__fill_vectors
    movq SPILL_RDX(%rsp), %rdx
    movq SPILL_RSI(%rsp), %rsi
    movq SPILL_R8(%rsp), %r8
    movq SPILL_R9(%rsp), %r9
    movq SPILL_R10(%rsp), %r10
    movq SPILL_R11(%rsp), %r11
    /* Registers without an argument held what other tasks and the runtime left there: stack/clear.c. */
    pushq SPILL_RDI(%rsp)
    leaq 8(%rsp), %rdi
    xorl %eax, %eax
    movl $SPILL_SIZE/8, %ecx
    rep stosq
    movq (%rsp), %rdi
    movq $0, (%rsp)
    movq -16(%rbp), %rcx
    movq %rbp, %rsp
    jmp gos__morestack_slow
END(__morestack)

/*
 * The vector registers that can hold arguments or results, as wide as they are in use: C code between would leave the
 * upper parts undefined. Above the return address: the spill area. xmm15 is free at calls and returns.
 */
FUNC(gos__spill_vectors)
    cmpl $16, gos__vector_bytes(%rip)
    jne 3f
4:  movl $16, 8+SPILL_WIDTH(%rsp)
    movups %xmm0, 8+SPILL_VECTORS+0*64(%rsp)
    movups %xmm1, 8+SPILL_VECTORS+1*64(%rsp)
    movups %xmm2, 8+SPILL_VECTORS+2*64(%rsp)
    movups %xmm3, 8+SPILL_VECTORS+3*64(%rsp)
    movups %xmm4, 8+SPILL_VECTORS+4*64(%rsp)
    movups %xmm5, 8+SPILL_VECTORS+5*64(%rsp)
    movups %xmm6, 8+SPILL_VECTORS+6*64(%rsp)
    movups %xmm7, 8+SPILL_VECTORS+7*64(%rsp)
    retq
1:  movl $32, 8+SPILL_WIDTH(%rsp)
    vmovups %ymm0, 8+SPILL_VECTORS+0*64(%rsp)
    vmovups %ymm1, 8+SPILL_VECTORS+1*64(%rsp)
    vmovups %ymm2, 8+SPILL_VECTORS+2*64(%rsp)
    vmovups %ymm3, 8+SPILL_VECTORS+3*64(%rsp)
    vmovups %ymm4, 8+SPILL_VECTORS+4*64(%rsp)
    vmovups %ymm5, 8+SPILL_VECTORS+5*64(%rsp)
    vmovups %ymm6, 8+SPILL_VECTORS+6*64(%rsp)
    vmovups %ymm7, 8+SPILL_VECTORS+7*64(%rsp)
    retq
2:  movl $64, 8+SPILL_WIDTH(%rsp)
    vmovups %zmm0, 8+SPILL_VECTORS+0*64(%rsp)
    vmovups %zmm1, 8+SPILL_VECTORS+1*64(%rsp)
    vmovups %zmm2, 8+SPILL_VECTORS+2*64(%rsp)
    vmovups %zmm3, 8+SPILL_VECTORS+3*64(%rsp)
    vmovups %zmm4, 8+SPILL_VECTORS+4*64(%rsp)
    vmovups %zmm5, 8+SPILL_VECTORS+5*64(%rsp)
    vmovups %zmm6, 8+SPILL_VECTORS+6*64(%rsp)
    vmovups %zmm7, 8+SPILL_VECTORS+7*64(%rsp)
    retq
    /* Which state components are not in their initial state (Intel SDM vol. 1, 13.1): 2: upper halves of ymm, 6: of
     * zmm0-15. Filling wide registers that the code does not use would slow all its SSE code down. */
3:  cmpl $GOS_VECTORS_ALWAYS, gos__vector_bytes(%rip)
    jae 7f
    movq %rax, %xmm15
    pushq %rcx
    .cfi_adjust_cfa_offset 8
    pushq %rdx
    .cfi_adjust_cfa_offset 8
    movl $1, %ecx
    xgetbv
    popq %rdx
    .cfi_adjust_cfa_offset -8
    popq %rcx
    .cfi_adjust_cfa_offset -8
    testl $0x40, %eax
    jnz 6f
    testl $0x04, %eax
    jnz 5f
    movq %xmm15, %rax
    jmp 4b
5:  movq %xmm15, %rax
    jmp 1b
6:  movq %xmm15, %rax
    jmp 2b
7:  cmpl $GOS_VECTORS_ALWAYS + 32, gos__vector_bytes(%rip)
    je 1b
    jmp 2b
END(gos__spill_vectors)

FUNC(gos__fill_vectors)
    cmpl $32, 8+SPILL_WIDTH(%rsp)
    je 1f
    ja 2f
    movups 8+SPILL_VECTORS+0*64(%rsp), %xmm0
    movups 8+SPILL_VECTORS+1*64(%rsp), %xmm1
    movups 8+SPILL_VECTORS+2*64(%rsp), %xmm2
    movups 8+SPILL_VECTORS+3*64(%rsp), %xmm3
    movups 8+SPILL_VECTORS+4*64(%rsp), %xmm4
    movups 8+SPILL_VECTORS+5*64(%rsp), %xmm5
    movups 8+SPILL_VECTORS+6*64(%rsp), %xmm6
    movups 8+SPILL_VECTORS+7*64(%rsp), %xmm7
    retq
1:  vmovups 8+SPILL_VECTORS+0*64(%rsp), %ymm0
    vmovups 8+SPILL_VECTORS+1*64(%rsp), %ymm1
    vmovups 8+SPILL_VECTORS+2*64(%rsp), %ymm2
    vmovups 8+SPILL_VECTORS+3*64(%rsp), %ymm3
    vmovups 8+SPILL_VECTORS+4*64(%rsp), %ymm4
    vmovups 8+SPILL_VECTORS+5*64(%rsp), %ymm5
    vmovups 8+SPILL_VECTORS+6*64(%rsp), %ymm6
    vmovups 8+SPILL_VECTORS+7*64(%rsp), %ymm7
    retq
2:  vmovups 8+SPILL_VECTORS+0*64(%rsp), %zmm0
    vmovups 8+SPILL_VECTORS+1*64(%rsp), %zmm1
    vmovups 8+SPILL_VECTORS+2*64(%rsp), %zmm2
    vmovups 8+SPILL_VECTORS+3*64(%rsp), %zmm3
    vmovups 8+SPILL_VECTORS+4*64(%rsp), %zmm4
    vmovups 8+SPILL_VECTORS+5*64(%rsp), %zmm5
    vmovups 8+SPILL_VECTORS+6*64(%rsp), %zmm6
    vmovups 8+SPILL_VECTORS+7*64(%rsp), %zmm7
    retq
END(gos__fill_vectors)

/* What is between here and __morestack_non_split, debug/backtrace.c takes for crossings. */
FUNC(gos__morestack_end)
    ud2
END(gos__morestack_end)

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
