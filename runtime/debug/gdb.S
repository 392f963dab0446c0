/* The script for gdb, in the program that it is for: gdb reads sections of this name (Debugging with GDB, 23.3.2). */
#include "arch/asm.h"

    .section .debug_gdb_scripts, "MS", @progbits, 1
    .byte 4                     /* Python, as text: its name in a line, and the script */
    .ascii "gossamer\n"
    .incbin "debug/gossamer-gdb.py"
    .byte 0

    /* What refers to it brings this file into the program. */
    .section .rodata
    .globl gos__gdb
    .hidden gos__gdb
gos__gdb:
    .long 0

NO_EXECUTABLE_STACK
