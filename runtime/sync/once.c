/*
 * once.c: what gos_once_do (arch/sync_x86_64.S) calls round fn, which runs on the stack of the task that was first.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

/* RUNNING_WITHIN: by a task that owed already (arch/state.h: GOS_OWES). */
enum { FRESH, RUNNING, DONE = GOS_ONCE_DONE, RUNNING_WITHIN };

static bool is_running(uint32_t state)
{
    return state == RUNNING || state == RUNNING_WITHIN;
}

/* FRESH: it is the caller who runs fn; `self` is what is its own, and `running` the state from now on. */
static uint32_t begin(gos_once *once, void (*fn)(void *), void *self, uint32_t running)
{
    gos__require(once != NULL && fn != NULL, "gos_once_do: %s is NULL", once ? "fn" : "once");
    gos__spin_lock(&once->gos__spin);
    uint32_t found = once->gos__state;
    gos__require(!is_running(found) || once->gos__runner != self, "gos_once_do: its function waits for itself");
    if (found == FRESH) {
        once->gos__state = running;
        once->gos__runner = self;
    }
    gos__spin_unlock(&once->gos__spin);
    return found;
}

static bool is_done(void *object, void *elem)
{
    (void)elem;
    return ((gos_once *)object)->gos__state == DONE;
}

static gos__place place_in(gos_once *once)
{
    return (gos__place){ .object = once, .lock = &once->gos__spin, .list = &once->gos__waiters, .take = is_done,
                         .why = GOS_WAIT_ONCE };
}

gos__task *gos__once_enter(gos_once *once, void (*fn)(void *), int64_t deadline, gos__task *self)
{
    uint32_t found = begin(once, fn, self, gos__owes(self) ? RUNNING_WITHIN : RUNNING);
    self->result = found == FRESH;
    if (found == FRESH)
        gos__set_owes(self, true);
    if (!is_running(found)) /* what is done needs no alarm */
        return self;
    gos__place place = place_in(once);
    return gos__list_await(&place, NULL, deadline, self);
}

int gos__once_enter_outside(gos_once *once, void (*fn)(void *), int64_t deadline)
{
    if (begin(once, fn, &gos__self, RUNNING) == FRESH) /* what is this thread's own */
        return 1;
    gos__place place = place_in(once);
    return gos__list_await_outside(&place, NULL, deadline);
}

void gos__once_leave(gos_once *once)
{
    gos__spin_lock(&once->gos__spin);
    if (gos__self.task && once->gos__state == RUNNING)
        gos__set_owes(gos__self.task, false);
    gos__store_release(&once->gos__state, (uint32_t)DONE); /* pairs with the plain load in gos_once_do: x86 orders it */
    once->gos__runner = NULL;
    gos__waiter *first = gos__list_take_all(&once->gos__waiters);
    gos__spin_unlock(&once->gos__spin);
    gos__list_end_all(first);
}
