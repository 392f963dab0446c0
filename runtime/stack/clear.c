/*
 * clear.c: GOS_DEBUG=clear: no task finds on its stacks what another left there.
 *
 * What a task leaves goes as it leaves it, so that it lies in no free memory until that is used again: its first stack
 * when it ends, a region when it comes back, allocas that were on the heap when they are freed. But for one region a
 * thread: a task that crosses again takes the one that it gave back last as it is, since it crosses often. That one is
 * cleared when another task wants it, when the task ends, or when the thread gives regions away (gos__spares_flush).
 * Whose it is says hot_task: each return from a region sets it here, and gos__resume forgets it.
 *
 * No fast path knows of this. Regions are not `plain`, so all come back through C; there are no spare ones, so all are
 * borrowed through C; and no list of allocas is empty (gos__allocas_none), so that no task ends without a look.
 *
 * Nothing says how deep unchecked code went: a stack is looked through from its lowest address to where it is not zero,
 * and cleared from there.
 */
#include <string.h>

#include "arch/san.h"
#include "base/env.h"
#include "stack/arena.h"

typedef uint64_t words __attribute__((vector_size(16), may_alias));

typedef struct line {
    words part[4];
} line;

static inline bool is_zero(const line *at)
{
    words any = (at->part[0] | at->part[1]) | (at->part[2] | at->part[3]);
    return !(any[0] | any[1]);
}

static void clear(uintptr_t low, uintptr_t top)
{
    gos__san_forget(low, top);
    while (low < top && is_zero((const line *)low))
        low += sizeof(line);
    memset((void *)low, 0, top - low);
}

/* Most of a large one was never touched: a look would give all of it page tables. */
static void clear_region(gos__region *region)
{
    uintptr_t low = region->bottom, last = (uintptr_t)region & ~(uintptr_t)(PAGE - 1);
    if (region->is_large && !gos__vm_discard((void *)low, last - low)) {
        region->limit = gos__region_first_limit(region);
        low = last;
    }
    clear(low, (uintptr_t)region);
}

gos__region *gos__clear_take(const gos__task *task)
{
    gos__region *region = gos__self.uncleared;
    gos__self.uncleared = NULL;
    if (region && (!task || gos__self.hot_task != task))
        clear_region(region);
    return region;
}

void gos__clear_returned(const gos__task *task, gos__region *region)
{
    gos__region *former = gos__clear_take(NULL);
    if (former)
        gos__region_free(gos__self.cache, former);
    if (region->is_large) {
        clear_region(region);
        gos__region_free(gos__self.cache, region);
    } else {
        gos__self.uncleared = region;
        gos__self.hot_task = (gos__task *)task;
    }
}

void gos__clear_ended(gos__task *task)
{
    if (!gos__env_get()->clear)
        return;
    gos__region *last = gos__self.hot_task == task ? gos__clear_take(NULL) : NULL;
    if (last)
        gos__region_free(gos__self.cache, last);
    if (gos__has_nursery(task))
        memset((void *)(gos__nursery_low(task) + GOS_NURSERY_WORDS), 0,
               (uintptr_t)task - gos__nursery_low(task) - GOS_NURSERY_WORDS);
    else
        clear(task->region->bottom, (uintptr_t)task->region);
}
