/*
 * list.h: lists of who waits, first in first out; each guarded by the spin lock of the object it is part of.
 *
 * Three kinds wait: a task for as long as it takes, by its own entry; a task with a deadline, by an entry in a block
 * that has an alarm; an outsider, which is a thread without a task, by an entry in its frame, which names no task.
 *
 *     who serves, under the object's lock           the alarm, when it fires
 *     S1  takes an entry out of the list            A1  `won` from 0 to 1, or it is served: leave it alone
 *     S2  `won` from 0 to 1, or it is too late:     A2  under the object's lock: out of the list, if it still is there;
 *         the next one                                  others may be served in its place; or `won` back to 0, no A3
 *     S3  with the lock released, ends the wait     A3  ends the wait
 *
 * Until A3 the call has not returned, so that the object is still there at A2.
 */
#ifndef GOS_SYNC_LIST_H
#define GOS_SYNC_LIST_H

#include <stdbool.h>

#include "arch/state.h"
#include "base/atomics.h"
#include "base/compiler.h"
#include "base/spin.h"
#include "include/gossamer.h"

/* What gos_mutex_lock's door does again when it has been woken (arch/sync_x86_64.S). */
enum { GOS_AGAIN = GOS_LOCK_AGAIN };

/* The deadline of who has none. */
#define GOS_NEVER INT64_MAX

/* Where somebody waits, and for what. */
typedef struct gos__place {
    void *object;
    gos__spin *lock;
    gos__list *list;
    /* Under the lock: takes what is waited for, if it is to be had. `elem` is the entry's. NULL: it never is. */
    bool (*take)(void *object, void *elem);
    /* Under the lock, when somebody has left the list without it: adds to `served` who is served now. May be NULL. */
    void (*left)(void *object, gos__list *served);
    /* Under the lock, of one in the list whose time is over: true: it is just being served, and waits on. Or NULL. */
    bool (*stays)(void *object);
    gos_mutex *mutex; /* of a condition: unlocked once the entry is in the list, locked again for who leaves; or NULL */
    enum gos__wait why;
    bool in_front; /* it has waited before */
} gos__place;

static inline void gos__list_append(gos__list *list, gos__waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = list->gos__last;
    if (list->gos__first)
        list->gos__last->next = waiter;
    else
        list->gos__first = waiter;
    list->gos__last = waiter;
}

static inline void gos__list_prepend(gos__list *list, gos__waiter *waiter)
{
    waiter->prev = NULL;
    waiter->next = list->gos__first;
    if (list->gos__first)
        list->gos__first->prev = waiter;
    else
        list->gos__last = waiter;
    list->gos__first = waiter;
}

/* NULL: the list is empty. */
static inline gos__waiter *gos__list_take_first(gos__list *list)
{
    gos__waiter *waiter = list->gos__first;
    if (waiter) {
        list->gos__first = waiter->next;
        if (waiter->next)
            waiter->next->prev = NULL;
        else
            list->gos__last = NULL;
    }
    return waiter;
}

static inline void gos__list_remove(gos__list *list, gos__waiter *waiter)
{
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        list->gos__first = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        list->gos__last = waiter->prev;
}

/* S1, S2: the first entry, out of the list; NULL: it was too late for that one. The list is not empty. */
gos__waiter *gos__list_claim_first(gos__list *list);

/* The first one that is in time; NULL: there is none. */
gos__waiter *gos__list_take(gos__list *list);

/* All that are in time, linked by next. */
gos__waiter *gos__list_take_all(gos__list *list);

/* S3: of one, and of a chain that is linked by next. `result`: of the call that waits. */
void gos__list_end(gos__waiter *waiter, int32_t result);
void gos__list_end_all(gos__waiter *first);

/* After S2: the entry by which it may wait for something else, with the same `elem`, and no deadline any more. */
gos__waiter *gos__list_retain(gos__waiter *waiter);

/* Takes it at once, or waits until it is served: 0; -ETIMEDOUT; -ENOMEM: no memory for a deadline. From a task: which
 * to go on with, and the result is the task's. From outside: blocks the thread. */
gos__task *gos__list_await(const gos__place *place, void *elem, int64_t deadline, gos__task *self);
int gos__list_await_outside(const gos__place *place, void *elem, int64_t deadline);

#endif
