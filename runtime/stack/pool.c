/* pool.c: the reservation, carved into stacks and regions; free stacks in magazines that workers exchange. */
#include <errno.h>
#include <string.h>

#include "arch/san.h"
#include "base/check.h"
#include "base/env.h"
#include "base/spin.h"
#include "os/os.h"
#include "stack/arena.h"
#include "stack/cold.h"
#include "stack/stack.h"

#define COMMIT_STEP (1l << 20)
#define SIGNAL_STACKS 16384

typedef gos__arena arena;

static struct pool {
    uintptr_t base;
    size_t size;
    int64_t memory_limit;
    arena stacks[GOS_KINDS];
    arena regions[2];    /* deep, large */
    arena signals;
} pool;

/* The larger ones: no powers of two, whose headers would share a few cache sets. */
#define TO_LIMIT(size) (GOS_TASK_SIZE + GOS_SLACK - (size))
const int64_t gos__task_to_limit[GOS_KINDS] = {
    TO_LIMIT(GOS_NURSERY_SIZE), TO_LIMIT(1280), TO_LIMIT(1984), TO_LIMIT(GOS_NURSERY_MAX), 0,
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Shares of a reservation that cannot be as large as would ever be of use, in percent. */
#if GOS_PAGED_ONLY
enum { NURSERY_SHARE = 1, LARGER_SHARE = 1, PAGED_SHARE = 90, REGION_SHARE = 1, LARGE_SHARE = 1, SIGNAL_SHARE = 2 };
#else
enum { NURSERY_SHARE = 34, LARGER_SHARE = 2, PAGED_SHARE = 20, REGION_SHARE = 20, LARGE_SHARE = 18, SIGNAL_SHARE = 2 };
#endif

static size_t at_most(size_t useful, size_t budget, int share)
{
    size_t part = budget / 100 * (size_t)share;
    return (useful < part ? useful : part) / COMMIT_STEP * COMMIT_STEP;
}

/* Lays the parts out from `base` within a budget of address space; returns the size. */
static size_t lay_out(uintptr_t base, size_t budget)
{
    size_t memory = round_up((size_t)pool.memory_limit, COMMIT_STEP);
    size_t large = round_up((size_t)gos__env_get()->maxstack + GOS_REGION_SIZE, GOS_REGION_SIZE);
    size_t signal = round_up(gos__signal_stack_size() + PAGE, PAGE);
    size_t one_page_each = memory / PAGE * GOS_REGION_SIZE;
    struct { arena *part; size_t stride, size; } parts[] = {
        { &pool.stacks[GOS_NURSERY_4032], gos__nursery_size(GOS_NURSERY_4032), at_most(memory, budget, LARGER_SHARE) },
        { &pool.stacks[GOS_NURSERY_1984], gos__nursery_size(GOS_NURSERY_1984), at_most(memory, budget, LARGER_SHARE) },
        { &pool.stacks[GOS_NURSERY_1280], gos__nursery_size(GOS_NURSERY_1280), at_most(memory, budget, LARGER_SHARE) },
        { &pool.stacks[GOS_NURSERY], gos__nursery_size(GOS_NURSERY), at_most(memory, budget, NURSERY_SHARE) },
        { &pool.stacks[GOS_PAGED], GOS_REGION_SIZE, at_most(one_page_each, budget, PAGED_SHARE) },
        { &pool.regions[0], GOS_REGION_SIZE, at_most(one_page_each, budget, REGION_SHARE) },
        { &pool.regions[1], large, at_most((size_t)1 << 43, budget, LARGE_SHARE) },
        { &pool.signals, signal, at_most(signal * SIGNAL_STACKS, budget, SIGNAL_SHARE) },
    };
    uintptr_t at = base;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].part = (arena){
            .base = at, .carved = at, .committed = at, .end = at + parts[i].size, .stride = parts[i].stride
        };
        at += parts[i].size;
    }
    return at - base;
}

