/*
 * region.c: free regions, and what gives their pages back.
 *
 * A region that comes back keeps its pages: who recursed deep often does so again, and giving back and touching anew
 * costs a system call and a fault for each page. It goes to the thread's spare ones, then to the worker's stock, then
 * to the shared ones, which are warm. The monitor notes in each period the fewest warm ones there were: nobody needed
 * so many, and they go cold: all their pages go to the kernel, the header's too, so a table beside them links them.
 */
#include <errno.h>

#include "base/check.h"
#include "os/os.h"
#include "stack/arena.h"
#include "stack/cold.h"

#define REGIONS_KEPT 32
#define LARGE_FIRST_STEP (64 * 1024)

/* Given back with one call: about 20 us where all of it was in use. */
#define CHUNK (256 * 1024)

/* At the memory limit a task gives back so many of each kind before it tries again. */
#define RECLAIMED 16

/* Entries of the table: 0: not cold; else 1 + the number of the next cold slot. */
#define LAST_COLD 0x7fffffffu
#define UNGUARDED 0x80000000u

typedef struct shelf {
    gos__arena *part;     /* its lock is this one's, its `free` the warm ones */
    uint32_t *cold;       /* by number of the slot; read without the lock */
    uint32_t cold_first;  /* 1 + its number; 0: none */
    uint32_t warm_n;
    uint32_t least;       /* the fewest warm ones in this period */
    uint32_t surplus;     /* so many were not needed in the last period. The monitor's */
} shelf;

static shelf shelves[2]; /* deep, large */
static gos__arena *stacks;
static int64_t memory_limit;
static void *table;
static size_t table_size;

/* What the monitor is just giving back: slot 0: nothing. */
static struct { shelf *shelf; uintptr_t slot, at, clean_to; } in_hand;

static size_t slots_in(const gos__arena *part)
{
    return (part->end - part->base) / part->stride;
}

int gos__regions_open(gos__arena *by_kind, gos__arena *regions, int64_t limit)
{
    size_t deep = slots_in(&regions[0]), all = deep + slots_in(&regions[1]);
    stacks = by_kind;
    memory_limit = limit;
    in_hand.slot = 0;
    table_size = (all * sizeof(uint32_t) + PAGE - 1) / PAGE * PAGE;
    table = gos__vm_new(table_size);
    if (!table)
        return -ENOMEM;
    shelves[0] = (shelf){ .part = &regions[0], .cold = table };
    shelves[1] = (shelf){ .part = &regions[1], .cold = (uint32_t *)table + deep };
    return 0;
}

void gos__regions_close(void)
{
    gos__vm_release(table, table_size);
}

uintptr_t gos__region_first_limit(const gos__region *region)
{
    return (uintptr_t)region - (region->is_large ? LARGE_FIRST_STEP : GOS_FIRST_STEP);
}

void gos__region_init(gos__region *region, uintptr_t slot, bool large, bool owned)
{
    uintptr_t bottom = slot + PAGE;
    *region = (gos__region){
        .unchecked_limit = bottom + GOS_UNCHECKED_ROOM,
        .bottom = bottom,
        .is_large = large,
        .plain = !large && !owned,
        .owned = owned,
    };
    region->limit = owned ? bottom + GOS_SLACK : gos__region_first_limit(region);
}

static gos__region *region_in(uintptr_t slot, size_t stride)
{
    return (gos__region *)(slot + stride - gos__arena_colour(slot, stride) - sizeof(gos__region));
}

/* ---- warm and cold ---- */

static void push_warm(gos__region *region)
{
    shelf *it = &shelves[region->is_large];
    gos__spin_lock(&it->part->lock);
    region->next = it->part->free;
    it->part->free = region;
    it->warm_n++;
    gos__spin_unlock(&it->part->lock);
}

/* Under the lock. */
static gos__region *pop_warm(shelf *it)
{
    gos__region *region = it->part->free;
    if (region) {
        it->part->free = region->next;
        if (--it->warm_n < it->least)
            it->least = it->warm_n;
    }
    return region;
}

static void push_cold(shelf *it, uintptr_t slot, bool is_guarded)
{
    uint32_t number = (uint32_t)((slot - it->part->base) / it->part->stride);
    gos__spin_lock(&it->part->lock);
    uint32_t next = it->cold_first ? it->cold_first : LAST_COLD;
    gos__store_relaxed(&it->cold[number], next | (is_guarded ? 0 : UNGUARDED));
    it->cold_first = number + 1;
    gos__spin_unlock(&it->part->lock);
}

/* Under the lock; 0: there is none. */
static uintptr_t pop_cold(shelf *it, bool *is_guarded)
{
    if (!it->cold_first)
        return 0;
    uint32_t number = it->cold_first - 1, entry = it->cold[number];
    *is_guarded = !(entry & UNGUARDED);
    it->cold_first = (entry & ~UNGUARDED) == LAST_COLD ? 0 : entry & ~UNGUARDED;
    gos__store_relaxed(&it->cold[number], 0u);
    return it->part->base + number * it->part->stride;
}

