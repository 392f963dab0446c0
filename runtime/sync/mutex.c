/*
 * mutex.c: a word, which says all, and a list, guarded by gos__spin.
 *
 * Usually who unlocks leaves it free and wakes the first waiter, which then tries again: whoever runs may take it
 * meanwhile, so that no switch of tasks lies between two that hold it. A waiter that has lost that race for
 * GOS_STARVED_NS makes it starving: from then on it is handed from one waiter to the next, in their order, until one
 * gets it that has not waited so long or there is none left.
 *
 *     WAITED    the list is not empty (changed under gos__spin, while locked)
 *     WOKEN     somebody has been woken and will try: nobody else need be woken. Set by the unlock that wakes, taken
 *               away by the woken, in the same step in which it takes the mutex or finds it locked
 *     STARVING  only with LOCKED and WAITED, but for a moment of who unlocks
 *
 * An unlock that has set it free does not touch it any more, since it may be gone: so it looks into the list before.
 *
 *     who locks (tests/model/mutex.pml)                 who unlocks
 *     L1  LOCKED from 0 to 1, whatever else is set      U1  waited for, and nobody woken or one starves: the first
 *     L2  once woken: LOCKED from 0 to 1, or not, and       waiter, out of the list; WAITED off if it was the last,
 *         WOKEN off, in one step                            STARVING unless the next one starves
 *     L3  under gos__spin: L1, or WAITED on in a step   U2  one starves, be it since U1: the heir of U1 gets it locked
 *         that finds LOCKED, and STARVING if it does;   U3  else LOCKED off, and WOKEN on if there is an heir, in a
 *         into the list, in front if it was woken           step that finds no change since U1 and U2
 *                                                       U4  the heir's wait ends
 */
#include <errno.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

enum { LOCKED = GOS_MUTEX_LOCKED, WAITED = 2, WOKEN = GOS_MUTEX_WOKEN,
       STARVING = GOS_MUTEX_STARVING };

/* What a waiter's `elem` says of one that cannot try, since it was in a condition: it is handed the mutex, and its call
 * returns 0 or -ETIMEDOUT. Of all others `elem` is a gos__mutex_wait. */
static const uintptr_t HANDED = 1, HANDED_LATE = 3;

static bool is_handed(const gos__waiter *waiter)
{
    return (uintptr_t)waiter->elem & HANDED;
}

static bool try_take(gos_mutex *mutex)
{
    for (;;) {
        uint32_t word = gos__load_relaxed(&mutex->gos__word);
        if (word & LOCKED)
            return false;
        if (gos__cas_acquire(&mutex->gos__word, word, word | LOCKED)) /* L1 */
            return true;
    }
}

/* Of who was woken; false: it is locked. */
static bool try_take_woken(gos_mutex *mutex)
{
    for (;;) {
        uint32_t word = gos__load_relaxed(&mutex->gos__word);
        if (gos__cas_acquire(&mutex->gos__word, word, (word | LOCKED) & ~(uint32_t)WOKEN)) /* L2 */
            return !(word & LOCKED);
    }
}

/* ---- waiting; under gos__spin ---- */

static bool starves(const void *elem)
{
    if ((uintptr_t)elem & HANDED)
        return false;
    int64_t since = ((const gos__mutex_wait *)elem)->since;
    return gos__own_clock() - since >= GOS_STARVED_NS;
}

/* L3: or makes sure that who unlocks it looks into the list. */
static bool take_or_announce(void *object, void *elem)
{
    gos_mutex *mutex = object;
    uint32_t starving = starves(elem) ? STARVING : 0;
    while (!try_take(mutex)) {
        uint32_t word = gos__load_relaxed(&mutex->gos__word);
        if (word & LOCKED && gos__cas_acquire(&mutex->gos__word, word, word | WAITED | starving))
            return false;
    }
    return true;
}

static void left(void *object, gos__list *served)
{
    (void)served;
    gos_mutex *mutex = object;
    if (!mutex->gos__waiters.gos__first)
        gos__and_seq(&mutex->gos__word, ~(uint32_t)(WAITED | STARVING)); /* seq: no weaker one is named */
}

static gos__place place_in(gos_mutex *mutex)
{
    return (gos__place){ .object = mutex, .lock = &mutex->gos__spin, .list = &mutex->gos__waiters,
                         .take = take_or_announce, .left = left, .why = GOS_WAIT_MUTEX };
}

