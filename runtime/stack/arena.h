/* arena.h: the parts of the reservation for stacks, between pool.c, which lays them out, and region.c. */
#ifndef GOS_STACK_ARENA_H
#define GOS_STACK_ARENA_H

#include <stdbool.h>

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
    uint32_t free_n, free_least; /* magazines; the fewest in this period of the monitor's */
} gos__arena;

/* Takes `bytes` (a multiple of the stride) off the uncarved part; 0 when the space or `limit`, of resident memory, is
 * reached. The lock is held. */
uintptr_t gos__arena_carve(gos__arena *part, size_t bytes, int64_t limit);

/* Whether that limit leaves room for a step of carving. What is asked is not met: the kernel would let us map on and
 * kill the process later. */
bool gos__memory_has_room(int64_t limit);

/* `n` stacks as new, from start on, linked by next; *count: how many there are, fewer where guards are refused. */
gos__task *gos__stacks_make(enum gos__kind kind, uintptr_t start, uint32_t n, int32_t *count);

/* The last magazine that came; NULL: there is none. The lock is held. */
gos__task *gos__magazine_pop(gos__arena *part);

/* ---- vacant.c ---- */

/* stacks: by kind. 0 or -ENOMEM. */
int gos__vacant_open(gos__arena *stacks);
void gos__vacant_close(void);

/* Whether nothing is where this stack's header was: who only looks passes it by, for a look would bring pages back. */
bool gos__vacant_has(enum gos__kind kind, const gos__task *task);

/* Stacks, linked by next, in the place of a magazine; NULL: none to be had. The lock of their part is held. */
gos__task *gos__vacant_take(enum gos__kind kind, int32_t *count, int64_t limit);

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
