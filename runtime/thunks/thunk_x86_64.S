/*
 * thunk_x86_64.S: one unchecked function behind a checked door. Assembled once for each line of functions.list, with
 * THUNK its name and THUNK_KIND its kind; and, without these, preprocessed into thunk.s, of which come the thunks for
 * programs that use the shared library, and with which link.sh makes thunks for whatever else a program calls. Programs
 * are linked with --wrap=NAME for each, so that their references to NAME, calls and addresses alike, come here.
 *
 * Without this the linker, which takes a function without checks to need a large stack, moves every *caller* of it onto
 * a deep region at each call of that caller. Here only the callee goes there, and only from a nursery: the caller, and
 * a task that then parks, stays where it is.
 *
 *   leaf      needs less stack than every checked frame leaves below it: straight on
 *   plain     no arguments on the stack
 *   variadic  the stack arguments go along, all that lie on the nursery: for functions of unknown parameters, too
 *
 * Not on a task, or on a stack that is not a task's (system, signal, makecontext): straight on. On a deep region with
 * room for unchecked code: straight on. Otherwise the thunk acts as a checked function whose body is a jump.
 */
#include "arch/asm.h"
#include "arch/state.h"

.macro THUNK_leaf name
EXPORT(__wrap_\name)
    jmp __real_\name@PLT
END(__wrap_\name)
.endm

/* Of a plug-in, and of a program that uses the shared library: these have no part in the runtime, which alone knows
 * where tasks are. As a call through a pointer (pointer_x86_64.S). */
.macro THUNK_away name, door
EXPORT(__wrap_\name)
    .hidden __wrap_\name
    movq __real_\name@GOTPCREL(%rip), %r11
    jmpq *\door@GOTPCREL(%rip)
END(__wrap_\name)
.endm

.macro THUNK_away_plain name
    THUNK_away \name, gos__unchecked_r11
.endm

.macro THUNK_away_variadic name
    THUNK_away \name, __x86_indirect_thunk_r11
.endm

.macro THUNK_plain name, arguments=0
EXPORT(__wrap_\name)
    UNCHECKED_ROOM 1f, 2f
1:  IN_ROOM
    jmp __real_\name@PLT
2:  xorl %r10d, %r10d
    movl $\arguments, %r11d
    callq __morestack_non_split
    retq
    IN_ROOM
    jmp __real_\name@PLT
END(__wrap_\name)
.endm

.macro THUNK_variadic name
    THUNK_plain \name, GOS_THUNK_ARGUMENTS
.endm

#ifdef THUNK
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
    JOIN(THUNK_, THUNK_KIND) THUNK
#endif

NO_EXECUTABLE_STACK
.section .note.GNU-split-stack, "", @progbits
.section .note.GNU-no-split-stack, "", @progbits
.text
