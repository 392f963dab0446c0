/*
 * The C library's own functions of the names that runtime/io defines anew (io/real.c finds them), for tasks: as a thunk
 * (runtime/thunks), only that the jump goes through a pointer. gos__real_NAME(...) runs NAME on a deep region when its
 * caller is on a nursery.
 */
#include "arch/asm.h"
#include "arch/state.h"

.macro REAL name
    .data
    .p2align 3
    .globl gos__real_at_\name
    .hidden gos__real_at_\name
gos__real_at_\name:
    .quad 0
FUNC(gos__real_\name)
    UNCHECKED_ROOM 1f, 2f
1:  IN_ROOM
    jmpq *gos__real_at_\name(%rip)
2:  xorl %r10d, %r10d
    xorl %r11d, %r11d
    callq __morestack_non_split
    retq
    IN_ROOM
    jmpq *gos__real_at_\name(%rip)
END(gos__real_\name)
.endm

#include "arch/real_names.inc"

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
