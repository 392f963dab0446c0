/*
 * The doors of the runtime: every public function that a task may call is a stub here, so that a call costs the
 * task's stack GOS_ENTRY_BYTES at most. The C code behind runs on the thread's system stack and is ordinary code.
 *
 * While C code of the runtime runs, `in_runtime` is 1: protocol in sched/worker.h ("Biased worker lock").
 * Saved-context layout and its ABI source: ctx_x86_64.h. CFI holds throughout, so backtraces cross the change of
 * stacks from either side.
 */
#include "arch/doors_x86_64.h"

/* Another thread holds our worker (or it is lost): wait in C, keeping the arguments of the call. */
FUNC(gos__wait_unlocked_saving)
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
    callq gos__wait_unlocked
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
END(gos__wait_unlocked_saving)

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
7:
    movq GOS_CTX_R15(%rsp), %r15
    movq GOS_CTX_R14(%rsp), %r14
    movq GOS_CTX_R13(%rsp), %r13
    movq GOS_CTX_R12(%rsp), %r12
    movq GOS_CTX_RBX(%rsp), %rbx
    movq GOS_CTX_RBP(%rsp), %rbp
    movq GOS_CTX_RIP(%rsp), %rcx
    leaq GOS_CTX_SIZE(%rsp), %rsp
    jmpq *%rcx
3:  movq $GOS_POISON, %fs:GOS_LIMIT_WORD
    jmp 1b
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
 * int gos_go(void (*fn)(void *), void *arg): rdi, rsi. As PARK, but a child that is to run at once (any task but self
 * that C returns) needs no context: it starts with its parent's control words, fn in rbx, arg in r12, parent in r15.
 */
EXPORT(gos_go)
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
    cmpl $0, %fs:GOS_THREAD_LOCKED(%rax)
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
OUTSIDE gos_yield
PARK gos_exit, gos__exit, gos__foreign_gos_exit
OUTSIDE gos_exit
PARK gos_sleep, gos__sleep, gos__foreign_gos_sleep
OUTSIDE gos_sleep
PARK gos__fd_park, gos__fd_park_c, gos__foreign_gos__fd_park
OUTSIDE gos__fd_park
PARK gos_procs, gos__procs, gos__procs_foreign
MAY_PARK gos_chan_send, gos__chan_send, gos__chan_send_parks, gos__foreign_gos_chan_send, SEND_TO_OWN
OUTSIDE gos_chan_send
MAY_PARK gos_chan_recv, gos__chan_recv, gos__chan_recv_parks, gos__foreign_gos_chan_recv, RECV_FROM_OWN
OUTSIDE gos_chan_recv
PARK gos__mutex_park, gos__mutex_lock, gos__mutex_lock_outside
PARK gos__waitgroup_park, gos__waitgroup_wait, gos__waitgroup_wait_outside
MAY_PARK gos_select, gos__select, gos__select_parks, gos__foreign_gos_select
OUTSIDE gos_select
PARK gos_rwmutex_rlock_until, gos__rwmutex_rlock, gos__rwmutex_rlock_outside
PARK gos_rwmutex_lock_until, gos__rwmutex_lock, gos__rwmutex_lock_outside
PARK gos_cond_wait_until, gos__cond_wait, gos__cond_wait_outside
PARK gos_sem_acquire_until, gos__sem_acquire, gos__sem_acquire_outside
PARK gos__once_begin, gos__once_enter, gos__once_enter_outside

/* The same for ever: only the deadline, in its register, is added. */
.macro FOR_EVER name, register
EXPORT(\name)
    movabsq $GOS_NO_DEADLINE, \register
    jmp \name\()_until
END(\name)
.endm
FOR_EVER gos_rwmutex_rlock, %rsi
FOR_EVER gos_rwmutex_lock, %rsi
FOR_EVER gos_cond_wait, %rdx
FOR_EVER gos_sem_acquire, %rdx

/* void *__morestack_allocate_stack_space(size_t): what checked code calls when an alloca does not fit (gcc's and LLVM's
 * name). To define it also keeps libgcc's split-stack runtime out. */
EXPORT(__morestack_allocate_stack_space)
    leaq 8(%rsp), %rsi
    jmp gos__alloca_entry
