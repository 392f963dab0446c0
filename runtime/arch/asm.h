/* asm.h: the few macros that every assembly file needs. Include from .S files only. */
#ifndef GOS_ARCH_ASM_H
#define GOS_ARCH_ASM_H

/* FUNC/END: a hidden-by-default global function with its type, size and CFI frame. EXPORT: visible to programs. */
#define FUNC(name)                                                                                                     \
    .text;                                                                                                             \
    .p2align 4;                                                                                                        \
    .globl name;                                                                                                       \
    .hidden name;                                                                                                      \
    .type name, @function;                                                                                             \
    name:                                                                                                              \
    .cfi_startproc
#define EXPORT(name)                                                                                                   \
    .text;                                                                                                             \
    .p2align 4;                                                                                                        \
    .globl name;                                                                                                       \
    .type name, @function;                                                                                             \
    name:                                                                                                              \
    .cfi_startproc
#define END(name)                                                                                                      \
    .cfi_endproc;                                                                                                      \
    .size name, .- name

/* Without this note the linker makes the program's stack executable. */
#define NO_EXECUTABLE_STACK .section .note.GNU-stack, "", @progbits

#endif
