/*
 * rwmutex.c: all under the spin lock, which costs no more than the one atomic operation that a fast path would take.
 * First come, first served: readers queue behind a waiting writer, so writers do not starve, and who unlocks grants
 * it to the first writer or to all readers up to the next writer. A waiter's `elem` says which of them it is.
 */
#include <errno.h>

#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

enum { WRITER = -1, FREE = 0 }; /* above: so many readers */

static void *const reader_mark = NULL;
static void *const writer_mark = (void *)1;

static void require_mutex(const gos_rwmutex *mutex, const char *what)
{
    gos__require(mutex != NULL, "%s: the mutex is NULL", what);
}

static bool take_read(gos_rwmutex *mutex)
{
    bool taken = mutex->gos__held != WRITER && !mutex->gos__waiters.gos__first;
    if (taken)
        mutex->gos__held++;
    return taken;
}

static bool take_write(gos_rwmutex *mutex)
{
    bool taken = mutex->gos__held == FREE;
    if (taken)
        mutex->gos__held = WRITER;
    return taken;
}

static gos__task *lock(gos_rwmutex *mutex, bool (*take)(gos_rwmutex *), void *mark, gos__task *self)
{
    gos__spin_lock(&mutex->gos__spin);
    bool taken = take(mutex);
    if (!taken) {
        self->waiter.elem = mark;
        gos__list_wait(&mutex->gos__waiters, self, GOS_WAIT_RWMUTEX);
    }
    gos__spin_unlock(&mutex->gos__spin);
    return taken ? self : gos__park(self);
}

static int trylock(gos_rwmutex *mutex, bool (*take)(gos_rwmutex *))
{
    gos__spin_lock(&mutex->gos__spin);
    bool taken = take(mutex);
    gos__spin_unlock(&mutex->gos__spin);
    return taken ? 0 : -EBUSY;
}

/* It has become free: who is first gets it; the spin lock is held. */
static gos__list grant(gos_rwmutex *mutex)
{
    gos__list served = { NULL, NULL };
    gos__list *waiters = &mutex->gos__waiters;
    if (waiters->gos__first && waiters->gos__first->elem == writer_mark) {
        mutex->gos__held = WRITER;
        gos__list_append(&served, gos__list_take_first(waiters));
        return served;
    }
    for (; waiters->gos__first && waiters->gos__first->elem == reader_mark; mutex->gos__held++)
        gos__list_append(&served, gos__list_take_first(waiters));
    return served;
}

gos__task *gos__rwmutex_rlock(gos_rwmutex *mutex, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    require_mutex(mutex, "gos_rwmutex_rlock");
    return lock(mutex, take_read, reader_mark, self);
}

gos__task *gos__rwmutex_lock(gos_rwmutex *mutex, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    require_mutex(mutex, "gos_rwmutex_lock");
    return lock(mutex, take_write, writer_mark, self);
}

int gos__rwmutex_tryrlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_tryrlock");
    return trylock(mutex, take_read);
}

int gos__rwmutex_trylock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_trylock");
    return trylock(mutex, take_write);
}

void gos__rwmutex_runlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_runlock");
    gos__list served = { NULL, NULL };
    gos__spin_lock(&mutex->gos__spin);
    gos__require(mutex->gos__held > FREE, "gos_rwmutex_runlock: no reader has the mutex");
    if (--mutex->gos__held == FREE)
        served = grant(mutex);
    gos__spin_unlock(&mutex->gos__spin);
    gos__ready_all(served.gos__first);
}

void gos__rwmutex_unlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_unlock");
    gos__spin_lock(&mutex->gos__spin);
    gos__require(mutex->gos__held == WRITER, "gos_rwmutex_unlock: no writer has the mutex");
    mutex->gos__held = FREE;
    gos__list served = grant(mutex);
    gos__spin_unlock(&mutex->gos__spin);
    gos__ready_all(served.gos__first);
}
