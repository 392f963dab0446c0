/* list.c: waiting in a list, with and without a deadline, as a task and as a thread. Protocol: list.h. */
#include "sync/list.h"

#include <errno.h>

#include "sched/seed.h"
#include "sched/worker.h"
#include "sync/sync.h"

/* A task's wait that has a deadline. Whoever wins it gives the block back. */
typedef struct timed {
    gos__alarm alarm;
    gos__waiter waiter;
    gos__place place;
    uint32_t won;
    uint32_t queued; /* under the place's lock */
} timed;

/* A thread without a task; in its frame. */
typedef struct outsider {
    gos__waiter waiter;
    uint32_t futex; /* 1: served */
    uint32_t queued; /* under the place's lock */
    int32_t result;
} outsider;

_Static_assert(sizeof(timed) <= GOS_ALARM_BLOCK, "its block is kept for the next one");

static timed *timed_of(gos__waiter *waiter)
{
    return (timed *)((char *)waiter - offsetof(timed, waiter));
}

static outsider *outsider_of(gos__waiter *waiter)
{
    return (outsider *)((char *)waiter - offsetof(outsider, waiter));
}

static bool is_own(const gos__waiter *waiter)
{
    return waiter == &waiter->task->waiter;
}

/* ---- serving ---- */

gos__waiter *gos__list_claim_first(gos__list *list)
{
    gos__waiter *waiter = gos__list_take_first(list); /* S1 */
    if (!waiter->task) {
        /* Written at the first taking alone: one that a condition has moved on to its mutex is taken again, under the
         * mutex's lock, while its thread may read the word under the condition's. */
        if (outsider_of(waiter)->queued)
            outsider_of(waiter)->queued = 0;
        return waiter;
    }
    if (gos__likely(is_own(waiter)))
        return waiter;
    timed_of(waiter)->queued = 0;
    return gos__cas_acquire(&timed_of(waiter)->won, 0, 1) ? waiter : NULL; /* S2 */
}

gos__waiter *gos__list_take(gos__list *list)
{
    gos__waiter *waiter = NULL;
    while (list->gos__first && !waiter)
        waiter = gos__list_claim_first(list);
    return waiter;
}

gos__waiter *gos__list_take_all(gos__list *list)
{
    gos__list taken = { NULL, NULL };
    for (gos__waiter *waiter; (waiter = gos__list_take(list));)
        gos__list_append(&taken, waiter);
    return taken.gos__first;
}

void gos__list_end(gos__waiter *waiter, int32_t result)
{
    gos__task *task = waiter->task;
    if (!task) {
        outsider *it = outsider_of(waiter);
        it->result = result;
        gos__store_release(&it->futex, 1u); /* pairs with the acquire in gos__list_await_outside, whose frame may go */
        gos__futex_wake(&it->futex, 1);
        return;
    }
    if (gos__unlikely(!is_own(waiter)))
        gos__alarm_return(&timed_of(waiter)->alarm);
    task->result = result;
    gos__ready(task, false);
}

gos__waiter *gos__list_retain(gos__waiter *waiter)
{
    gos__task *task = waiter->task;
    if (!task || gos__likely(is_own(waiter)))
        return waiter;
    task->waiter.elem = waiter->elem;
    gos__alarm_return(&timed_of(waiter)->alarm);
    return &task->waiter;
}

void gos__list_end_all(gos__waiter *first)
{
    while (first) {
        gos__waiter *next = first->next;
        gos__list_end(first, 0);
        first = next;
    }
}

/* ---- deadlines ---- */

/* `waiter`: NULL: it is out of the list. False: it stays. */
static bool leave(const gos__place *place, gos__waiter *waiter, gos__list *served)
{
    if (waiter && place->stays && place->stays(place->object))
        return false;
    if (waiter)
        gos__list_remove(place->list, waiter);
    if (place->left)
        place->left(place->object, served);
    return true;
}