/* All its pages are the kernel's again, or it has refused them (locked memory). Guards that are mappings of their own
 * go as well, since there is a limit on these. */
static void retire(shelf *it, uintptr_t slot)
{
    push_cold(it, slot, !gos__vm_guard_is_mapping() || gos__vm_unguard((void *)slot));
}

static gos__region *take(shelf *it)
{
    gos__arena *part = it->part;
    bool is_guarded = false;
    uintptr_t slot = 0;
    gos__spin_lock(&part->lock);
    gos__region *region = pop_warm(it);
    if (!region)
        slot = pop_cold(it, &is_guarded);
    if (!region && !slot) {
        /* Tasks that were started may go deep when no more are started: half of what the limit leaves free. */
        int64_t reserve = memory_limit / (2 * GOS_MAXMEM_PERCENT) * (100 - GOS_MAXMEM_PERCENT);
        slot = gos__arena_carve(part, part->stride, memory_limit + reserve);
    }
    gos__spin_unlock(&part->lock);
    if (!slot)
        return region;
    if (!is_guarded && gos__vm_guard((void *)slot)) {
        push_cold(it, slot, false);
        return NULL;
    }
    region = region_in(slot, part->stride);
    gos__region_init(region, slot, it == &shelves[1], false);
    return region;
}

gos__region *gos__region_alloc(gos__stack_cache *cache, bool large)
{
    gos__region **stock = large ? &cache->large : &cache->regions;
    gos__region *region = *stock;
    if (region) {
        *stock = region->next;
        cache->large_rests &= !large;
        cache->regions_n -= !large;
        if (cache->regions_n < cache->regions_least)
            cache->regions_least = cache->regions_n;
        return region;
    }
    do
        region = take(&shelves[large]);
    while (!region && gos__regions_reclaim());
    return region;
}

void gos__region_free(gos__stack_cache *cache, gos__region *region)
{
    region->prev = NULL;
    region->plain = !region->is_large;
    if (cache && region->is_large && !cache->large) {
        region->next = NULL;
        cache->large = region;
    } else if (cache && !region->is_large && cache->regions_n < REGIONS_KEPT) {
        region->next = cache->regions;
        cache->regions = region;
        cache->regions_n++;
    } else {
        push_warm(region);
    }
}

void gos__regions_settle(gos__stack_cache *cache)
{
    if (cache->large)
        push_warm(cache->large);
    cache->large = NULL;
    while (cache->regions) {
        gos__region *region = cache->regions;
        cache->regions = region->next;
        push_warm(region);
    }
    cache->regions_n = cache->regions_least = 0;
}

void gos__regions_settle_rest(gos__stack_cache *cache)
{
    for (; cache->regions_least; cache->regions_least--) {
        gos__region *region = cache->regions;
        cache->regions = region->next;
        cache->regions_n--;
        push_warm(region);
    }
    cache->regions_least = cache->regions_n;
    if (cache->large && cache->large_rests) {
        push_warm(cache->large);
        cache->large = NULL;
    }
    cache->large_rests = cache->large != NULL;
}

bool gos__regions_reclaim(void)
{
    bool any = false;
    for (shelf *it = shelves; it < shelves + 2; it++)
        for (int i = 0; i < RECLAIMED; i++) {
            gos__spin_lock(&it->part->lock);
            gos__region *region = pop_warm(it);
            gos__spin_unlock(&it->part->lock);
            if (!region)
                break;
            uintptr_t slot = region->bottom - PAGE;
            (void)gos__vm_discard((void *)(slot + PAGE), it->part->stride - PAGE);
            retire(it, slot);
            any = true;
        }
    return any;
}

/* ---- the monitor's part ---- */

/* Gives back [at, end) in steps, of which only those from clean_to on are likely to have pages; false: time is over,
 * *at says where to go on. What the kernel refuses it keeps. */
static bool give_back(uintptr_t *at, uintptr_t end, uintptr_t clean_to, int64_t until)
{
    while (*at < end) {
        uintptr_t to = *at < clean_to ? clean_to : *at + CHUNK;
        if (to > end)
            to = end;
        if (gos__vm_discard((void *)*at, to - *at))
            return true;
        *at = to;
        if (*at < end && gos__clock_ns() >= until)
            return false;
    }
    return true;
}

/* Below it a region was hardly used: unchecked code goes on below the limit. */
static uintptr_t used_from(const gos__region *region)
{
    uintptr_t from = (region->limit - GOS_UNCHECKED_ROOM) & ~(uintptr_t)(PAGE - 1);
    return from < region->bottom ? region->bottom : from;
}