int gos__stacks_open(void)
{
    const gos__env *env = gos__env_get();
    gos__allocas_open(env->clear);
    pool.memory_limit = env->maxmem ? env->maxmem : gos__memory_limit(GOS_MAXMEM_PERCENT);
    /* Under RLIMIT_AS a third of what is left is for the program's own mappings. */
    int64_t room = gos__address_space_left();
    size_t budget = room == INT64_MAX ? GOS_SPACE : (size_t)room / 3 * 2;
    for (; budget >= (size_t)COMMIT_STEP * 100; budget /= 2) {
        size_t size = lay_out(0, budget);
        void *base = gos__vm_reserve(size);
        if (base) {
            pool.base = (uintptr_t)base;
            pool.size = size;
            lay_out(pool.base, budget);
            gos__sizing_reset();
            int failed = gos__regions_open(pool.stacks, pool.regions, pool.memory_limit);
            if (!failed && (failed = gos__vacant_open(pool.stacks)))
                gos__regions_close();
            if (failed)
                gos__vm_release(base, size);
            return failed;
        }
    }
    return -ENOMEM;
}

static void release_uncarved(const arena *part)
{
    if (part->end > part->committed)
        gos__vm_release((void *)part->committed, part->end - part->committed);
}

/* Of the tasks that ended with the run. */
static void end_left(const gos__task *task, void *unused)
{
    (void)unused;
    if (task->state == GOS_FREE)
        return;
    gos__san_amid((gos__task *)task);
    gos__san_end((gos__task *)task);
}

void gos__stacks_close(bool abandoned)
{
    if (!abandoned) {
        if (GOS_SAN)
            gos__stacks_walk(end_left, NULL);
        for (int i = 0; i < GOS_KINDS; i++)
            gos__san_forget(pool.stacks[i].base, pool.stacks[i].carved);
        gos__vacant_close();
        gos__regions_close();
        gos__vm_release((void *)pool.base, pool.size);
    } else {
        for (int i = 0; i < GOS_KINDS; i++)
            release_uncarved(&pool.stacks[i]);
        release_uncarved(&pool.regions[0]);
        release_uncarved(&pool.regions[1]);
        release_uncarved(&pool.signals);
    }
    pool.base = 0;
    pool.size = 0;
}

static arena *const arenas[] = { &pool.stacks[GOS_NURSERY], &pool.stacks[GOS_NURSERY_1280],
                                 &pool.stacks[GOS_NURSERY_1984], &pool.stacks[GOS_NURSERY_4032],
                                 &pool.stacks[GOS_PAGED], &pool.regions[0], &pool.regions[1], &pool.signals };

void gos__stacks_lock(void)
{
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++)
        gos__spin_lock(&arenas[i]->lock);
}

void gos__stacks_unlock(void)
{
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++)
        gos__spin_unlock(&arenas[i]->lock);
}

bool gos__memory_has_room(int64_t limit)
{
    return gos__memory_peak() + COMMIT_STEP <= limit || gos__memory_resident() + COMMIT_STEP <= limit;
}

uintptr_t gos__arena_carve(arena *part, size_t bytes, int64_t limit)
{
    uintptr_t start = part->carved;
    if (bytes > part->end - start)
        return 0;
    if (start + bytes > part->committed) {
        size_t step = round_up(start + bytes - part->committed, COMMIT_STEP);
        if (step > part->end - part->committed)
            step = part->end - part->committed;
        if (!gos__memory_has_room(limit))
            return 0;
        if (gos__vm_commit((void *)part->committed, step))
            return 0;
        part->committed += step;
    }
    gos__store_relaxed(&part->carved, start + bytes); /* walkers read it without the lock */
    return start;
}

static gos__task *task_in(uintptr_t slot, enum gos__kind kind)
{
    uintptr_t top = kind < GOS_PAGED ? slot + (uintptr_t)gos__nursery_size(kind)
                                     : slot + GOS_REGION_SIZE - gos__arena_colour(slot, GOS_REGION_SIZE);
    return (gos__task *)(top - GOS_TASK_SIZE);
}

gos__task *gos__paged_task_in(uintptr_t slot)
{
    return task_in(slot, GOS_PAGED);
}

static gos__task *nursery_init(uintptr_t slot, enum gos__kind kind)
{
    *gos__canary_at(slot) = GOS_CANARY;
    gos__task *task = task_in(slot, kind);
    task->kind = kind;
    task->region = NULL;
    task->pinned = 0;
    task->waiter.task = task;
    *gos__allocas(task) = gos__allocas_none;
    return task;
}