END(__morestack_allocate_stack_space)
CALL gos__alloca_entry, gos__alloca
CALL gos_run, gos__run
CALL gos_ntasks, gos__ntasks
CALL gos_dump, gos__dump
CALL gos_stats_read, gos__stats_read
CALL gos_pin, gos__pin
CALL gos_unpin, gos__unpin
CALL gos_block_begin, gos__block_begin
CALL gos_block_end, gos__block_end
CALL gos_now, gos__now
CALL gos__fd_done, gos__fd_done_c
CALL gos__fd_alloc, gos__fd_alloc_c
CALL gos__fd_free, gos__fd_free_c
CALL gos__fd_closing, gos__fd_closing_c
CALL gos__fd_closed, gos__fd_closed_c
CALL gos__fd_close_range, gos__fd_close_range_c
CALL gos__lot_enlist, gos__lot_enlist_c
CALL gos__lot_leave, gos__lot_leave_c
CALL gos__lot_wake_from, gos__lot_wake_task
CALL gos__fd_born, gos__fd_born_c
CALL gos__fd_changed, gos__fd_changed_c
CALL gos__fd_duplicated, gos__fd_duplicated_c
CALL gos_chan_new, gos__chan_new
CALL gos_chan_free, gos__chan_free
CALL gos_chan_try_send, gos__chan_try_send
CALL gos_chan_try_recv, gos__chan_try_recv
CALL gos_chan_close, gos__chan_close
CALL gos_chan_len, gos__chan_len
CALL gos_chan_cap, gos__chan_cap
CALL gos_mutex_trylock, gos__mutex_trylock
CALL gos__mutex_leave, gos__mutex_unlock
#if GOS_TSAN /* which has to see the order that the count makes */
CALL gos_waitgroup_add, gos__waitgroup_add
CALL gos_waitgroup_done, gos__waitgroup_done
#else
CALL gos__waitgroup_met, gos__waitgroup_turn
#endif
CALL gos_timer_new, gos__timer_new
CALL gos_timer_stop, gos__timer_stop
CALL gos_timer_free, gos__timer_free
CALL gos_rwmutex_tryrlock, gos__rwmutex_tryrlock
CALL gos_rwmutex_trylock, gos__rwmutex_trylock
CALL gos_rwmutex_runlock, gos__rwmutex_runlock
CALL gos_rwmutex_unlock, gos__rwmutex_unlock
CALL gos_cond_signal, gos__cond_signal
CALL gos_cond_broadcast, gos__cond_broadcast
CALL gos_sem_tryacquire, gos__sem_tryacquire
CALL gos_sem_release, gos__sem_release
CALL gos__once_end, gos__once_leave

/*
 * void gos_waitgroup_add(gos_waitgroup *group, long n): rdi, rsi; and done, wait and wait_until. What happens at most
 * calls stands here, outside the runtime, which is entered when somebody is to be woken, to wait, or is wrong
 * (sync/waitgroup.c).
 */
#if !GOS_TSAN
.macro ADD_TO_GROUP
    testq %rdi, %rdi
    jz gos__waitgroup_met
    movq %rsi, %rax
    lock xaddq %rax, (%rdi)
    addq %rax, %rsi             /* what it came to */
    js gos__waitgroup_met
    cmpq $GOS_GROUP_WAITED_FOR, %rsi
    je gos__waitgroup_met
    retq
.endm

EXPORT(gos_waitgroup_add)
    addq %rsi, %rsi             /* by GOS_GROUP_ONE */
    ADD_TO_GROUP
END(gos_waitgroup_add)

EXPORT(gos_waitgroup_done)
    movq $-GOS_GROUP_ONE, %rsi
    ADD_TO_GROUP
END(gos_waitgroup_done)
#endif

EXPORT(gos_waitgroup_wait)
    movabsq $GOS_NO_DEADLINE, %rsi
    jmp gos_waitgroup_wait_until
END(gos_waitgroup_wait)

EXPORT(gos_waitgroup_wait_until)
#if !GOS_TSAN
    testq %rdi, %rdi
    jz gos__waitgroup_park      /* it complains */
    cmpq $0, (%rdi)             /* acquire: x86 orders it, and what follows */
    jne gos__waitgroup_park
    cmpl $0, GOS_GROUP_SPIN(%rdi)
    jne gos__waitgroup_park
    xorl %eax, %eax
    retq
