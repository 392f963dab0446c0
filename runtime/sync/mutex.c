/*
 * mutex.c: word 0: free, 1: locked, 3: locked and the wait list, guarded by gos__spin, is not empty. An unlock with
 * waiters hands the mutex to the first of them, so it is fair and nobody starves.
 */
#include <errno.h>

#include "base/check.h"
#include "sched/worker.h"
#include "sync/sync.h"

enum { FREE = 0, LOCKED = 1, WAITED_FOR = 3 };

gos__task *gos__mutex_lock(gos_mutex *mutex, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    gos__require(mutex != NULL, "gos_mutex_lock: the mutex is NULL");
    self->result = 0;
    if (gos__likely(gos__cas_acquire(&mutex->gos__word, FREE, LOCKED)))
        return self;
    gos__spin_lock(&mutex->gos__spin);
    for (;;) {
        if (gos__cas_acquire(&mutex->gos__word, FREE, LOCKED)) {
            gos__spin_unlock(&mutex->gos__spin);
            return self;
        }
        if (gos__load_relaxed(&mutex->gos__word) == WAITED_FOR)
            break;
        if (gos__cas_acquire(&mutex->gos__word, LOCKED, WAITED_FOR))
            break;
    }
    self->state = GOS_PARKED;
    self->why = GOS_WAIT_MUTEX;
    self->next = NULL;
    if (mutex->gos__head)
        ((gos__task *)mutex->gos__tail)->next = self;
    else
        mutex->gos__head = self;
    mutex->gos__tail = self;
    gos__spin_unlock(&mutex->gos__spin);
    return gos__park(self);
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
    gos__require(gos__load_relaxed(&mutex->gos__word) != FREE, "gos_mutex_unlock: the mutex is not locked");
    gos__spin_lock(&mutex->gos__spin);
    gos__task *heir = mutex->gos__head;
    mutex->gos__head = heir->next;
    if (!mutex->gos__head)
        gos__store_release(&mutex->gos__word, (uint32_t)LOCKED);
    gos__spin_unlock(&mutex->gos__spin);
    gos__ready(heir, false);
}
