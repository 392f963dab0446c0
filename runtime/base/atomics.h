/*
 * atomics.h: atomic operations with the memory order in their name; no other file spells an order.
 *
 * "relaxed": no ordering. "acquire"/"release": pairs named at the place of use. "seq": sequentially consistent, with
 * the reason at the place of use. compiler_fence orders this thread's code only: its partner is a membarrier (os.h).
 *
 * A "seq" operation that changes memory is a full fence for what comes after it, whatever its order: x86's locked
 * instructions are. Elsewhere C's order would hold among seq operations only, and the protocols here look at other
 * words with relaxed loads after they have written theirs; so a fence follows. What comes before it is released by it.
 */
#ifndef GOS_BASE_ATOMICS_H
#define GOS_BASE_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

#define gos__load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define gos__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define gos__store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define gos__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define gos__exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define gos__exchange_seq(p, v) gos__fully(__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define gos__add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define gos__add_seq(p, v) gos__fully(__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define gos__or_seq(p, v) gos__fully(__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define gos__and_seq(p, v) gos__fully(__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define gos__fence_seq() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define gos__compiler_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#if defined(__x86_64__)
#define gos__fully(operation) (operation)
#else
#define gos__fully(operation)                                                                                          \
    ({                                                                                                                 \
        __auto_type gos__was = (operation);                                                                            \
        gos__fence_seq();                                                                                              \
        gos__was;                                                                                                      \
    })
#endif

/* After a change that somebody else's code has made by an atomic operation, whose order is not ours to choose: full. */
static inline void gos__fence_after_change(void)
{
#if !defined(__x86_64__)
    gos__fence_seq();
#endif
}

static inline bool gos__cas_acquire(uint32_t *p, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline bool gos__cas_seq(uint32_t *p, uint32_t from, uint32_t to)
{
    return gos__fully(__atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

static inline bool gos__cas_ptr_seq(uintptr_t *p, uintptr_t from, uintptr_t to)
{
    return gos__fully(__atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* When it fails, *from is updated to the value seen, with acquire. */
static inline bool gos__cas64_seq(int64_t *p, int64_t *from, int64_t to)
{
    return gos__fully(__atomic_compare_exchange_n(p, from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
}

/* Two words at once, at a multiple of 16; every x86-64 processor since 2006 has it. GOS_CAS128 is 0 elsewhere, and
 * where a sanitizer would not see it: then it always fails. */
#if defined(__x86_64__) && !GOS_SAN
#define GOS_CAS128 1
#else
#define GOS_CAS128 0
#endif

static inline bool gos__cas128_seq(void *p, uint64_t from0, uint64_t from1, uint64_t to0, uint64_t to1)
{
#if GOS_CAS128
    bool done;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*(struct { uint64_t words[2]; } *)p), "+a"(from0), "+d"(from1)
                     : "b"(to0), "c"(to1)
                     : "memory");
    return done;
#else
    (void)p, (void)from0, (void)from1, (void)to0, (void)to1;
    return false;
#endif
}

#endif