#else
    jmp gos__waitgroup_park
#endif
END(gos_waitgroup_wait_until)

/*
 * void gos_mutex_lock(gos_mutex *mutex), int gos_mutex_lock_until(mutex, int64_t deadline), and unlock: rdi, rsi. The
 * runtime is entered when somebody waits, has to, or is wrong (sync/mutex.c).
 */
.macro LOCK_AT_ONCE other
#if !GOS_TSAN /* which has to see the order that this makes */
    testq %rdi, %rdi
    jz \other
    xorl %eax, %eax
    movl $GOS_MUTEX_LOCKED, %ecx
    lock cmpxchgl %ecx, (%rdi)
    je 2f
    testl %ecx, %eax
    jnz \other
    orl %eax, %ecx              /* free, but waited for */
    lock cmpxchgl %ecx, (%rdi)
    jne \other
    xorl %eax, %eax
2:  retq
#endif
.endm

EXPORT(gos_mutex_lock)
    LOCK_AT_ONCE 1f
1:  movabsq $GOS_NO_DEADLINE, %rsi
    jmp gos__mutex_lock_slowly
END(gos_mutex_lock)

EXPORT(gos_mutex_lock_until)
    LOCK_AT_ONCE 1f
1:  jmp gos__mutex_lock_slowly
END(gos_mutex_lock_until)

EXPORT(gos_mutex_unlock)
#if !GOS_TSAN
    testq %rdi, %rdi
    jz gos__mutex_leave
    movl $GOS_MUTEX_LOCKED, %eax
    xorl %ecx, %ecx
    lock cmpxchgl %ecx, (%rdi)
    je 2f
    movl %eax, %ecx             /* waited for, and somebody is awake to take it */
    andl $(GOS_MUTEX_LOCKED | GOS_MUTEX_WOKEN | GOS_MUTEX_STARVING), %ecx
    cmpl $(GOS_MUTEX_LOCKED | GOS_MUTEX_WOKEN), %ecx
    jne gos__mutex_leave
    leal -GOS_MUTEX_LOCKED(%rax), %ecx
    lock cmpxchgl %ecx, (%rdi)
    jne gos__mutex_leave
2:  retq
#else
    jmp gos__mutex_leave
#endif
END(gos_mutex_unlock)

/* With a gos__mutex_wait in its frame. */
FUNC(gos__mutex_lock_slowly)
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq $0
    .cfi_adjust_cfa_offset 8
    pushq %rsi                  /* with the return address: 32 bytes, so rsp is a multiple of 16 */
    .cfi_adjust_cfa_offset 8
1:  movq 16(%rsp), %rdi
    movq %rsp, %rsi
    callq gos__mutex_park
    cmpl $GOS_LOCK_AGAIN, %eax
    je 1b
    addq $24, %rsp
    .cfi_adjust_cfa_offset -24
    retq
END(gos__mutex_lock_slowly)

/* void gos_once_do(gos_once *once, void (*fn)(void *), void *arg), int gos_once_do_until(..., int64_t deadline): rdi,
 * rsi, rdx, rcx. fn runs on the caller's stack. */
EXPORT(gos_once_do)
    movabsq $GOS_NO_DEADLINE, %rcx
    jmp gos_once_do_until
END(gos_once_do)

EXPORT(gos_once_do_until)
    testq %rdi, %rdi
    jz 1f                       /* gos__once_enter complains */
#if !GOS_TSAN /* which has to see the order that this load makes */
    cmpl $GOS_ONCE_DONE, (%rdi)
    jne 1f
    xorl %eax, %eax
    retq
#endif
1:  pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    pushq %rdx                  /* with the return address: 32 bytes, so rsp is a multiple of 16 */
    .cfi_adjust_cfa_offset 8
    movq %rcx, %rdx
    callq gos__once_begin
    testl %eax, %eax
    jle 2f
    movq (%rsp), %rdi
    movq 8(%rsp), %r11
    callq __x86_indirect_thunk_r11
    movq 16(%rsp), %rdi
    callq gos__once_end
    xorl %eax, %eax
2:  addq $24, %rsp
    .cfi_adjust_cfa_offset -24
    retq
END(gos_once_do_until)

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
