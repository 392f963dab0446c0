#include "debug/groups.h"

#include <stdlib.h>
#include <string.h>

#include "arch/ctx.h"
#include "os/os.h"
#include "sched/claim.h"
#include "sched/subject.h"
#include "stack/cold.h"

enum { SHAPES = 4096, BUCKETS = 4096, EXCEPT = 4, PAUSE = 256 };

/* Where on its stack a task has the return addresses of its group's backtrace, from the end of that stack. */
typedef struct shape {
    uint64_t key;
    gos__group *group;
    int32_t at[GOS_FRAMES];
    struct shape *next;
} shape;

struct gos__groups {
    bool may_claim, is_still;
    void (*meanwhile)(void);
    int used, shapes_used, except_n, waiting_n, seen;
    long tasks, others, weight;
    const gos__task *except[EXCEPT];
    gos__task *waiting[GOS_CLAIMS]; /* to be claimed together */
    gos__group *buckets[BUCKETS];
    shape *shape_buckets[BUCKETS];
    gos__group *sorted[GOS_GROUPS];
    gos__group groups[GOS_GROUPS];
    shape shapes[SHAPES];
    gos__unpacked unpacked;
};

static size_t size_of_all(void)
{
    size_t page = gos__vm_page_size();
    return (sizeof(gos__groups) + page - 1) / page * page;
}

gos__groups *gos__groups_open(bool may_claim, bool is_still, void (*meanwhile)(void))
{
    gos__groups *groups = gos__vm_new(size_of_all());
    if (!groups)
        return NULL;
    groups->may_claim = may_claim && !GOS_SAN; /* to which another task's frames are not to be read */
    groups->is_still = is_still && !GOS_SAN;
    groups->meanwhile = meanwhile;
    groups->weight = 1;
    return groups;
}

void gos__groups_close(gos__groups *groups)
{
    gos__vm_release(groups, size_of_all());
}

/* ---- one task ---- */

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const gos__group *it)
{
    uint64_t hash = mix((uint64_t)(uintptr_t)it->entry, it->creator);
    hash = mix(hash, it->state | it->why << 8 | it->kind << 16 | it->is_deep << 24 | it->is_pinned << 25 |
                         it->is_away << 26);
    for (uint32_t i = 0; i < it->backtrace.n; i++)
        hash = mix(hash, it->backtrace.at[i]);
    return hash;
}

bool gos__group_is_like(const gos__group *a, const gos__group *b)
{
    return a->entry == b->entry && a->state == b->state && a->why == b->why &&
           a->kind == b->kind && a->is_deep == b->is_deep && a->is_pinned == b->is_pinned &&
           a->is_away == b->is_away && a->backtrace.n == b->backtrace.n &&
           !memcmp(a->backtrace.at, b->backtrace.at, a->backtrace.n * sizeof *a->backtrace.at);
}

void gos__group_add(gos__group *to, const gos__group *from)
{
    to->has_others |= from->has_others || to->subject != from->subject || to->descriptor != from->descriptor;
    to->shortest = from->shortest < to->shortest ? from->shortest : to->shortest;
    to->longest = from->longest > to->longest ? from->longest : to->longest;
    to->count += from->count;
}

/* What of a header does not depend on its stack. */
static void read_header(gos__groups *groups, gos__group *it, const gos__task *task)
{
    *it = (gos__group){ .entry = gos__entry_of(task), .state = gos__load_relaxed(&task->state), .kind = task->kind,
                        .one = task->waiter.task, .count = groups->weight, .descriptor = -1,
                        .is_away = task != task->waiter.task };
    it->creator = gos__creator_of(task, &groups->unpacked);
    it->is_deep = gos__load_relaxed(&task->region) && gos__has_nursery(task);
    it->is_pinned = gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH;
    if (it->state == GOS_DUE)
        it->state = GOS_READY;
    if (gos__is_parked(it->state)) {
        it->state = GOS_PARKED;
        it->why = gos__load_relaxed(&task->why);
        uint16_t now = gos__load_relaxed(&gos__half_seconds);
        it->shortest = it->longest = (uint16_t)(now - gos__load_relaxed(&task->since));
    }
}

