/*
 * The POSIX calls that park a task instead of its thread. Each is defined here, for the program and for the shared
 * libraries it uses, and goes on
 *   from a task, outside the runtime    to gos__io_NAME (runtime/io), checked code that stays on the task's stack,
 *   from other threads and the runtime  to gos__plain_NAME (runtime/io/plain.c), the system call and nothing else.
 */
#include "arch/asm.h"
#include "arch/state.h"

.macro POSIX symbol, name
EXPORT(\symbol)
    movq gos__self@gottpoff(%rip), %rax
    cmpq $0, %fs:GOS_THREAD_TASK(%rax)
    je gos__plain_\name
    cmpl $0, %fs:GOS_THREAD_IN_RUNTIME(%rax)
    jne gos__plain_\name
    jmp gos__io_\name
END(\symbol)
.endm

    .section .rodata
    .globl gos__posix
    .hidden gos__posix
gos__posix:
    .byte 0

#include "arch/posix_names.inc"

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
