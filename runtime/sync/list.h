/* list.h: lists of parked tasks, first in first out; each guarded by the spin lock of the object it is part of. */
#ifndef GOS_SYNC_LIST_H
#define GOS_SYNC_LIST_H

#include <stdbool.h>

#include "arch/state.h"
#include "base/atomics.h"
#include "base/compiler.h"
#include "include/gossamer.h"

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

/* The whole list, linked by next. */
static inline gos__waiter *gos__list_take_all(gos__list *list)
{
    gos__waiter *first = list->gos__first;
    *list = (gos__list){ NULL, NULL };
    return first;
}

/* Puts the running task, which is about to park, into a list. */
static inline void gos__list_wait(gos__list *list, gos__task *self, enum gos__wait why)
{
    self->why = (uint8_t)why;
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    gos__list_append(list, &self->waiter);
}

/* Makes all tasks of a chain that was taken from a list ready. */
void gos__ready_all(gos__waiter *first);

#endif
