/*
 * sync_x86_64.S: the doors of locks and the like, of contexts and what else tells by channel. What happens at most
 * calls stands here, outside the runtime.
 */
#include "arch/doors_x86_64.h"

#include "arch/sync_names.inc"

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

#if GOS_TSAN /* which has to see the order that the count makes */
CALL gos_waitgroup_add, gos__waitgroup_add
CALL gos_waitgroup_done, gos__waitgroup_done
#else
CALL gos__waitgroup_met, gos__waitgroup_turn
#endif

/*
 * void gos_waitgroup_add(gos_waitgroup *group, long n): rdi, rsi; and done, wait and wait_until. The runtime is entered
 * when somebody is to be woken, to wait, or is wrong (sync/waitgroup.c).
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
    jo 1f
    ADD_TO_GROUP
1:  movq $-1, %rsi
    jmp gos__waitgroup_met      /* it complains */
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
    lock btsl $GOS_MUTEX_LOCKED_BIT, (%rdi) /* one locked instruction, whether others wait for it or not */
    jc \other
    cmpq $GOS_POISON, %fs:GOS_LIMIT_WORD
    je gos__mutex_locked        /* GOS_SEED: who has just locked it may be interrupted */
    retq
#endif
.endm

/* A poison that came late, when the thread has left its task. */
FUNC(gos__mutex_locked_outside)
    xorl %eax, %eax
    retq
END(gos__mutex_locked_outside)

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
    cmpl $GOS_MUTEX_LOCKED, (%rdi) /* who holds it has the line: a look costs less than a compare that fails */
    jne 1f
    movl $GOS_MUTEX_LOCKED, %eax
    xorl %ecx, %ecx
    lock cmpxchgl %ecx, (%rdi)
    je 2f
1:  movl (%rdi), %eax
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

/* intptr_t gos__call(a, b, c, fn): rcx. */
FUNC(gos__call)
    movq %rcx, %r11
    jmp __x86_indirect_thunk_r11
END(gos__call)

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

NO_EXECUTABLE_STACK
/* To the linker this file is checked code, as entry_x86_64.S. */
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
