/* syscall.h: system calls without libc: a result or -errno, no errno, no cancellation, no stack. */
#ifndef GOS_ARCH_SYSCALL_H
#define GOS_ARCH_SYSCALL_H

#include "base/config.h"

#if defined(__x86_64__)
static inline __attribute__((always_inline)) long gos__bare_syscall(long number, long a, long b, long c, long d,
                                                                    long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
#error "no port"
#endif

#if GOS_SAN
long gos__san_syscall(long number, long a, long b, long c, long d, long e, long f); /* tells them (san.h) */
#define gos__syscall gos__san_syscall
#else
#define gos__syscall gos__bare_syscall
#endif

#endif
