/*
 * The POSIX calls that park a task instead of its thread. Each is defined here, for the program and for the shared
 * libraries it uses, and goes on
 *   from a task, outside the runtime    to gos__io_NAME (runtime/io), checked code that stays on the task's stack,
 *   from other threads and the runtime  to gos__plain_NAME (runtime/io/plain.c), the system call and nothing else.
 */
#include "arch/doors_aarch64.h"

.macro POSIX symbol, name
EXPORT(\symbol)
    SELF x9
    ldr x10, [x9, #GOS_THREAD_TASK]
    cbz x10, 1f
    ldr w10, [x9, #GOS_THREAD_IN_RUNTIME]
    cbnz w10, 1f
    b gos__io_\name
1:  b gos__plain_\name
END(\symbol)
.endm

    .section .rodata
    .globl gos__posix
    .hidden gos__posix
gos__posix:
    .byte 0

#include "arch/posix_names.inc"

NO_EXECUTABLE_STACK
