/*
 * sem.c: all under the spin lock, which costs no more than the one atomic operation that a fast path would take. A
 * waiter's `elem` is the number of units it wants. First come, first served: who finds others waiting joins them even
 * if there are units enough for it, so a large request is not overtaken for ever by small ones.
 */
#include <errno.h>

#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

static void check(const gos_sem *sem, long n, const char *what)
{
    gos__require(sem != NULL, "%s: the semaphore is NULL", what);
    gos__require(n >= 0, "%s: %ld units", what, n);
}

static bool take(void *object, void *elem)
{
    gos_sem *sem = object;
    int64_t n = (intptr_t)elem;
    bool enough = !n || (!sem->gos__waiters.gos__first && sem->gos__count >= n);
    if (enough)
        sem->gos__count -= n;
    return enough;
}

static void serve(void *object, gos__list *served)
{
    gos_sem *sem = object;
    gos__list *waiters = &sem->gos__waiters;
    while (waiters->gos__first && sem->gos__count >= (intptr_t)waiters->gos__first->elem) {
        gos__waiter *waiter = gos__list_claim_first(waiters);
        if (!waiter)
            continue;
        sem->gos__count -= (intptr_t)waiter->elem;
        gos__list_append(served, waiter);
    }
}

static bool take_now(gos_sem *sem, long n)
{
    gos__spin_lock(&sem->gos__spin);
    bool taken = take(sem, (void *)n);
    gos__spin_unlock(&sem->gos__spin);
    return taken;
}

static gos__place place_in(gos_sem *sem)
{
    return (gos__place){ .object = sem, .lock = &sem->gos__spin, .list = &sem->gos__waiters, .take = take,
                         .left = serve, .why = GOS_WAIT_SEM };
}

gos__task *gos__sem_acquire(gos_sem *sem, intptr_t n, int64_t deadline, gos__task *self)
{
    check(sem, n, "gos_sem_acquire");
    self->result = 0;
    if (deadline != GOS_NEVER && take_now(sem, n)) /* what is to be had needs no alarm */
        return self;
    gos__place place = place_in(sem);
    return gos__list_await(&place, (void *)n, deadline, self);
}

int gos__sem_acquire_outside(gos_sem *sem, long n, int64_t deadline)
{
    check(sem, n, "gos_sem_acquire");
    gos__place place = place_in(sem);
    return gos__list_await_outside(&place, (void *)n, deadline);
}

int gos__sem_tryacquire(gos_sem *sem, long n)
{
    check(sem, n, "gos_sem_tryacquire");
    return take_now(sem, n) ? 0 : -EAGAIN;
}

void gos__sem_release(gos_sem *sem, long n)
{
    check(sem, n, "gos_sem_release");
    gos__list served = { NULL, NULL };
    gos__spin_lock(&sem->gos__spin);
    bool overflow = __builtin_add_overflow(sem->gos__count, n, &sem->gos__count);
    gos__require(!overflow, "gos_sem_release: more than 2^63 - 1 units");
    serve(sem, &served);
    gos__spin_unlock(&sem->gos__spin);
    gos__list_end_all(served.gos__first);
}
