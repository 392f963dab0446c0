/*
 * The C library's own functions of the names that runtime/io defines anew (io/real.c finds them), for tasks:
 * gos__real_NAME(...) jumps there.
 */
#include "arch/asm.h"

.macro REAL name
    .data
    .p2align 3
    .globl gos__real_at_\name
    .hidden gos__real_at_\name
gos__real_at_\name:
    .quad 0
FUNC(gos__real_\name)
    adrp x16, gos__real_at_\name
    ldr x16, [x16, #:lo12:gos__real_at_\name]
    br x16
END(gos__real_\name)
.endm

#include "arch/real_names.inc"

NO_EXECUTABLE_STACK