void gos__regions_forget_work(void)
{
    in_hand.slot = 0;
}

void gos__regions_period(void)
{
    for (shelf *it = shelves; it < shelves + 2; it++) {
        gos__spin_lock(&it->part->lock);
        it->surplus = it->least;
        it->least = it->warm_n;
        gos__spin_unlock(&it->part->lock);
    }
}

bool gos__regions_any_warm(void)
{
    return gos__load_relaxed(&shelves[0].warm_n) || gos__load_relaxed(&shelves[1].warm_n);
}

static bool take_in_hand(void)
{
    for (shelf *it = shelves; it < shelves + 2; it++) {
        if (!it->surplus)
            continue;
        it->surplus--;
        gos__spin_lock(&it->part->lock);
        gos__region *region = pop_warm(it);
        gos__spin_unlock(&it->part->lock);
        if (region) {
            in_hand.shelf = it;
            in_hand.slot = region->bottom - PAGE;
            in_hand.at = region->bottom;
            in_hand.clean_to = used_from(region);
            return true;
        }
        it->surplus = 0; /* they are needed after all */
    }
    return false;
}

bool gos__regions_trim(int64_t until)
{
    while (in_hand.slot || take_in_hand()) {
        shelf *it = in_hand.shelf;
        uintptr_t end = in_hand.slot + it->part->stride;
        if (!give_back(&in_hand.at, end, in_hand.clean_to, until))
            return true;
        if (it == &shelves[1]) /* in one: Linux 6.14 then gives back empty page tables too */
            (void)gos__vm_discard((void *)(in_hand.slot + PAGE), it->part->stride - PAGE);
        retire(it, in_hand.slot);
        in_hand.slot = 0;
        if (gos__clock_ns() >= until)
            return true;
    }
    return false;
}

bool gos__stack_trim(gos__task *task, int64_t until)
{
    gos__region *region = task->region;
    uintptr_t sp = (uintptr_t)task->sp, end = sp & ~(uintptr_t)(PAGE - 1);
    if (!region)
        return true;
    if (sp < region->bottom || sp > (uintptr_t)region) {
        /* On its first stack again, by a longjmp, the region is no more than kept. Else on one of the program's own. */
        if (region->owned || sp < stacks[GOS_NURSERY_4032].base || sp >= stacks[GOS_PAGED].end)
            return true;
        end = (uintptr_t)region & ~(uintptr_t)(PAGE - 1);
    }
    uintptr_t clean_to = region->owned ? region->bottom : used_from(region);
    uintptr_t at = region->bottom;
    while (!give_back(&at, end, clean_to, 0)) /* one step at a time */
        if (gos__load_relaxed(&task->pinned) & GOS_WANTED || gos__clock_ns() >= until)
            return false;
    if (!region->owned)
        region->limit = gos__region_first_limit(region);
    return true;
}

/* ---- tasks that may be deep ---- */

static gos__task *owner_of(const gos__region *region)
{
    gos__task *task = gos__load_relaxed(&region->owner);
    uintptr_t at = (uintptr_t)task;
    if (at < stacks[GOS_NURSERY_4032].base || at >= gos__load_relaxed(&stacks[GOS_PAGED].carved))
        return NULL;
    /* One whose header is packed away was seen to before, and a look would bring it back. */
    const gos__arena *small = &stacks[GOS_NURSERY];
    if (gos__cold_now && at >= small->base && at < small->end && gos__cold_is_away(gos__cold_now, at))
        return NULL;
    return gos__load_relaxed(&task->region) == region ? task : NULL;
}

static gos__task *deep_task_in(uint32_t part, uintptr_t slot)
{
    if (part == 0) {
        gos__task *task = gos__paged_task_in(slot);
        return gos__vacant_has(GOS_PAGED, task) ? NULL : task;
    }
    shelf *it = &shelves[part - 1];
    if (gos__load_relaxed(&it->cold[(slot - it->part->base) / it->part->stride]))
        return NULL;
    return owner_of(region_in(slot, it->part->stride));
}

bool gos__stacks_next_deep(gos__deep_walk *walk, gos__task **found, int looks)
{
    *found = NULL;
    for (; walk->part < 3; walk->part++, walk->slot = 0) {
        const gos__arena *part = walk->part ? shelves[walk->part - 1].part : &stacks[GOS_PAGED];
        if (!walk->slot)
            walk->slot = part->base;
        uintptr_t end = gos__load_relaxed(&part->carved);
        for (; walk->slot < end; looks--) {
            if (!looks)
                return true;
            gos__task *task = deep_task_in(walk->part, walk->slot);
            walk->slot += part->stride;
            if (task && gos__is_parked(gos__load_relaxed(&task->state))) {
                *found = task;
                return true;
            }
        }
    }
    return false;
}
