/*
 * The POSIX calls that park a task instead of its thread. Each is defined here, for the program and for the shared
 * libraries it uses, and goes on
 *   from a task, outside the runtime    to gos__io_NAME (runtime/io), checked code that stays on the task's stack,
 *   from other threads and the runtime  to gos__plain_NAME (runtime/io/plain.c), the system call and nothing else.
 */
#include "arch/asm.h"
#include "arch/state.h"

.macro UNLESS_TASK name
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    je gos__plain_\name
    cmpl $0, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    jne gos__plain_\name
.endm

.macro POSIX symbol, name
EXPORT(\symbol)
    movq gos__self@gottpoff(%rip), %rax
    UNLESS_TASK \name
    jmp gos__io_\name
END(\symbol)
.endm

#if !GOS_SAN
#define MUTEX_DOORS
/*
 * What most calls take of a lock that nobody waits for: the C library's own function where the task is, within what the
 * check promises (as a leaf: tests/unit/test_leaf_stack.c), and a count where the lock knows its owner (sched/pin.h).
 * The compare stands this way round since lld takes it for no check then, and leaves it alone. A poisoned limit, kinds
 * that take longer (GOS_PTHREAD_SPECIAL) and locks that are taken go to io/lock.c, from the beginning.
 */
.macro TASK_WITH_ROOM name
    cmpq %rsp, %fs:GOS_LIMIT_WORD
    movq gos__self@gottpoff(%rip), %rax
    ja 9f
    UNLESS_TASK \name
.endm

.macro REAL name
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    callq *gos__real_at_\name(%rip)
    popq %rdi
    .cfi_adjust_cfa_offset -8
    testl %eax, %eax
.endm

/* To `not` unless the kind, in ecx, is 1 or 2 of GOS_PTHREAD_BASE: recursive, error-checking. */
.macro KNOWS_OWNER not
    incl %ecx
    testb $2, %cl
    jz \not
.endm

.macro MUTEX_LOCK
EXPORT(pthread_mutex_lock)
    TASK_WITH_ROOM pthread_mutex_lock
    testb $GOS_PTHREAD_SPECIAL, GOS_PTHREAD_KIND(%rdi)
    jnz gos__io_pthread_mutex_lock
    REAL pthread_mutex_trylock
    jnz 2f
    movl GOS_PTHREAD_KIND(%rdi), %ecx
    KNOWS_OWNER 1f
    movq gos__self@gottpoff(%rip), %rcx
    addl $GOS_OWNED_ONE, %fs:GOS_THREAD_OWNED(%rcx)
1:  retq
2:  cmpl $GOS_EBUSY, %eax
    jne 1b
    jmp gos__io_pthread_mutex_lock
9:  UNLESS_TASK pthread_mutex_lock
    jmp gos__io_pthread_mutex_lock
END(pthread_mutex_lock)
.endm

/* Once it is free the mutex may be gone: all that is known of it is known before. */
.macro MUTEX_UNLOCK
EXPORT(pthread_mutex_unlock)
    TASK_WITH_ROOM pthread_mutex_unlock
    movl GOS_PTHREAD_KIND(%rdi), %ecx
    testb $GOS_PTHREAD_SPECIAL, %cl
    jnz gos__io_pthread_mutex_unlock
    KNOWS_OWNER 2f
    REAL pthread_mutex_unlock
    jnz 1f
    movq gos__self@gottpoff(%rip), %rcx
    subl $GOS_OWNED_ONE, %fs:GOS_THREAD_OWNED(%rcx)
    testl $GOS_OWNED_CHANGES, %fs:GOS_THREAD_OWNED(%rcx)
    jnz 4f
3:  cmpl $0, gos__lot_n(%rip)   /* C2 (sched/lot.h) */
    jne 5f
1:  retq
2:  REAL pthread_mutex_unlock
    jz 3b
    retq
4:  addl $GOS_OWNED_ONE, %fs:GOS_THREAD_OWNED(%rcx)
    movl $1, %esi
    jmp gos__io_mutex_let_go
5:  xorl %esi, %esi
    jmp gos__io_mutex_let_go
9:  UNLESS_TASK pthread_mutex_unlock
    jmp gos__io_pthread_mutex_unlock
END(pthread_mutex_unlock)
.endm
#endif

    .section .rodata
    .globl gos__posix
    .hidden gos__posix
gos__posix:
    .byte 0

#include "arch/posix_names.inc"

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