static void read_subject(gos__group *it, const gos__task *task)
{
    if (it->state != GOS_PARKED)
        return;
    gos__subject subject;
    gos__subject_of(task, it->why, &subject);
    it->subject = subject.address;
    it->descriptor = subject.descriptor;
}

/* The group of a task whose backtrace is known; NULL: there are no more. */
static gos__group *find(gos__groups *groups, const gos__group *it)
{
    gos__group **bucket = &groups->buckets[hash_of(it) % BUCKETS], *group = *bucket;
    while (group && !(group->creator == it->creator && gos__group_is_like(group, it)))
        group = group->next;
    if (!group && groups->used < GOS_GROUPS) {
        group = &groups->groups[groups->used++];
        *group = *it;
        group->count = 0;
        group->next = *bucket;
        *bucket = group;
    }
    return group;
}

static gos__group *add(gos__groups *groups, const gos__group *it)
{
    gos__group *group = find(groups, it);
    groups->tasks += groups->weight;
    if (group)
        gos__group_add(group, it);
    else
        groups->others += groups->weight;
    return group;
}

/* ---- shapes; the task is claimed ---- */

/* A place on a task's stack, from the end of that stack: the innermost region or the nursery. */
static uintptr_t place(const gos__task *task, int32_t at)
{
    return at & 1 ? (uintptr_t)task + (at & ~1) : (uintptr_t)(task->region ? (void *)task->region : (void *)task) + at;
}

static bool is_plain(const gos__task *task)
{
    return !task->region || (gos__has_nursery(task) && !task->region->prev);
}

static uint64_t key_of(const gos__group *it, const gos__task *task)
{
    uintptr_t end = (uintptr_t)(task->region ? (void *)task->region : (void *)task);
    uint64_t key = mix((uint64_t)(uintptr_t)it->entry, it->creator);
    key = mix(key, it->why | it->kind << 8 | it->is_deep << 16);
    key = mix(key, end - (uintptr_t)task->sp);
    return mix(key, ((const gos__ctx *)task->sp)->pc);
}

static bool fits(const shape *shape, const gos__task *task)
{
    const gos__backtrace *backtrace = &shape->group->backtrace;
    for (uint32_t i = 0; i < backtrace->n; i++)
        if (*(const uintptr_t *)place(task, shape->at[i]) != backtrace->at[i])
            return false;
    return true;
}

static bool add_by_shape(gos__groups *groups, const gos__group *it, const gos__task *task, uint64_t key)
{
    for (shape *shape = groups->shape_buckets[key % BUCKETS]; shape; shape = shape->next)
        if (shape->key == key && fits(shape, task)) {
            groups->tasks += groups->weight;
            gos__group_add(shape->group, it);
            return true;
        }
    return false;
}

/* Upwards on the stack that the task is on, and then on its nursery. False: one was not found. */
static bool locate(shape *shape, const gos__task *task)
{
    const gos__backtrace *backtrace = &shape->group->backtrace;
    uintptr_t end = (uintptr_t)(task->region ? (void *)task->region : (void *)task), base = end;
    uintptr_t at = (uintptr_t)task->sp + GOS_CTX_PC;
    bool is_nursery = !task->region;
    for (uint32_t i = 0; i < backtrace->n; i++) {
        while (at < end && *(const uintptr_t *)at != backtrace->at[i])
            at += sizeof at;
        if (at >= end && !is_nursery && gos__has_nursery(task)) {
            is_nursery = true;
            at = gos__nursery_low(task);
            base = end = (uintptr_t)task;
            i--;
            continue;
        }
        if (at >= end)
            return false;
        shape->at[i] = (int32_t)(at - base) | (is_nursery && task->region ? 1 : 0);
        at += sizeof at;
    }
    return true;
}

static void note_shape(gos__groups *groups, gos__group *group, const gos__task *task, uint64_t key)
{
    if (groups->shapes_used == SHAPES)
        return;
    shape *it = &groups->shapes[groups->shapes_used];
    it->key = key;
    it->group = group;
    if (!locate(it, task))
        return;
    it->next = groups->shape_buckets[key % BUCKETS];
    groups->shape_buckets[key % BUCKETS] = it;
    groups->shapes_used++;
}

