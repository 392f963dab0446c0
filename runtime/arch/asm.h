/* asm.h: the few macros that every assembly file needs. Include from .S files only. */
#ifndef GOS_ARCH_ASM_H
#define GOS_ARCH_ASM_H

/* Before each exported function, for pointer_x86_64.S: it may be entered at the end of a nursery. (A nop.) None begins
 * at a multiple of 32, and so at a page, before which nobody may look. */
#define GOS_DOOR_MARK 0x67401f0f

/* FUNC/END: a hidden-by-default global function with its type, size and CFI frame. EXPORT: visible to programs. */
#define FUNC(name)                                                                                                     \
    .text;                                                                                                             \
    .p2align 4;                                                                                                        \
    .globl name;                                                                                                       \
    .hidden name;                                                                                                      \
    .type name, @function;                                                                                             \
    name:                                                                                                              \
    .cfi_startproc
#if defined(__x86_64__)
#define MARKED                                                                                                         \
    .p2align 5;                                                                                                        \
    .skip 12, 0x90;                                                                                                    \
    .long GOS_DOOR_MARK
#else
#define MARKED .p2align 4
#endif
#define EXPORT(name)                                                                                                   \
    .text;                                                                                                             \
    MARKED;                                                                                                            \
    .globl name;                                                                                                       \
    .type name, @function;                                                                                             \
    name:                                                                                                              \
    .cfi_startproc
#define END(name)                                                                                                      \
    .cfi_endproc;                                                                                                      \
    .size name, .- name

/* Without this note the linker makes the program's stack executable. */
#define NO_EXECUTABLE_STACK .section .note.GNU-stack, "", @progbits

#if defined(__ASSEMBLER__) && defined(__x86_64__)
#include "arch/state.h"

/* For .ci/budget.py: code that begins here runs only where unchecked code has room. */
.macro IN_ROOM
7770:
    .pushsection .gos.room, "", @progbits
    .quad 7770b
    .popsection
.endm

/* The limit of a task's nursery, of whichever kind. */
.macro NURSERY_LIMIT task, to, spoilt
    movzbq GOS_TASK_KIND(\task), \to
    leaq gos__task_to_limit(%rip), \spoilt
    movq (\spoilt,\to,8), \to
    addq \task, \to
.endm

/* Before unchecked code is entered: is there room for it where the caller is? Spoils r10 and r11. On a nursery there
 * is none; nurseries lie below all regions, the largest lowest, so that below a header nothing else is near. */
.macro UNCHECKED_ROOM yes, no
    movq gos__self@gottpoff(%rip), %r11
    movq %fs:GOS_THREAD_TASK(%r11), %r11
    testq %r11, %r11
    jz \yes
    movq GOS_TASK_REGION(%r11), %r10
    testq %r10, %r10
    jz .Lnursery\@
    cmpq GOS_REGION_UNCHECKED_LIMIT(%r10), %rsp
    jae \yes                    /* room, or a stack further up that is not ours */
    cmpq GOS_REGION_BOTTOM(%r10), %rsp
    jae \no
.Lnursery\@:
    subq %rsp, %r11
    cmpq $GOS_NURSERY_MAX - GOS_TASK_SIZE, %r11
    jb \no
.endm
#endif

#endif
