/*
 * __x86_indirect_thunk_r11: calls through pointers, from code that gossamer-cc compiled. What they reach may be checked
 * or not, in this program or in a library (tables of functions, virtual functions, dlsym): the first bytes of its code
 * tell. r11: where to go; everything else as at the call. The name is the one that clang uses for such calls when it
 * is told to leave them to somebody (retpoline-external-thunk); runtime/cc/assemble.sh makes gcc's calls the same.
 *
 * Checked code, our doors and thunks (GOS_DOOR_MARK before them): straight on. All else as a variadic thunk
 * (runtime/thunks/thunk_x86_64.S), whose body is a jump to the pointer. That is kept where __morestack's own words end:
 * 48 bytes below our return address, which is 32 below the frame of __morestack_non_split, if there is one. Whether
 * there is, r10 tells: the body's own address, or that of the `ret` before it when the body runs in place.
 */
#include "arch/asm.h"
#include "arch/state.h"

/* First bytes, lowest first: cmp %fs:0x70, %rsp; what lld makes of it; lea -N(%rsp), %r10 or %r11; cmp %fs:0x70, it. */
#define CODE_CHECKED 0x243b4864
#define CODE_REWRITTEN 0x841f0ff9
#define CODE_LARGE_R10 0x24948d4c
#define CODE_LARGE_R11 0x249c8d4c
#define CODE_LARGE_COMPARE 0x3b4c64

.macro UNCHECKED_BY_R11 arguments
    movq %r11, -8(%rsp)
    UNCHECKED_ROOM 6f, 7f
6:  IN_ROOM
    jmpq *-8(%rsp)
7:  movq -8(%rsp), %r11
    movq %r11, -48(%rsp)
    xorl %r10d, %r10d
    movl $\arguments, %r11d
    callq __morestack_non_split
    retq
8:  IN_ROOM
    leaq 8b(%rip), %r11
    cmpq %r10, %r11
    jne 9f
    jmpq *-32(%rbp)
9:  jmpq *-48(%rsp)
.endm

EXPORT(__x86_indirect_thunk_r11)
    cmpl $CODE_CHECKED, (%r11)
    jne 2f
1:  IN_ROOM                     /* or what it reaches sees to itself */
    jmpq *%r11
2:  cmpl $CODE_REWRITTEN, (%r11)
    je 1b
    testl $0xfff, %r11d         /* what is before the first byte of a page may not be there */
    jz 3f
    cmpl $GOS_DOOR_MARK, -4(%r11)
    je 1b
3:  movl (%r11), %r10d
    cmpl $CODE_LARGE_R10, %r10d
    je 4f
    cmpl $CODE_LARGE_R11, %r10d
    jne 5f
4:  movl 8(%r11), %r10d
    andl $0xffffff, %r10d
    cmpl $CODE_LARGE_COMPARE, %r10d
    je 1b
5:  UNCHECKED_BY_R11 GOS_THUNK_ARGUMENTS
END(__x86_indirect_thunk_r11)

/* The same for code that is known to be unchecked and to take no arguments on the stack: of a program that uses the
 * shared library, and so cannot see for itself whether there is room (runtime/thunks). */
EXPORT(gos__unchecked_r11)
    UNCHECKED_BY_R11 0
END(gos__unchecked_r11)

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
