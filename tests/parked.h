/* parked.h: waiting until tasks are parked, which no sleep can tell on a busy machine. From tasks. */
#ifndef GOS_TESTS_PARKED_H
#define GOS_TESTS_PARKED_H

#include <gossamer.h>

#include "sched/slot.h"
#include "stack/stack.h"

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

/* Returns when at least so many waits for fd are complete: whoever ends them makes a task ready. */
static inline void await_parked(int fd, int n)
{
    while (parked_on(fd) < n)
        gos_yield();
}

typedef struct parked_count {
    void (*fn)(void *);
    enum gos__wait why;
    int n;
} parked_count;

/* Reads what changes meanwhile, as gos_dump does. */
__attribute__((no_sanitize("thread"))) static inline void parked_see(const gos__task *task, void *arg)
{
    parked_count *count = arg;
    count->n += gos__entry_of(task) == count->fn && gos__is_parked(task->state) && task->why == count->why;
}

/* How many tasks that were started with fn are parked, or are just being so under the lock of what they wait for. */
static inline int parked_tasks(void (*fn)(void *), enum gos__wait why)
{
    parked_count count = { .fn = fn, .why = why };
    gos__stacks_walk(parked_see, &count);
    return count.n;
}

static inline void await_tasks(void (*fn)(void *), enum gos__wait why, int n)
{
    while (parked_tasks(fn, why) < n)
        gos_sleep(50000);
}

#endif
