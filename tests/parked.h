/* parked.h: waiting until tasks are parked on a descriptor, which no sleep can tell on a busy machine. */
#ifndef GOS_TESTS_PARKED_H
#define GOS_TESTS_PARKED_H

#include <gossamer.h>

#include "sched/slot.h"

static inline int parked_on(int fd)
{
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    int count = 0;
    if (!slot)
        return 0;
    gos__spin_lock(&slot->lock);
    for (const gos__fd_record *record = slot->first; record; record = record->next)
        count += gos__load_acquire(&record->wait->state) == GOS_FD_WAITING;
    gos__spin_unlock(&slot->lock);
    return count;
}

/* From a task. Returns when at least so many waits for fd are complete: whoever ends them makes a task ready. */
static inline void await_parked(int fd, int n)
{
    while (parked_on(fd) < n)
        gos_yield();
}

#endif
