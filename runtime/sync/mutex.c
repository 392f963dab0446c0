/*
 * mutex.c: word 0: free, 1: locked, 3: locked and the list, guarded by gos__spin, is not empty. An unlock with
 * waiters hands the mutex to the first of them, so it is fair and nobody starves.
 */
#include <errno.h>

#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

enum { FREE = 0, LOCKED = 1, WAITED_FOR = 3 };

/* With the spin lock held: takes the mutex, or makes sure that who unlocks it looks into the list. */
static bool lock_or_announce(gos_mutex *mutex)
{
    for (;;) {
        if (gos__cas_acquire(&mutex->gos__word, FREE, LOCKED))
            return true;
        if (gos__load_relaxed(&mutex->gos__word) == WAITED_FOR)
            return false;
        if (gos__cas_acquire(&mutex->gos__word, LOCKED, WAITED_FOR))
            return false;
    }
}

gos__task *gos__mutex_lock(gos_mutex *mutex, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    gos__require(mutex != NULL, "gos_mutex_lock: the mutex is NULL");
    self->result = 0;
    if (gos__likely(gos__cas_acquire(&mutex->gos__word, FREE, LOCKED)))
        return self;
    gos__spin_lock(&mutex->gos__spin);
    bool locked = lock_or_announce(mutex);
    if (!locked)
        gos__list_wait(&mutex->gos__waiters, self, GOS_WAIT_MUTEX);
    gos__spin_unlock(&mutex->gos__spin);
    return locked ? self : gos__park(self);
}

void gos__mutex_lock_for(gos_mutex *mutex, gos__waiter *waiter)
{
    gos__spin_lock(&mutex->gos__spin);
    bool locked = lock_or_announce(mutex);
    if (!locked) {
        gos__store_relaxed(&waiter->task->why, (uint8_t)GOS_WAIT_MUTEX);
        gos__list_append(&mutex->gos__waiters, waiter);
    }
    gos__spin_unlock(&mutex->gos__spin);
    if (locked)
        gos__ready(waiter->task, false);
}

bool gos__mutex_is_locked(const gos_mutex *mutex)
{
    return gos__load_relaxed(&mutex->gos__word) != FREE;
}

int gos__mutex_trylock(gos_mutex *mutex)
{
    gos__require(mutex != NULL, "gos_mutex_trylock: the mutex is NULL");
    return gos__cas_acquire(&mutex->gos__word, FREE, LOCKED) ? 0 : -EBUSY;
}

void gos__mutex_unlock(gos_mutex *mutex)
{
    gos__require(mutex != NULL, "gos_mutex_unlock: the mutex is NULL");
    if (gos__likely(gos__cas_seq(&mutex->gos__word, LOCKED, FREE))) /* seq: the one order named that releases */
        return;
    gos__require(gos__mutex_is_locked(mutex), "gos_mutex_unlock: the mutex is not locked");
    gos__spin_lock(&mutex->gos__spin);
    gos__waiter *heir = gos__list_take_first(&mutex->gos__waiters);
    if (!mutex->gos__waiters.gos__first)
        gos__store_release(&mutex->gos__word, (uint32_t)LOCKED);
    gos__spin_unlock(&mutex->gos__spin);
    gos__ready(heir->task, false);
}
