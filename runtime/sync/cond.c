/*
 * cond.c: a list of waiters, each with its mutex in `elem`. A signal moves the first one to its mutex: locks it for the
 * waiter, or queues it there, to be handed the mutex in its turn. So who runs again has the mutex, and a broadcast
 * wakes no crowd.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

static void check(const gos_cond *cond, const gos_mutex *mutex)
{
    gos__require(cond != NULL && mutex != NULL, "gos_cond_wait: the %s is NULL", cond ? "mutex" : "condition");
    gos__require(gos__mutex_is_locked(mutex), "gos_cond_wait: the mutex is not locked");
}

static gos__place place_in(gos_cond *cond, gos_mutex *mutex)
{
    return (gos__place){ .object = cond, .lock = &cond->gos__spin, .list = &cond->gos__waiters, .mutex = mutex,
                         .why = GOS_WAIT_COND };
}

gos__task *gos__cond_wait(gos_cond *cond, gos_mutex *mutex, int64_t deadline, gos__task *self)
{
    check(cond, mutex);
    gos__place place = place_in(cond, mutex);
    return gos__list_await(&place, mutex, deadline, self);
}

int gos__cond_wait_outside(gos_cond *cond, gos_mutex *mutex, int64_t deadline)
{
    check(cond, mutex);
    gos__place place = place_in(cond, mutex);
    return gos__list_await_outside(&place, mutex, deadline);
}

void gos__cond_signal(gos_cond *cond)
{
    gos__require(cond != NULL, "gos_cond_signal: the condition is NULL");
    gos__spin_lock(&cond->gos__spin);
    gos__waiter *waiter = gos__list_take(&cond->gos__waiters);
    gos__spin_unlock(&cond->gos__spin);
    if (waiter)
        gos__mutex_lock_for(gos__list_retain(waiter), 0);
}

void gos__cond_broadcast(gos_cond *cond)
{
    gos__require(cond != NULL, "gos_cond_broadcast: the condition is NULL");
    gos__spin_lock(&cond->gos__spin);
    gos__waiter *first = gos__list_take_all(&cond->gos__waiters);
    gos__spin_unlock(&cond->gos__spin);
    for (gos__waiter *waiter = first, *next; waiter; waiter = next) {
        next = waiter->next;
        gos__mutex_lock_for(gos__list_retain(waiter), 0);
    }
}