static gos__task *paged_init(uintptr_t slot)
{
    if (gos__vm_guard((void *)slot))
        return NULL;
    gos__task *task = task_in(slot, GOS_PAGED);
    gos__region *region = (gos__region *)task - 1;
    gos__region_init(region, slot, false, true);
    task->kind = GOS_PAGED;
    task->region = region;
    *gos__allocas(task) = gos__allocas_none;
    task->pinned = 0;
    task->waiter.task = task;
    return task;
}

gos__task *gos__stacks_make(enum gos__kind kind, uintptr_t start, uint32_t n, int32_t *count)
{
    gos__task *list = NULL;
    *count = 0;
    for (uint32_t i = n; i-- > 0;) {
        uintptr_t slot = start + i * pool.stacks[kind].stride;
        gos__task *task = kind < GOS_PAGED ? nursery_init(slot, kind) : paged_init(slot);
        if (!task)
            continue;
        task->next = list;
        list = task;
        ++*count;
    }
    return list;
}

/* A magazine of new stacks, linked; fewer near a limit; NULL at it. */
static gos__task *carve_stacks(arena *part, enum gos__kind kind, int32_t *count)
{
    uint32_t want = kind == GOS_NURSERY ? GOS_MAGAZINE : GOS_MAGAZINE / 8;
    uintptr_t start = gos__arena_carve(part, want * part->stride, pool.memory_limit);
    return start ? gos__stacks_make(kind, start, want, count) : NULL;
}

gos__task *gos__magazine_pop(arena *part)
{
    gos__task *list = part->free;
    if (list) {
        part->free = list->waiter.elem;
        if (--part->free_n < part->free_least)
            part->free_least = part->free_n;
    }
    return list;
}

GOS_NOINLINE gos__task *gos__stack_refill(gos__stack_cache *cache, enum gos__kind kind)
{
    arena *part = &pool.stacks[kind];
    gos__task *list = cache->full[kind];
    int32_t count = GOS_MAGAZINE;
    cache->full[kind] = NULL;
    if (!list) {
        gos__spin_lock(&part->lock);
        list = gos__magazine_pop(part);
        if (!list)
            list = gos__vacant_take(kind, &count, pool.memory_limit);
        if (!list)
            list = carve_stacks(part, kind, &count);
        gos__spin_unlock(&part->lock);
    }
    if (!list)
        return gos__regions_reclaim() ? gos__stack_refill(cache, kind) : NULL;
    cache->loaded[kind] = list->next;
    cache->loaded_n[kind] = count - 1;
    return list;
}

static void push_magazine(arena *part, gos__task *list)
{
    gos__spin_lock(&part->lock);
    list->waiter.elem = part->free;
    part->free = list;
    part->free_n++;
    gos__spin_unlock(&part->lock);
}

GOS_NOINLINE void gos__stack_set_aside(gos__stack_cache *cache, enum gos__kind kind)
{
    if (cache->full[kind])
        push_magazine(&pool.stacks[kind], cache->full[kind]);
    cache->full[kind] = cache->loaded[kind];
    cache->loaded[kind] = NULL;
    cache->loaded_n[kind] = 0;
}

void gos__stack_cache_flush(gos__stack_cache *cache)
{
    gos__regions_settle(cache);
    for (int kind = 0; kind < GOS_KINDS; kind++) {
        if (cache->full[kind])
            push_magazine(&pool.stacks[kind], cache->full[kind]);
        if (cache->loaded[kind] && cache->loaded_n[kind] == GOS_MAGAZINE)
            push_magazine(&pool.stacks[kind], cache->loaded[kind]);
        else
            while (cache->loaded[kind]) { /* a part magazine goes as magazines of one */
                gos__task *task = cache->loaded[kind];
                cache->loaded[kind] = task->next;
                task->next = NULL;
                push_magazine(&pool.stacks[kind], task);
            }
        cache->full[kind] = NULL;
        cache->loaded[kind] = NULL;
        cache->loaded_n[kind] = 0;
    }
}

