/*
 * layouts.h: where fib's code lies: the alignment of functions asked of the compiler, and the bytes beyond a multiple
 * of 64 before it. The Makefile reads this list as well, one entry a line.
 */
#ifndef FIB_LAYOUTS_H
#define FIB_LAYOUTS_H

#define FIB_LAYOUTS(X) \
    X(16, 0)           \
    X(16, 16)          \
    X(16, 32)          \
    X(16, 48)          \
    X(32, 0)           \
    X(32, 32)          \
    X(64, 0)           \
    X(1, 8)            \
    X(1, 24)           \
    X(1, 40)           \
    X(1, 56)

#endif
