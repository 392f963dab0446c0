/*
 * sizing.c: which nursery a function's tasks start on. One that parks on a deep region holds a page of it or more; had
 * it started on a nursery that its frames fit, it would hold only that. So a park on a region speaks for the smallest
 * nursery that would have done, against the other tasks that would get it and have no use for it; and a task that
 * parks on a larger nursery speaks for keeping it, if it needs it. Depth is known exactly: a task parks below it.
 *
 * What a worker sees it gathers by itself (gos__evidence); the sizes are everybody's (sizes). Words are read and
 * written by any worker without order: what is lost is a bit of evidence.
 */
#include "base/atomics.h"
#include "base/compiler.h"
#include "stack/stack.h"

enum {
    SIZES = 64,
    CREDIT = 64,      /* so many tasks in a row get a larger nursery without need before it shrinks by a step */
    ENOUGH = 24,      /* score for a larger nursery */
    FUTILE = 16,      /* tasks that were on a region in spite of the largest that could help */
    BATCH = 8,        /* balance that a worker adds at once */
    PAUSE_MAX = 1 << 16,
};

static struct size {
    void (*entry)(void *);
    uint32_t kind;
    int32_t credit;
    int32_t pause; /* so much evidence is overlooked, since a larger nursery did not help */
    int32_t next_pause;
} GOS_ALIGNED(64) sizes[SIZES];

static uint32_t hash(void (*entry)(void *))
{
    return (uint32_t)(((uintptr_t)entry >> 4) * 0x9e3779b97f4a7c15u >> 32);
}

static struct size *size_of(void (*entry)(void *))
{
    struct size *it = &sizes[hash(entry) % SIZES];
    return gos__load_relaxed(&it->entry) == entry ? it : NULL;
}

static gos__evidence *evidence_of(gos__sizing *sizing, void (*entry)(void *))
{
    gos__evidence *it = &sizing->evidence[hash(entry) % GOS_EVIDENCE];
    if (it->entry != entry)
        *it = (gos__evidence){ .entry = entry };
    return it;
}

/* What a park that needs this nursery is worth, in tasks that get it without need: two pages saved, or one and many
 * crossings, against the bytes that it is larger. */
static int32_t worth(enum gos__kind kind)
{
    return 8192 / (gos__nursery_size(kind) - GOS_NURSERY_SIZE);
}

static void set_kind(gos__sizing *sizing, struct size *it, enum gos__kind kind)
{
    int64_t *counter = kind > gos__load_relaxed(&it->kind) ? &sizing->raised : &sizing->lowered;
    gos__store_relaxed(counter, *counter + 1);
    gos__store_relaxed(&it->kind, (uint32_t)kind);
    gos__store_relaxed(&it->credit, CREDIT);
}

/* Adds what a worker has gathered to the function's credit; when that is used up the nursery shrinks by a step. */
static void settle(gos__sizing *sizing, gos__evidence *seen, struct size *it)
{
    int32_t credit = gos__load_relaxed(&it->credit) + seen->balance;
    seen->balance = 0;
    gos__store_relaxed(&it->credit, credit < CREDIT ? credit : CREDIT);
    uint32_t kind = gos__load_relaxed(&it->kind);
    if (credit <= 0 && kind > GOS_NURSERY)
        set_kind(sizing, it, kind - 1);
}

enum gos__kind gos__sizing_start(gos__sizing *sizing, void (*entry)(void *))
{
    struct size *it = size_of(entry);
    enum gos__kind kind = it ? gos__load_relaxed(&it->kind) : GOS_NURSERY;
    if (kind == GOS_NURSERY)
        return kind;
    gos__evidence *seen = evidence_of(sizing, entry);
    if (--seen->balance <= -BATCH)
        settle(sizing, seen, it);
    gos__store_relaxed(&sizing->larger, sizing->larger + 1);
    return kind;
}

/* The smallest nursery on which all of a parking task's frames would lie; GOS_PAGED: none. The nursery that it left
 * counts as full, since the frame that did not fit is on the region. */