static void add_parked(gos__groups *groups, const gos__task *task)
{
    gos__group it;
    read_header(groups, &it, task);
    read_subject(&it, task);
    uint64_t key = key_of(&it, task);
    bool may_share = is_plain(task) && !it.is_pinned;
    if (may_share && add_by_shape(groups, &it, task, key))
        return;
    gos__backtrace_of(task, &it.backtrace);
    gos__group *group = add(groups, &it);
    if (group && may_share)
        note_shape(groups, group, task, key);
}

/* ---- all of them ---- */

static void add_unclaimed(gos__groups *groups, const gos__task *task)
{
    gos__group it;
    read_header(groups, &it, task);
    if (it.state == GOS_FREE)
        return;
    if (!it.is_away && it.state != GOS_RUNNING && !GOS_SAN) {
        read_subject(&it, task);
        gos__backtrace_by_frames(task, &it.backtrace);
    }
    add(groups, &it);
}

static bool is_held(gos__task *const *held, uint32_t n, const gos__task *task)
{
    for (uint32_t i = 0; i < n; i++)
        if (held[i] == task)
            return true;
    return false;
}

static void add_waiting(gos__groups *groups)
{
    gos__task *held[GOS_CLAIMS];
    memcpy(held, groups->waiting, sizeof held);
    uint32_t n = gos__claim(held, (uint32_t)groups->waiting_n);
    for (uint32_t i = 0; i < n; i++) {
        add_parked(groups, held[i]);
        gos__claim_release(held[i]);
    }
    for (int i = 0; i < groups->waiting_n; i++)
        if (!is_held(held, n, groups->waiting[i]))
            add_unclaimed(groups, groups->waiting[i]);
    groups->waiting_n = 0;
}

static void see(const gos__task *task, void *arg)
{
    gos__groups *groups = arg;
    uint8_t state = gos__load_acquire(&task->state); /* a new task's: its stack may have been made just now */
    if (++groups->seen % PAUSE == 0 && groups->meanwhile)
        groups->meanwhile();
    if (state == GOS_FREE)
        return;
    for (int i = 0; i < groups->except_n; i++)
        if (groups->except[i] == task)
            return;
    bool is_here = gos__is_parked(state) && task == task->waiter.task;
    if (is_here && groups->is_still) {
        add_parked(groups, task);
    } else if (is_here && groups->may_claim && !gos__load_relaxed(&task->pinned)) {
        groups->waiting[groups->waiting_n++] = (gos__task *)task;
        if (groups->waiting_n == GOS_CLAIMS)
            add_waiting(groups);
    } else {
        add_unclaimed(groups, task);
    }
}

void gos__groups_add_all(gos__groups *groups)
{
    gos__stacks_walk(see, groups);
    add_waiting(groups);
}

static void see_parked(const gos__task *task, void *arg)
{
    if (gos__is_parked(gos__load_relaxed(&task->state)))
        see(task, arg);
}

void gos__groups_add_some(gos__groups *groups, gos__rng *rng, uint32_t n, long weight)
{
    uint64_t all = gos__stacks_count(), step = all / n + 1;
    groups->weight = weight * (long)step;
    gos__stacks_walk_some(gos__rng_below(rng, (uint32_t)step), step, see_parked, groups);
    add_waiting(groups);
}

void gos__groups_except(gos__groups *groups, const gos__task *task)
{
    if (groups->except_n < EXCEPT)
        groups->except[groups->except_n++] = task;
}

void gos__groups_add_running(gos__groups *groups, const gos__task *task, const gos__backtrace *backtrace)
{
    gos__group it;
    read_header(groups, &it, task);
    it.backtrace = *backtrace;
    add(groups, &it);
}

static int by_count(const void *a, const void *b)
{
    const gos__group *x = *(gos__group *const *)a, *y = *(gos__group *const *)b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x < y ? -1 : 1; /* in the order in which they were met */
}

size_t gos__groups_sort(gos__groups *groups, gos__group ***sorted, long *tasks, long *others)
{
    for (int i = 0; i < groups->used; i++)
        groups->sorted[i] = &groups->groups[i];
    qsort(groups->sorted, (size_t)groups->used, sizeof groups->sorted[0], by_count);
    *sorted = groups->sorted;
    *tasks = groups->tasks;
    *others = groups->others;
    return (size_t)groups->used;
}
