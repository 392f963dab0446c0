/*
 * cond.c: a list of tasks, each with its mutex in `elem`. A signal moves the first one to its mutex: locks it for the
 * task, or queues the task there. So a task that runs again has the mutex, and a broadcast wakes no crowd.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

gos__task *gos__cond_wait(gos_cond *cond, gos_mutex *mutex, void *c, gos__task *self)
{
    (void)c;
    gos__require(cond != NULL && mutex != NULL, "gos_cond_wait: the %s is NULL", cond ? "mutex" : "condition");
    gos__require(gos__mutex_is_locked(mutex), "gos_cond_wait: the mutex is not locked");
    self->waiter.elem = mutex;
    gos__spin_lock(&cond->gos__spin);
    gos__list_wait(&cond->gos__waiters, self, GOS_WAIT_COND);
    gos__spin_unlock(&cond->gos__spin);
    gos__mutex_unlock(mutex);
    return gos__park(self);
}

void gos__cond_signal(gos_cond *cond)
{
    gos__require(cond != NULL, "gos_cond_signal: the condition is NULL");
    gos__spin_lock(&cond->gos__spin);
    gos__waiter *waiter = gos__list_take_first(&cond->gos__waiters);
    gos__spin_unlock(&cond->gos__spin);
    if (waiter)
        gos__mutex_lock_for(waiter->elem, waiter);
}

void gos__cond_broadcast(gos_cond *cond)
{
    gos__require(cond != NULL, "gos_cond_broadcast: the condition is NULL");
    gos__spin_lock(&cond->gos__spin);
    gos__waiter *waiter = gos__list_take_all(&cond->gos__waiters);
    gos__spin_unlock(&cond->gos__spin);
    while (waiter) {
        gos__waiter *next = waiter->next;
        gos__mutex_lock_for(waiter->elem, waiter);
        waiter = next;
    }
}
