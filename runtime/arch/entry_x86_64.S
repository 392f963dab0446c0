/*
 * The doors of the runtime: every public function that a task may call is a stub here, so that a call costs the
 * task's stack GOS_ENTRY_BYTES at most. The C code behind runs on the thread's system stack and is ordinary code.
 *
 * While C code of the runtime runs, `in_runtime` is 1: protocol in sched/worker.h ("Biased worker lock").
 * Saved-context layout and its ABI source: ctx_x86_64.h. CFI holds throughout, so backtraces cross the change of
 * stacks from either side.
 */
#include "arch/doors_x86_64.h"

/* Another thread holds our worker (or it is lost), or the task is to be pinned: in C, keeping the call's arguments. */
FUNC(gos__held_up_saving)
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    pushq %rdx
    .cfi_adjust_cfa_offset 8
    pushq %rcx
    .cfi_adjust_cfa_offset 8
    pushq %r8
    .cfi_adjust_cfa_offset 8
    callq gos__held_up
    popq %r8
    .cfi_adjust_cfa_offset -8
    popq %rcx
    .cfi_adjust_cfa_offset -8
    popq %rdx
    .cfi_adjust_cfa_offset -8
    popq %rsi
    .cfi_adjust_cfa_offset -8
    popq %rdi
    .cfi_adjust_cfa_offset -8
    retq
END(gos__held_up_saving)

/* gos__task *gos__next(gos__worker *worker, enum gos__left how): rdi, esi. The task that the worker leaves may run
 * elsewhere by now, or its stack be another one's, so backtraces of the thread end here. */
FUNC(gos__next)
    .cfi_undefined %rip
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    callq gos__next_c
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    retq
END(gos__next)

/* A door of a channel has put a task into the queue, and some worker is idle (S4). rax: gos__self. */
FUNC(gos__met_waking)
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %fs:GOS_THREAD_WORKER(%rax), %rdi
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    callq gos__wake_one
    movq gos__self@gottpoff(%rip), %rcx
    movq %rbp, %rsp
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rcx)
    xorl %eax, %eax
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq
END(gos__met_waking)

/*
 * rax: the task to run, or NULL: leave gos__enter. r13d, r14d: the control words now loaded. On the system stack.
 * The limit word is written before `preempt` is read: whoever preempts writes them in the other order, so a poison
 * that this store erased is seen here (and one lost to store buffering is written again a moment later).
 */
FUNC(gos__resume)
    .cfi_undefined %rip
    movq gos__self@gottpoff(%rip), %rbx
    testq %rax, %rax
    jz gos__leave
    SAN_RESUME %rax
    movb $GOS_STATE_RUNNING, GOS_TASK_STATE(%rax)
    movq GOS_TASK_REGION(%rax), %rdx
    leaq GOS_TASK_TO_LIMIT(%rax), %rcx
    testq %rdx, %rdx
    jnz 5f
    cmpb $GOS_SMALLEST, GOS_TASK_KIND(%rax)
    jne 8f
6:  movq %rax, %fs:GOS_THREAD_TASK(%rbx)
    movq %rcx, %fs:GOS_LIMIT_WORD
    movq $0, %fs:GOS_THREAD_HOT_TASK(%rbx)
    movq GOS_TASK_SP(%rax), %rsp
    cmpl $0, %fs:GOS_THREAD_PREEMPT(%rbx)
    jne 3f
1:  movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rbx)
    xorl GOS_CTX_MXCSR(%rsp), %r13d
    testl $GOS_MXCSR_CONTROL, %r13d
    jne 4f
    cmpw %r14w, GOS_CTX_FPUCW(%rsp)
    jne 4f
