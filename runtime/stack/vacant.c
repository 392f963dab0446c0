/*
 * vacant.c: free stacks that nobody needed for a while, sorted by where they lie, so that their pages can go back.
 *
 * Free stacks wait in magazines, in the order in which their tasks ended; neighbours in memory are strewn over many of
 * them. The monitor takes the magazines that were not needed in the last period apart, a few at a time, and puts each
 * stack to its *plot*: as many slots as make whole pages. A plot all of whose stacks lie there is vacant: its pages go
 * back to the kernel, and only the address space is kept. Who needs stacks and finds no magazine takes what a plot has,
 * or makes all stacks of a vacant one anew, before any more is carved.
 *
 * While a plot's pages go, it has no stacks and nobody can find it; so no lock is held meanwhile.
 */
#include <errno.h>

#include "base/env.h"
#include "os/os.h"
#include "stack/arena.h"

enum { PLOT_SLOTS = GOS_MAGAZINE };

typedef struct plot {
    gos__task *free;  /* its free stacks that are in no magazine, linked by next */
    uint32_t next;    /* in the list of those that have something: 1 + its number; 0: the last */
    uint16_t n;       /* stacks in `free` */
    bool is_listed, is_vacant;
} plot;

typedef struct field {
    gos__arena *part; /* its lock is this one's */
    plot *plots;
    uint32_t listed;  /* 1 + the number of the first; 0: none */
    uint32_t surplus; /* magazines that were not needed in the last period. The monitor's */
    uint32_t slots;   /* in a plot; 0: these stacks keep their pages */
} field;

static field fields[GOS_KINDS];
static void *table;
static size_t table_size;

/* Plots that have become whole and whose pages go next. */
static struct { field *field; plot *whole[GOS_MAGAZINE]; int n; } in_hand;

static uint32_t plots_in(const field *it)
{
    return it->slots ? (uint32_t)((it->part->end - it->part->base) / it->part->stride / it->slots) + 1 : 0;
}

/* Paged stacks are plots of their own. What sanitizers know of stacks lies on them, and packing (cold.h) wants all
 * pages of nurseries for itself. */
static uint32_t slots_of(const gos__arena *part, enum gos__kind kind)
{
    uint32_t slots = kind == GOS_PAGED ? 1 : PLOT_SLOTS;
    bool is_kept = GOS_SAN || gos__env_get()->cold_ms || slots * part->stride % gos__vm_page_size();
    return is_kept ? 0 : slots;
}

int gos__vacant_open(gos__arena *stacks)
{
    size_t plots = 0;
    in_hand.n = 0;
    for (int kind = 0; kind < GOS_KINDS; kind++) {
        fields[kind] = (field){ .part = &stacks[kind], .slots = slots_of(&stacks[kind], kind) };
        plots += plots_in(&fields[kind]);
    }
    table_size = (plots + 1) * sizeof(plot); /* none at all is no size to ask for */
    table = gos__vm_new(table_size);
    if (!table)
        return -ENOMEM;
    plot *at = table;
    for (int kind = 0; kind < GOS_KINDS; kind++) {
        fields[kind].plots = at;
        at += plots_in(&fields[kind]);
    }
    return 0;
}

void gos__vacant_close(void)
{
    gos__vm_release(table, table_size);
}

static plot *plot_of(const field *it, const gos__task *task)
{
    return &it->plots[((uintptr_t)task - it->part->base) / it->part->stride / it->slots];
}

bool gos__vacant_has(enum gos__kind kind, const gos__task *task)
{
    const field *it = &fields[kind];
    return it->slots && gos__load_relaxed(&plot_of(it, task)->is_vacant);
}

/* ---- plots, under the lock ---- */

static uintptr_t ground(const field *it, const plot *of)
{
    return it->part->base + (uintptr_t)(of - it->plots) * it->slots * it->part->stride;
}

static void list(field *it, plot *one)
{
    if (one->is_listed)
        return;
    one->is_listed = true;
    one->next = it->listed;
    it->listed = (uint32_t)(one - it->plots) + 1;
}

static plot *unlist(field *it)
{
    if (!it->listed)
        return NULL;
    plot *one = &it->plots[it->listed - 1];
    it->listed = one->next;
    one->is_listed = false;
    return one;
}

gos__task *gos__vacant_take(enum gos__kind kind, int32_t *count, int64_t limit)
{
    field *it = &fields[kind];
    for (plot *one; (one = unlist(it));) {
        if (one->n) {
            gos__task *stacks = one->free;
            *count = one->n;
            one->free = NULL;
            one->n = 0;
            return stacks;
        }
        if (!one->is_vacant)
            continue; /* its pages are just going, or others have had it */
        if (!gos__memory_has_room(limit)) {
            list(it, one);
            return NULL;
        }
        gos__task *stacks = gos__stacks_make(kind, ground(it, one), it->slots, count);
        gos__store_relaxed(&one->is_vacant, !stacks);
        if (!stacks)
            list(it, one);
        return stacks;
    }
    return NULL;
}

/* Takes a magazine apart. Returns how many plots have become whole; nobody finds these any more. */
static int sort(field *it, gos__task *stacks, plot **whole)
{
    int n = 0;
    while (stacks) {
        gos__task *task = stacks;
        stacks = task->next;
        plot *one = plot_of(it, task);
        task->next = one->free;
        one->free = task;
        if (++one->n < it->slots) {
            list(it, one);
            continue;
        }
        one->free = NULL;
        one->n = 0;
        whole[n++] = one;
    }
    return n;
}

/* ---- the monitor's part ---- */

void gos__vacant_period(void)
{
    for (field *it = fields; it < fields + GOS_KINDS; it++) {
        gos__arena *part = it->part;
        gos__spin_lock(&part->lock);
        it->surplus = it->slots ? part->free_least : 0;
        part->free_least = part->free_n;
        gos__spin_unlock(&part->lock);
    }
}

bool gos__vacant_any_left(void)
{
    for (const field *it = fields; it < fields + GOS_KINDS; it++)
        if (it->slots && gos__load_relaxed(&it->part->free_n))
            return true;
    return false;
}

/* Takes the next magazine apart; false: there is none that was not needed. */
static bool take_in_hand(void)
{
    for (field *it = fields; it < fields + GOS_KINDS; it++) {
        if (!it->surplus)
            continue;
        it->surplus--;
        gos__spin_lock(&it->part->lock);
        gos__task *stacks = gos__magazine_pop(it->part);
        in_hand.field = it;
        in_hand.n = sort(it, stacks, in_hand.whole);
        gos__spin_unlock(&it->part->lock);
        if (stacks)
            return true;
        it->surplus = 0; /* they are needed after all */
    }
    return false;
}

/* What the kernel refuses to take (locked memory) is made anew all the same. */
static void clear(field *it, plot *whole)
{
    gos__arena *part = it->part;
    (void)gos__vm_discard((void *)ground(it, whole), it->slots * part->stride);
    gos__spin_lock(&part->lock);
    gos__store_relaxed(&whole->is_vacant, true);
    list(it, whole);
    gos__spin_unlock(&part->lock);
}

bool gos__vacant_clear(int64_t until)
{
    while (in_hand.n || take_in_hand()) {
        if (in_hand.n)
            clear(in_hand.field, in_hand.whole[--in_hand.n]);
        if (gos__clock_ns() >= until)
            return true;
    }
    return false;
}
