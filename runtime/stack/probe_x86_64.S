/*
 * gos__link_probe: a checked prologue in front of a call to unchecked code, never run. A linker that knows split
 * stacks (lld) rewrites its compare; stack/prologue_x86_64.c looks whether it did.
 */
#include "arch/asm.h"
#include "arch/state.h"

FUNC(gos__link_probe)
    cmpq %fs:GOS_LIMIT_WORD, %rsp
    jb 2f
1:  callq gos__unchecked
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