2:  movq %fs:GOS_THREAD_ERRNO(%rbx), %rcx
    movswl GOS_CTX_ERRNO(%rsp), %edx
    movl %edx, (%rcx)
    cmpq %rax, %r15
    movl GOS_TASK_RESULT(%rax), %eax
    jne 7f
    /* Back to the caller: a return, which the processor predicted when the call was made. */
    movq GOS_CTX_R15(%rsp), %r15
    movq GOS_CTX_R14(%rsp), %r14
    movq GOS_CTX_R13(%rsp), %r13
    movq GOS_CTX_R12(%rsp), %r12
    movq GOS_CTX_RBX(%rsp), %rbx
    movq GOS_CTX_RBP(%rsp), %rbp
    addq $GOS_CTX_RIP, %rsp
    retq
    /* To another task: a jump, since the return stack belongs to the former. */
7:  movq GOS_CTX_R15(%rsp), %r15
    movq GOS_CTX_R14(%rsp), %r14
    movq GOS_CTX_R13(%rsp), %r13
    movq GOS_CTX_R12(%rsp), %r12
    movq GOS_CTX_RBX(%rsp), %rbx
    movq GOS_CTX_RBP(%rsp), %rbp
    movq GOS_CTX_RIP(%rsp), %rcx
    leaq GOS_CTX_SIZE(%rsp), %rsp
    jmpq *%rcx
3:  cmpl $GOS_PREEMPT_SEEDED, %fs:GOS_THREAD_PREEMPT(%rbx)
    je 9f
10: movq $GOS_POISON, %fs:GOS_LIMIT_WORD
    jmp 1b
9:  movq %fs:GOS_THREAD_SYSTEM_SP(%rbx), %rsp
    SAN_CALL gos__san_enter
    movq %rax, %rdi
    callq gos__seed_turn        /* may decide for another task; this thread may lose its worker by that */
    movq gos__self@gottpoff(%rip), %rbx
    testq %rax, %rax
    jz gos__leave
    SAN_RESUME %rax
    movb $GOS_STATE_RUNNING, GOS_TASK_STATE(%rax)
    movq %rax, %fs:GOS_THREAD_TASK(%rbx)
    movq GOS_TASK_SP(%rax), %rsp
    jmp 10b
4:  ldmxcsr GOS_CTX_MXCSR(%rsp)
    fldcw GOS_CTX_FPUCW(%rsp)
    jmp 2b
5:  movq GOS_REGION_LIMIT(%rdx), %rcx
    jmp 6b
8:  NURSERY_LIMIT %rax, %rcx, %rdx
    jmp 6b
END(gos__resume)

/* void gos__enter(gos__task *task): rdi */
FUNC(gos__enter)
    SAVE_CONTEXT
    movl GOS_CTX_MXCSR(%rsp), %r13d
    movzwl GOS_CTX_FPUCW(%rsp), %r14d
    movq gos__self@gottpoff(%rip), %rbx
    /* 8 (return address) + 56 pushed: rsp is a multiple of 16, as the calls made by the stubs from here need. */
    movq %rsp, %fs:GOS_THREAD_SYSTEM_SP(%rbx)
    movq %rdi, %rax
    xorl %r15d, %r15d
    jmp gos__resume
END(gos__enter)

FUNC(gos__leave_run)
#if GOS_SAN
    andq $-16, %rsp
    callq gos__san_leave
#endif
    movq gos__self@gottpoff(%rip), %rbx
    jmp gos__leave
END(gos__leave_run)

FUNC(gos__leave)
    .cfi_undefined %rip
    movq %fs:GOS_THREAD_SYSTEM_SP(%rbx), %rsp
    .cfi_def_cfa %rsp, GOS_CTX_SIZE
    .cfi_offset %rip, -8
    .cfi_rel_offset %rbp, GOS_CTX_RBP
    .cfi_rel_offset %rbx, GOS_CTX_RBX
    .cfi_rel_offset %r12, GOS_CTX_R12
    .cfi_rel_offset %r13, GOS_CTX_R13
    .cfi_rel_offset %r14, GOS_CTX_R14
    .cfi_rel_offset %r15, GOS_CTX_R15
    movq $0, %fs:GOS_THREAD_TASK(%rbx)
    movq $0, %fs:GOS_LIMIT_WORD
    ldmxcsr GOS_CTX_MXCSR(%rsp)
    fldcw GOS_CTX_FPUCW(%rsp)
    movq GOS_CTX_R15(%rsp), %r15
    movq GOS_CTX_R14(%rsp), %r14
    movq GOS_CTX_R13(%rsp), %r13
    movq GOS_CTX_R12(%rsp), %r12
    movq GOS_CTX_RBX(%rsp), %rbx
    movq GOS_CTX_RBP(%rsp), %rbp
    leaq GOS_CTX_RIP(%rsp), %rsp
    .cfi_def_cfa %rsp, 8
    retq