static void time_out(gos__worker *worker, gos__alarm *alarm)
{
    (void)worker;
    timed *it = (timed *)alarm;
    gos__place place = it->place;
    gos__list served = { NULL, NULL };
    if (!gos__cas_acquire(&it->won, 0, 1)) /* A1 */
        return;
    gos__spin_lock(place.lock);
    bool has_left = leave(&place, it->queued ? &it->waiter : NULL, &served); /* A2 */
    if (!has_left)
        gos__store_relaxed(&it->won, 0u); /* S2 is under the lock too */
    gos__spin_unlock(place.lock);
    if (!has_left)
        return;
    gos__list_end_all(served.gos__first);
    if (place.mutex)
        gos__mutex_lock_for(gos__list_retain(&it->waiter), -ETIMEDOUT); /* A3 */
    else
        gos__list_end(&it->waiter, -ETIMEDOUT); /* A3 */
}

/* A block whose alarm is set, in no list yet; NULL: the task's result says why. It cannot fire before we park. */
static timed *timed_new(const gos__place *place, void *elem, int64_t deadline, gos__task *self)
{
    gos__worker *worker = gos__self.worker;
    self->result = -ETIMEDOUT;
    if (deadline <= gos__own_clock())
        return NULL;
    self->result = -ENOMEM;
    timed *it = (timed *)gos__alarm_new(worker, sizeof *it, time_out);
    if (!it)
        return NULL;
    it->waiter = (gos__waiter){ .elem = elem, .task = self };
    it->place = *place;
    it->won = 0;
    it->queued = 1;
    if (gos__alarm_set(worker, &it->alarm, deadline)) {
        self->result = 0;
        return it;
    }
    gos__alarm_return(&it->alarm);
    return NULL;
}

/* ---- waiting ---- */

static bool takes(const gos__place *place, void *elem)
{
    return place->take && place->take(place->object, elem);
}

static void enlist(const gos__place *place, gos__waiter *waiter)
{
    (place->in_front ? gos__list_prepend : gos__list_append)(place->list, waiter);
}

gos__task *gos__list_await(const gos__place *place, void *elem, int64_t deadline, gos__task *self)
{
    timed *it = NULL;
    self->result = 0;
    if (gos__unlikely(deadline != GOS_NEVER) && !(it = timed_new(place, elem, deadline, self)))
        return self;
    gos__spin_lock(place->lock);
    if (takes(place, elem)) {
        gos__spin_unlock(place->lock);
        if (it)
            gos__alarm_return(&it->alarm);
        return self;
    }
    self->waiter.elem = elem;
    gos__waits_for(self, place->why, place->object);
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    enlist(place, it ? &it->waiter : &self->waiter);
    gos__spin_unlock(place->lock);
    if (place->mutex)
        gos__mutex_unlock(place->mutex);
    return gos__park(self);
}

/* Whether it was still in the list, and is no more. */
static bool outsider_leaves(const gos__place *place, outsider *self)
{
    gos__list served = { NULL, NULL };
    gos__spin_lock(place->lock);
    bool has_left = self->queued && leave(place, &self->waiter, &served);
    gos__spin_unlock(place->lock);
    gos__list_end_all(served.gos__first);
    return has_left;
}

int gos__list_await_outside(const gos__place *place, void *elem, int64_t deadline)
{
    outsider self = { .waiter = { .elem = elem }, .queued = 1 };
    gos__spin_lock(place->lock);
    bool taken = takes(place, elem);
    if (!taken)
        enlist(place, &self.waiter);
    gos__spin_unlock(place->lock);
    if (place->mutex)
        gos__mutex_unlock(place->mutex);
    while (!taken && !gos__load_acquire(&self.futex)) {
        gos__futex_wait(&self.futex, 0, deadline);
        if (deadline == GOS_NEVER || gos__own_clock() < deadline)
            continue;
        deadline = GOS_NEVER; /* or else somebody is about to end it */
        if (!outsider_leaves(place, &self))
            continue;
        if (!place->mutex)
            return -ETIMEDOUT;
        gos__mutex_lock_for(&self.waiter, -ETIMEDOUT);
    }
    return self.result;
}
