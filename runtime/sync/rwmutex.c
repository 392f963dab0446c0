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

static bool take(void *object, void *mark)
{
    gos_rwmutex *mutex = object;
    int32_t held = mutex->gos__held;
    if (mark == writer_mark ? held != FREE : held == WRITER || mutex->gos__waiters.gos__first)
        return false;
    mutex->gos__held = mark == writer_mark ? WRITER : held + 1;
    return true;
}

/* Who is first gets it, if it may. */
static void grant(void *object, gos__list *served)
{
    gos_rwmutex *mutex = object;
    gos__list *waiters = &mutex->gos__waiters;
    while (waiters->gos__first && mutex->gos__held != WRITER) {
        bool writes = waiters->gos__first->elem == writer_mark;
        if (writes && mutex->gos__held != FREE)
            break;
        gos__waiter *heir = gos__list_claim_first(waiters);
        if (!heir)
            continue;
        mutex->gos__held = writes ? WRITER : mutex->gos__held + 1;
        gos__list_append(served, heir);
    }
}

static gos__place place_in(gos_rwmutex *mutex)
{
    return (gos__place){ .object = mutex, .lock = &mutex->gos__spin, .list = &mutex->gos__waiters, .take = take,
                         .left = grant, .why = GOS_WAIT_RWMUTEX };
}

/* So that what is to be had needs no alarm. */
static bool take_now(gos_rwmutex *mutex, void *mark)
{
    gos__spin_lock(&mutex->gos__spin);
    bool taken = take(mutex, mark);
    gos__spin_unlock(&mutex->gos__spin);
    return taken;
}

static gos__task *lock(gos_rwmutex *mutex, void *mark, int64_t deadline, gos__task *self)
{
    self->result = 0;
    if (deadline != GOS_NEVER && take_now(mutex, mark))
        return self;
    gos__place place = place_in(mutex);
    return gos__list_await(&place, mark, deadline, self);
}

static int lock_outside(gos_rwmutex *mutex, void *mark, int64_t deadline)
{
    gos__place place = place_in(mutex);
    return gos__list_await_outside(&place, mark, deadline);
}

gos__task *gos__rwmutex_rlock(gos_rwmutex *mutex, int64_t deadline, void *c, gos__task *self)
{
    (void)c;
    require_mutex(mutex, "gos_rwmutex_rlock");
    return lock(mutex, reader_mark, deadline, self);
}

int gos__rwmutex_rlock_outside(gos_rwmutex *mutex, int64_t deadline)
{
    require_mutex(mutex, "gos_rwmutex_rlock");
    return lock_outside(mutex, reader_mark, deadline);
}

gos__task *gos__rwmutex_lock(gos_rwmutex *mutex, int64_t deadline, void *c, gos__task *self)
{
    (void)c;
    require_mutex(mutex, "gos_rwmutex_lock");
    return lock(mutex, writer_mark, deadline, self);
}

int gos__rwmutex_lock_outside(gos_rwmutex *mutex, int64_t deadline)
{
    require_mutex(mutex, "gos_rwmutex_lock");
    return lock_outside(mutex, writer_mark, deadline);
}

int gos__rwmutex_tryrlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_tryrlock");
    return take_now(mutex, reader_mark) ? 0 : -EBUSY;
}

int gos__rwmutex_trylock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_trylock");
    return take_now(mutex, writer_mark) ? 0 : -EBUSY;
}

void gos__rwmutex_runlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_runlock");
    gos__list served = { NULL, NULL };
    gos__spin_lock(&mutex->gos__spin);
    gos__require(mutex->gos__held > FREE, "gos_rwmutex_runlock: no reader has the mutex");
    mutex->gos__held--;
    grant(mutex, &served);
    gos__spin_unlock(&mutex->gos__spin);
    gos__list_end_all(served.gos__first);
}

void gos__rwmutex_unlock(gos_rwmutex *mutex)
{
    require_mutex(mutex, "gos_rwmutex_unlock");
    gos__list served = { NULL, NULL };
    gos__spin_lock(&mutex->gos__spin);
    gos__require(mutex->gos__held == WRITER, "gos_rwmutex_unlock: no writer has the mutex");
    mutex->gos__held = FREE;
    grant(mutex, &served);
    gos__spin_unlock(&mutex->gos__spin);
    gos__list_end_all(served.gos__first);
}