END(gos__leave)

/*
 * int gos_go(void (*fn)(void *), void *arg): rdi, rsi; gos__go_by: and in whose name, rdx. As PARK, but a child that
 * is to run at once (any task but self that C returns) needs no context: it starts with its parent's control words, fn
 * in rbx, arg in r12, parent in r15.
 */
EXPORT(gos_go)
    movl (%rsp), %edx
    .globl gos__go_by
    .hidden gos__go_by
    .type gos__go_by, @function
gos__go_by:
    movq gos__self@gottpoff(%rip), %rax
    movq %fs:GOS_THREAD_TASK(%rax), %rcx
    testq %rcx, %rcx
    jz gos__go_foreign
    ENTER_PARKING
    movq %rdi, %rbx
    movq %rsi, %r12
    callq gos__go
    cmpq %rax, %r15
    je 2f
    .cfi_remember_state
    .cfi_undefined %rip         /* the parent's frames are not ours any more */
    movq gos__self@gottpoff(%rip), %rdx
    SAN_RESUME %rax
    movq GOS_TASK_REGION(%rax), %rcx
    movq %rax, %rsp
    leaq GOS_TASK_TO_LIMIT(%rax), %rsi
    testq %rcx, %rcx
    jnz 5f
    cmpb $GOS_SMALLEST, GOS_TASK_KIND(%rax)
    jne 4f
6:  movq %rax, %fs:GOS_THREAD_TASK(%rdx)
    movq %rsi, %fs:GOS_LIMIT_WORD   /* before `preempt`, as in gos__resume */
    movq %fs:GOS_THREAD_ERRNO(%rdx), %rcx
    cmpl $0, %fs:GOS_THREAD_PREEMPT(%rdx)
    jne 3f
1:  movl $0, (%rcx)
    movl $0, %fs:GOS_THREAD_IN_RUNTIME(%rdx)
    jmp gos__task_start
3:  movq $GOS_POISON, %fs:GOS_LIMIT_WORD
    jmp 1b
4:  NURSERY_LIMIT %rax, %rsi, %rcx
    jmp 6b
5:  movq GOS_REGION_LIMIT(%rcx), %rsi
    leaq -GOS_SAN_BYTES(%rcx), %rsp
    jmp 6b
    .cfi_restore_state
2:  CONTROL_WORDS %rbp
    jmp gos__resume
    WAIT_UNLOCKED
END(gos_go)

/*
 * First code of a task: fn in rbx, its argument in r12. rip is undefined here, so that backtraces end. In r15 is the
 * parent whose gos_go came here, if any: when that is also who goes on after the task, the processor has its return
 * address on top of its own stack of them, and gos__resume returns to it.
 */
FUNC(gos__task_start)
    .cfi_undefined %rip
    movq %r12, %rdi
    xorl %ebp, %ebp
    callq *%rbx
    /* gos_exit, but nothing of the task is saved, and only the control words, which stay loaded, are looked at. */
    movq gos__self@gottpoff(%rip), %rax
    subq $8, %rsp
    stmxcsr GOS_CTX_MXCSR(%rsp)
    fnstcw GOS_CTX_FPUCW(%rsp)
    movq %rsp, %r12
    movq %fs:GOS_THREAD_TASK(%rax), %rcx
    movl $1, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    movq %fs:GOS_THREAD_SYSTEM_SP(%rax), %rsp
    SAN_CALL gos__san_enter
    cmpq $0, %fs:GOS_THREAD_LOCKED(%rax)
    jne 8f
