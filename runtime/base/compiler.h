/* compiler.h: what the compilers offer beyond C17, under short names. */
#ifndef GOS_BASE_COMPILER_H
#define GOS_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define gos__likely(x) __builtin_expect(!!(x), 1)
#define gos__unlikely(x) __builtin_expect(!!(x), 0)

#define GOS_EXPORT __attribute__((visibility("default")))
#define GOS_HIDDEN __attribute__((visibility("hidden"))) /* extern objects: used without the detour of the GOT */
#define GOS_NOINLINE __attribute__((noinline))
#define GOS_ALWAYS_INLINE inline __attribute__((always_inline))
#define GOS_ALIGNED(n) __attribute__((aligned(n)))

/* Two lines: the adjacent-line prefetcher of x86 pairs them. */
#define GOS_FALSE_SHARING 128

/* A counter that moves fast; for nothing that needs a meaning. */
static inline uint64_t gos__ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

static inline void gos__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("isb" ::: "memory"); /* as long as x86's pause; `yield` is no pause on most processors */
#endif
}

/* sched_yield, but not libc's: for a task that is a door, at which its slice may end, and with it goes whatever lock of
 * the runtime it holds. */
static inline void gos__give_way(void)
{
#if defined(__x86_64__)
    long result = 24;
    __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
#else
    register long number __asm__("x8") = 124;
    register long result __asm__("x0");
    __asm__ volatile("svc #0" : "=r"(result) : "r"(number) : "memory");
#endif
}

/* Gets a cache line that this thread is about to write, in one step instead of two. */
static inline void gos__prefetch_to_write(const void *p)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)p)); /* the builtin makes it only with -mprfchw */
#else
    __builtin_prefetch(p, 1);
#endif
}

#endif
