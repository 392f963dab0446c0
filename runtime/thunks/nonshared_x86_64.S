/*
 * nonshared_x86_64.S: what a program holds of the shared library, in libgossamer_nonshared.a: the names that checked
 * code calls by itself. To the linker a function in a shared library is unchecked, and it moves whoever calls one; this
 * object has checks, and jumps on. The library's own functions get such jumps at link time (runtime/cc/link.sh), and
 * libc's (functions.list) are beside this one. None of it knows a structure of the library.
 */
#include "arch/asm.h"

.macro JUMP name
    .symver gos__shared_\name, \name@GOSSAMER_0
EXPORT(\name)
    .hidden \name              /* or it would stand before the library's, and jump to itself */
    jmpq *gos__shared_\name@GOTPCREL(%rip)
END(\name)
.endm

JUMP __morestack
JUMP __morestack_non_split
JUMP __x86_indirect_thunk_r11

/* How the program was linked (stack/probe_x86_64.S). */
    .section .init_array, "aw", @init_array
    .p2align 3
    .quad gos__linked_here
FUNC(gos__linked_here)
    leaq gos__link_probe(%rip), %rdi
    jmpq *gos__linked@GOTPCREL(%rip)
END(gos__linked_here)

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