7:  SAN_CALL gos__san_holds
    CONTROL_WORDS %r12          /* late: see SAVE_CONTEXT */
    callq gos__exit
    jmp gos__resume
    WAIT_UNLOCKED
END(gos__task_start)

/* The same for the main task, whose function returns an int. */
FUNC(gos__main_start)
    .cfi_undefined %rip
    movq %r12, %rdi
    xorl %ebp, %ebp
    callq *%rbx
    movl %eax, %edi
    callq gos__main_end
    ud2
END(gos__main_start)

PARK gos__main_end, gos__main_returned, gos__foreign_gos_exit
PARK gos_yield, gos__yield, gos__foreign_gos_yield
PARK gos__yield_preempted, gos__preempted, gos__foreign_gos_yield
CALL gos__preempt_over, gos__caught_restore
OUTSIDE gos_yield
PARK gos_exit, gos__exit_asked, gos__foreign_gos_exit
OUTSIDE gos_exit
PARK gos_sleep, gos__sleep, gos__foreign_gos_sleep
OUTSIDE gos_sleep
PARK gos__fd_park, gos__fd_park_c, gos__foreign_gos__fd_park
OUTSIDE gos__fd_park
PARK gos_procs, gos__procs, gos__procs_foreign
MAY_PARK gos_chan_send, gos__chan_send, gos__chan_send_parks, gos__chan_send_outside, SEND_TO_OWN
MAY_PARK gos_chan_recv, gos__chan_recv, gos__chan_recv_parks, gos__chan_recv_outside, RECV_FROM_OWN
MAY_PARK gos_select, gos__select, gos__select_parks, gos__select_outside
PARK gos__chan_until_door, gos__chan_until, gos__chan_until_outside

/* int gos_chan_send_until(gos_chan *chan, const void *elem, int64_t deadline): rdi, rsi, rdx; and recv_until: by a
 * gos_case in the frame. From outside tasks the same without a deadline. */
.macro CASE op
    subq $40, %rsp
    .cfi_adjust_cfa_offset 40
    movq %rdi, GOS_CASE_CHAN(%rsp)
    movl $\op, GOS_CASE_OP(%rsp)
    movq %rsi, GOS_CASE_ELEM(%rsp)
    movq %rsp, %rdi
    movq %rdx, %rsi
    callq gos__chan_until_door
    testl %eax, %eax
    cmovzl GOS_CASE_RESULT(%rsp), %eax
    addq $40, %rsp
    .cfi_adjust_cfa_offset -40
    retq
.endm

EXPORT(gos_chan_send_until)
    CASE GOS_CASE_SEND
END(gos_chan_send_until)
EXPORT(gos_chan_recv_until)
    CASE GOS_CASE_RECV
END(gos_chan_recv_until)
FUNC(gos__chan_send_outside)
    movabsq $GOS_NO_DEADLINE, %rdx
    jmp gos_chan_send_until
END(gos__chan_send_outside)
FUNC(gos__chan_recv_outside)
    movabsq $GOS_NO_DEADLINE, %rdx
    jmp gos_chan_recv_until
END(gos__chan_recv_outside)
/* void *__morestack_allocate_stack_space(size_t): what checked code calls when an alloca does not fit (gcc's and LLVM's
 * name). To define it also keeps libgcc's split-stack runtime out. */
EXPORT(__morestack_allocate_stack_space)
    leaq 8(%rsp), %rsi
    jmp gos__alloca_entry
END(__morestack_allocate_stack_space)
CALL gos__alloca_entry, gos__alloca
#include "arch/entry_names.inc"

/* int *gos_errno(void): the same function under a name that the compiler knows nothing of. */
EXPORT(gos_errno)
    jmp __errno_location@PLT
END(gos_errno)

/* Brings posix_x86_64.S into every program that has tasks, also when shared libraries alone make its calls. */
    .section .rodata
    .long gos__posix - .

NO_EXECUTABLE_STACK
/* To the linker this file is checked code: it needs no more stack than every checked frame leaves below it. */
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
