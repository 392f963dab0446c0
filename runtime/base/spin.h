/*
 * spin.h: a lock for critical sections of some tens of nanoseconds, held only by runtime code on system stacks and
 * never across a switch; and by a task across fork, whose handlers run on its stack. A holder that the kernel preempts
 * is waited for with sched_yield.
 */
#ifndef GOS_BASE_SPIN_H
#define GOS_BASE_SPIN_H

#include "base/atomics.h"
#include "base/compiler.h"

typedef uint32_t gos__spin; /* 0: free */

static inline bool gos__spin_trylock(gos__spin *lock)
{
    return !gos__load_relaxed(lock) && !gos__exchange_acquire(lock, 1u); /* pairs with the release in unlock */
}

static GOS_NOINLINE __attribute__((unused)) void gos__spin_wait(gos__spin *lock)
{
    for (int spins = 0; !gos__spin_trylock(lock); spins++) {
        if (spins < 100)
            gos__cpu_relax();
        else
            gos__give_way();
    }
}

static inline void gos__spin_lock(gos__spin *lock)
{
    if (gos__unlikely(gos__exchange_acquire(lock, 1u)))
        gos__spin_wait(lock);
}

static inline void gos__spin_unlock(gos__spin *lock)
{
    gos__store_release(lock, 0u);
}

#if CHECKS >= 2 /* rank.c: in which order they are taken */
void gos__rank_taken(const void *lock, const char *name, bool waits);
void gos__rank_given_back(const void *lock);
void gos__rank_forget(void);

static inline bool gos__spin_try_ranked(gos__spin *lock, const char *name)
{
    bool taken = gos__spin_trylock(lock);
    if (taken)
        gos__rank_taken(lock, name, false);
    return taken;
}

#define gos__spin_lock(lock) (gos__rank_taken(lock, #lock, true), gos__spin_lock(lock))
#define gos__spin_trylock(lock) gos__spin_try_ranked(lock, #lock)
#define gos__spin_unlock(lock) (gos__rank_given_back(lock), gos__spin_unlock(lock))
#endif

/* This thread holds none any more: it is a child process's, which makes them anew. */
static inline void gos__spin_forget_all(void)
{
#if CHECKS >= 2
    gos__rank_forget();
#endif
}

#endif
