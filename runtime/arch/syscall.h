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
#elif defined(__aarch64__)
/* Calls that the kernel has there only in a newer form, made of that (syscall_aarch64.c). */
#define SYS_poll (-1)
#define SYS_select (-2)
#define SYS_epoll_wait (-3)
#define SYS_pause (-4)
#define SYS_dup2 (-5)
long gos__newer_syscall(long number, long a, long b, long c, long d, long e);

static inline __attribute__((always_inline)) long gos__bare_syscall(long number, long a, long b, long c, long d,
                                                                    long e, long f)
{
    if (number < 0)
        return gos__newer_syscall(number, a, b, c, d, e);
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
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