/* True: done, with *result. Else to be waited for. */
static bool try_lock(gos_mutex *mutex, gos__mutex_wait *wait, int32_t *result)
{
    gos__require(mutex != NULL, "gos_mutex_lock: the mutex is NULL");
    *result = 0;
    if (wait->since ? try_take_woken(mutex) : try_take(mutex))
        return true;
    if (!wait->since)
        wait->since = gos__own_clock();
    return false;
}

gos__task *gos__mutex_lock(gos_mutex *mutex, gos__mutex_wait *wait, void *c, gos__task *self)
{
    (void)c;
    bool was_woken = wait->since;
    if (try_lock(mutex, wait, &self->result))
        return self;
    gos__place place = place_in(mutex);
    place.in_front = was_woken;
    return gos__list_await(&place, wait, wait->deadline, self);
}

int gos__mutex_lock_outside(gos_mutex *mutex, gos__mutex_wait *wait)
{
    for (int32_t result = GOS_AGAIN;;) {
        bool was_woken = wait->since;
        if (try_lock(mutex, wait, &result))
            return result;
        gos__place place = place_in(mutex);
        place.in_front = was_woken;
        result = gos__list_await_outside(&place, wait, wait->deadline);
        if (result != GOS_AGAIN)
            return result;
    }
}

void gos__mutex_lock_for(gos__waiter *waiter, int32_t result)
{
    gos_mutex *mutex = waiter->elem;
    void *elem = (void *)(result ? HANDED_LATE : HANDED);
    gos__spin_lock(&mutex->gos__spin);
    bool locked = take_or_announce(mutex, elem);
    if (!locked) {
        waiter->elem = elem;
        if (waiter->task)
            gos__store_relaxed(&waiter->task->why, (uint8_t)GOS_WAIT_MUTEX);
        gos__list_append(&mutex->gos__waiters, waiter);
    }
    gos__spin_unlock(&mutex->gos__spin);
    if (locked)
        gos__list_end(waiter, result);
}

bool gos__mutex_is_locked(const gos_mutex *mutex)
{
    return gos__load_relaxed(&mutex->gos__word) & LOCKED;
}

int gos__mutex_trylock(gos_mutex *mutex)
{
    gos__require(mutex != NULL, "gos_mutex_trylock: the mutex is NULL");
    return try_take(mutex) ? 0 : -EBUSY;
}

/* ---- unlocking ---- */

/* The first waiter, out of the list; *hand: it is to have the mutex, which then stays locked. NULL: nobody waits. */
static gos__waiter *take_heir(gos_mutex *mutex, bool *hand)
{
    gos__spin_lock(&mutex->gos__spin);
    gos__waiter *heir = gos__list_take(&mutex->gos__waiters);
    bool more = mutex->gos__waiters.gos__first, starving = gos__load_relaxed(&mutex->gos__word) & STARVING;
    *hand = heir && (starving || is_handed(heir));
    uint32_t gone = (more ? 0 : WAITED) | (more && heir && (is_handed(heir) || starves(heir->elem)) ? 0 : STARVING);
    gos__and_seq(&mutex->gos__word, ~gone); /* seq: no weaker one is named */
    gos__spin_unlock(&mutex->gos__spin);
    return heir;
}

void gos__mutex_unlock(gos_mutex *mutex)
{
    gos__require(mutex != NULL, "gos_mutex_unlock: the mutex is NULL");
    gos__waiter *heir = NULL;
    bool hand = false;
    while (!hand) {
        uint32_t word = gos__load_relaxed(&mutex->gos__word);
        gos__require(word & LOCKED, "gos_mutex_unlock: the mutex is not locked");
        if (heir && word & STARVING)
            hand = true; /* U2: another has begun to starve meanwhile; this one has waited longer */
        else if (!heir && word & WAITED && (word & (WOKEN | STARVING)) != WOKEN)
            heir = take_heir(mutex, &hand); /* U1 */
        else if (gos__cas_seq(&mutex->gos__word, word, (word & ~(uint32_t)LOCKED) | (heir ? WOKEN : 0)))
            break; /* U3; seq: the one order named that releases */
    }
    if (!heir)
        return;
    int32_t late = (uintptr_t)heir->elem == HANDED_LATE ? -ETIMEDOUT : 0;
    gos__list_end(heir, hand ? late : GOS_AGAIN); /* U4 */
}
