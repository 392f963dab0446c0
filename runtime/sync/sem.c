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

static bool take(gos_sem *sem, long n)
{
    bool enough = !n || (!sem->gos__waiters.gos__first && sem->gos__count >= n);
    if (enough)
        sem->gos__count -= n;
    return enough;
}

gos__task *gos__sem_acquire(gos_sem *sem, intptr_t n, void *c, gos__task *self)
{
    (void)c;
    check(sem, n, "gos_sem_acquire");
    gos__spin_lock(&sem->gos__spin);
    bool taken = take(sem, n);
    if (!taken) {
        self->waiter.elem = (void *)n;
        gos__list_wait(&sem->gos__waiters, self, GOS_WAIT_SEM);
    }
    gos__spin_unlock(&sem->gos__spin);
    return taken ? self : gos__park(self);
}

int gos__sem_tryacquire(gos_sem *sem, long n)
{
    check(sem, n, "gos_sem_tryacquire");
    gos__spin_lock(&sem->gos__spin);
    bool taken = take(sem, n);
    gos__spin_unlock(&sem->gos__spin);
    return taken ? 0 : -EAGAIN;
}

void gos__sem_release(gos_sem *sem, long n)
{
    check(sem, n, "gos_sem_release");
    gos__list served = { NULL, NULL };
    gos__spin_lock(&sem->gos__spin);
    bool overflow = __builtin_add_overflow(sem->gos__count, n, &sem->gos__count);
    gos__require(!overflow, "gos_sem_release: more than 2^63 - 1 units");
    gos__waiter *waiter;
    while ((waiter = sem->gos__waiters.gos__first) && sem->gos__count >= (intptr_t)waiter->elem) {
        sem->gos__count -= (intptr_t)waiter->elem;
        gos__list_append(&served, gos__list_take_first(&sem->gos__waiters));
    }
    gos__spin_unlock(&sem->gos__spin);
    gos__ready_all(served.gos__first);
}