static uint64_t slots_in(const arena *part)
{
    return part->stride ? (gos__load_relaxed(&part->carved) - part->base) / part->stride : 0;
}

uint64_t gos__stacks_count(void)
{
    uint64_t n = 0;
    for (int kind = 0; kind < GOS_KINDS; kind++)
        n += slots_in(&pool.stacks[kind]);
    return n;
}

void gos__stacks_walk_some(uint64_t first, uint64_t step, void (*see)(const gos__task *task, void *arg), void *arg)
{
    gos__unpacked unpacked = { .page = 0 };
    gos__task copy;
    for (int kind = 0; kind < GOS_KINDS; kind++) {
        const arena *part = &pool.stacks[kind];
        uint64_t at = first, n; /* which may grow */
        for (; at < (n = slots_in(part)); at += step) {
            const gos__task *task = task_in(part->base + at * part->stride, kind);
            if (!gos__vacant_has(kind, task))
                see(kind == GOS_NURSERY ? gos__cold_look(task, &copy, &unpacked) : task, arg);
        }
        first = at - n;
    }
}

void gos__stacks_walk(void (*see)(const gos__task *task, void *arg), void *arg)
{
    gos__stacks_walk_some(0, 1, see, arg);
}

uintptr_t gos__nurseries(gos__slots *slots)
{
    const arena *part = &pool.stacks[GOS_NURSERY];
    *slots = (gos__slots){ .base = part->base, .stride = part->stride };
    return part->end;
}

uintptr_t gos__nurseries_carved(void)
{
    return gos__load_relaxed(&pool.stacks[GOS_NURSERY].carved);
}

int64_t gos__stacks_bytes(void)
{
    int64_t bytes = 0;
    for (int i = 0; i < GOS_KINDS; i++)
        bytes += (int64_t)(gos__load_relaxed(&pool.stacks[i].carved) - pool.stacks[i].base);
    for (int i = 0; i < 2; i++)
        bytes += (int64_t)(gos__load_relaxed(&pool.regions[i].carved) - pool.regions[i].base);
    return bytes;
}

void *gos__signal_stack_alloc(size_t *size)
{
    arena *part = &pool.signals;
    *size = part->stride - PAGE;
    gos__spin_lock(&part->lock);
    void **base = part->free;
    if (base) {
        part->free = *base;
    } else {
        uintptr_t slot = gos__arena_carve(part, part->stride, INT64_MAX);
        if (slot && !gos__vm_guard((void *)slot))
            base = (void **)(slot + PAGE);
    }
    gos__spin_unlock(&part->lock);
    return base;
}

void gos__signal_stack_free(void *base)
{
    arena *part = &pool.signals;
    gos__spin_lock(&part->lock);
    *(void **)base = part->free;
    part->free = base;
    gos__spin_unlock(&part->lock);
}

/* Whether `at` lies on a guard page of this part, and then the end of the stack above it. */
static bool on_guard(const arena *part, uintptr_t at, uintptr_t *top)
{
    if (at < part->base || at >= gos__load_relaxed(&part->carved) || (at - part->base) % part->stride >= PAGE)
        return false;
    *top = at - (at - part->base) % part->stride + part->stride;
    return true;
}

bool gos__stack_is_of_tasks(uintptr_t at)
{
    return at >= pool.base && at < pool.signals.base; /* which are the last of all */
}

void gos__stack_explain_fault(void *address)
{
    uintptr_t at = (uintptr_t)address, top;
    if (on_guard(&pool.stacks[GOS_PAGED], at, &top) || on_guard(&pool.regions[0], at, &top) ||
        on_guard(&pool.regions[1], at, &top)) {
        gos__warn("task stack overrun in unchecked code");
        gos__warn("fault at %p, just below the stack that ends at %#lx", address, (unsigned long)top);
        if (GOS_PAGED_ONLY)
            gos__die("fatal error: stack overflow (a task has %zu bytes of stack in this build)",
                     (size_t)GOS_REGION_SIZE - PAGE);
        gos__die("fatal error: stack overflow (compile this code with -fsplit-stack to let its stack grow)");
    }
}
