/*
 * once.c: what gos_once_do (arch/entry_x86_64.S) calls round fn, which runs on the stack of the task that was first.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

enum { FRESH, RUNNING, DONE = GOS_ONCE_DONE };

gos__task *gos__once_enter(gos_once *once, void (*fn)(void *), void *c, gos__task *self)
{
    (void)c;
    gos__require(once != NULL && fn != NULL, "gos_once_do: %s is NULL", once ? "fn" : "once");
    self->result = 0;
    gos__spin_lock(&once->gos__spin);
    uint32_t state = once->gos__state;
    if (state == FRESH) {
        once->gos__state = RUNNING;
        once->gos__runner = self;
        self->result = 1;
    } else if (state == RUNNING) {
        gos__require(once->gos__runner != self, "gos_once_do: its function waits for itself");
        gos__list_wait(&once->gos__waiters, self, GOS_WAIT_ONCE);
    }
    gos__spin_unlock(&once->gos__spin);
    return state == RUNNING ? gos__park(self) : self;
}

void gos__once_leave(gos_once *once)
{
    gos__spin_lock(&once->gos__spin);
    gos__store_release(&once->gos__state, (uint32_t)DONE); /* pairs with the plain load in gos_once_do: x86 orders it */
    once->gos__runner = NULL;
    gos__waiter *first = gos__list_take_all(&once->gos__waiters);
    gos__spin_unlock(&once->gos__spin);
    gos__ready_all(first);
}