static enum gos__kind needed(const gos__task *task, const gos__region *region)
{
    uintptr_t sp = (uintptr_t)gos__load_relaxed(&task->sp);
    uintptr_t need = (uintptr_t)task - sp + GOS_TASK_SIZE + GOS_SLACK;
    if (region) {
        if (gos__load_relaxed(&region->prev) || sp > (uintptr_t)region || sp < region->bottom)
            return GOS_PAGED;
        need = (uintptr_t)region - sp + (uintptr_t)gos__nursery_size(task->kind);
    }
    enum gos__kind kind = GOS_NURSERY;
    while (kind < GOS_PAGED && (uintptr_t)gos__nursery_size(kind) < need)
        kind++;
    return kind;
}

/* A larger nursery does not help this function's tasks, say because what they call makes them leave any: for a while,
 * longer each time, what they need is overlooked. */
static void give_up(gos__sizing *sizing, gos__evidence *seen, struct size *it)
{
    int32_t pause = gos__load_relaxed(&it->next_pause);
    gos__store_relaxed(&it->pause, pause);
    gos__store_relaxed(&it->next_pause, pause < PAUSE_MAX ? 2 * pause : pause);
    set_kind(sizing, it, GOS_NURSERY);
    *seen = (gos__evidence){ .entry = seen->entry };
}

/* The entry of a function, made if there is none; NULL: its place is taken by one with a larger nursery. */
static struct size *claim(void (*entry)(void *))
{
    struct size *it = &sizes[hash(entry) % SIZES];
    if (gos__load_relaxed(&it->entry) == entry)
        return it;
    if (gos__load_relaxed(&it->kind) != GOS_NURSERY)
        return NULL;
    gos__store_relaxed(&it->pause, 0);
    gos__store_relaxed(&it->next_pause, 1024);
    gos__store_relaxed(&it->entry, entry);
    return it;
}

/* A task was on a region and would have needed `kind`. */
static enum gos__sizing_news speak_for(gos__sizing *sizing, gos__evidence *seen, struct size *it, enum gos__kind kind,
                                       int64_t spawned)
{
    int64_t others = spawned - seen->spawned;
    seen->spawned = spawned;
    seen->score = others < seen->score ? seen->score - (int32_t)others : 0;
    seen->score += worth(kind);
    if (seen->score < ENOUGH)
        return GOS_SIZE_SAME;
    *seen = (gos__evidence){ .entry = seen->entry };
    set_kind(sizing, it, kind);
    return GOS_SIZE_NEW;
}

/* The task is in a wait list: another thread may run it already, and what is read here be of its next moments, or of
 * its successor. Headers and regions stay what they are, so that is only false evidence. */
enum gos__sizing_news gos__sizing_parked(gos__sizing *sizing, const gos__task *task, int64_t spawned)
{
    const gos__region *region = gos__load_relaxed(&task->region);
    void (*entry)(void *) = gos__entry_of(task);
    enum gos__kind need = needed(task, region);
    if (need == GOS_PAGED && task->kind == GOS_NURSERY)
        return GOS_SIZE_SAME;
    struct size *it = claim(entry);
    if (!it)
        return GOS_SIZE_SAME;
    gos__evidence *seen = evidence_of(sizing, entry);
    enum gos__kind given = gos__load_relaxed(&it->kind);
    if (!region) {
        if (given > GOS_NURSERY && need >= given) {
            seen->futile = 0;
            if ((seen->balance += worth(given)) >= BATCH)
                settle(sizing, seen, it);
        }
        return GOS_SIZE_SAME;
    }
    if (task->kind > GOS_NURSERY && need > GOS_NURSERY_4032) {
        if (given > GOS_NURSERY && ++seen->futile >= FUTILE)
            give_up(sizing, seen, it);
        return GOS_SIZE_SAME;
    }
    int32_t pause = gos__load_relaxed(&it->pause);
    if (pause > 0) {
        gos__store_relaxed(&it->pause, pause - 1);
        return GOS_SIZE_SAME;
    }
    return need <= given ? GOS_SIZE_MISSED : speak_for(sizing, seen, it, need, spawned);
}

void gos__sizing_reset(void)
{
    for (int i = 0; i < SIZES; i++)
        sizes[i] = (struct size){ .entry = NULL };
}

void gos__sizing_walk(void (*see)(void (*entry)(void *), int size, void *arg), void *arg)
{
    for (int i = 0; i < SIZES; i++) {
        enum gos__kind kind = gos__load_relaxed(&sizes[i].kind);
        if (kind > GOS_NURSERY)
            see(gos__load_relaxed(&sizes[i].entry), gos__nursery_size(kind), arg);
    }
}
