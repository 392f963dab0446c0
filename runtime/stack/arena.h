/* arena.h: the parts of the reservation for stacks, between pool.c, which lays them out, and region.c. */
#ifndef GOS_STACK_ARENA_H
#define GOS_STACK_ARENA_H

#include "base/config.h"
#include "base/spin.h"
#include "os/os.h"
#include "stack/stack.h"

#if defined(__x86_64__)
#define PAGE GOS_GUARD_SIZE
#else
#define PAGE gos__vm_page_size()
#endif

/* One part of the reservation: slots of one size, carved upwards. */
typedef struct gos__arena {
    gos__spin lock;
    uintptr_t base, carved, committed, end;
    size_t stride;
    void *free; /* magazines of stacks (linked by waiter.elem), or single regions (linked by next) */
} gos__arena;

/* Takes `bytes` (a multiple of the stride) off the uncarved part; 0 when the space or `limit`, of resident memory, is
 * reached. The lock is held. */
uintptr_t gos__arena_carve(gos__arena *part, size_t bytes, int64_t limit);

/* Tops of page-aligned stacks would share a few cache sets; neighbours begin on different lines instead. */
static inline uintptr_t gos__arena_colour(uintptr_t slot, size_t stride)
{
    return slot / stride % 8 * 128;
}

/* ---- region.c ---- */

/* stacks: by kind; regions: deep, large. 0 or -ENOMEM. */
int gos__regions_open(gos__arena *stacks, gos__arena *regions, int64_t memory_limit);
void gos__regions_close(void);

void gos__region_init(gos__region *region, uintptr_t slot, bool large, bool owned);

/* Where the header of a paged stack's task is. */
gos__task *gos__paged_task_in(uintptr_t slot);

/* At the memory limit: gives back pages of some regions that wait for their next use; false: there are none. */
bool gos__regions_reclaim(void);

#endif
