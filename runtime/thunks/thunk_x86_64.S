/*
 * thunk_x86_64.S: one unchecked function of libc behind a checked door; assembled once for each line of
 * functions.list, with THUNK its name and THUNK_KIND its kind. Programs are linked with --wrap=NAME for each, so that
 * their references to NAME, calls and addresses alike, come here.
 *
 * Without this the linker, which takes a function without checks to need a large stack, moves every *caller* of it onto
 * a deep region at each call of that caller. Here only the callee goes there, and only from a nursery: the caller, and
 * a task that then parks, stays where it is.
 *
 *   leaf      needs less stack than every checked frame leaves below it: straight on
 *   plain     no arguments on the stack
 *   variadic  the stack arguments go along, all that lie on the nursery
 *
 * Not on a task, or on a stack that is not a task's (system, signal, makecontext): straight on. On a deep region with
 * room for unchecked code: straight on. Otherwise the thunk acts as a checked function whose body is a jump.
 */
#include "arch/asm.h"
#include "arch/state.h"

#define KIND_leaf 0
#define KIND_plain 1
#define KIND_variadic 2
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define WRAPPED JOIN(__wrap_, THUNK)
#define KIND JOIN(KIND_, THUNK_KIND)
#define REAL JOIN(__real_, THUNK)

EXPORT(WRAPPED)
#if KIND != KIND_leaf
    UNCHECKED_ROOM 1f, 2f
1:  IN_ROOM
    jmp REAL@PLT
2:  xorl %r10d, %r10d
#if KIND == KIND_variadic
    movl $GOS_THUNK_ARGUMENTS, %r11d
#else
    xorl %r11d, %r11d
#endif
    callq __morestack_non_split
    retq
    IN_ROOM
#endif
    jmp REAL@PLT
END(WRAPPED)

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
