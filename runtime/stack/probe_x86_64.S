/*
 * gos__link_probe: a checked prologue in front of a call to unchecked code, never run. A linker that knows split
 * stacks (lld) rewrites its compare; stack/prologue_x86_64.c looks whether it did. A program that uses the shared
 * library has one of its own (GOS_NONSHARED), and tells where: thunks/nonshared_x86_64.S.
 */
#include "arch/asm.h"
#include "arch/state.h"

#ifdef GOS_NONSHARED
#define UNCHECKED gos__linked@PLT
#else
#define UNCHECKED gos__unchecked
    .section .data.rel.ro, "aw", @progbits
    .p2align 3
    .globl gos__probe
    .hidden gos__probe
gos__probe:
    .quad gos__link_probe
#endif

FUNC(gos__link_probe)
    cmpq %fs:GOS_LIMIT_WORD, %rsp
    jb 2f
1:  callq UNCHECKED
    retq
2:  movl $0, %r10d
    xorl %r11d, %r11d
    callq __morestack
    retq
    jmp 1b
END(gos__link_probe)

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
