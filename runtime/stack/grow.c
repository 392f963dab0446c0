/* grow.c: the slow half of __morestack, on the system stack: extend, borrow, give back, or call it an overflow. */
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <string.h>

#include "base/atomics.h"
#include "base/check.h"
#include "base/env.h"
#include "os/ring.h"
#include "stack/event.h"
#include "stack/stack.h"

_Thread_local gos__thread GOS_SELF;

#if defined(__x86_64__)
/* Width of the vector registers that can carry arguments, for gos__spill_vectors. */
uint32_t gos__vector_bytes = 16;

__attribute__((constructor)) static void measure_vectors(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        gos__vector_bytes = 64;
    else if (__builtin_cpu_supports("avx"))
        gos__vector_bytes = 32;
    /* XGETBV with ecx = 1: Intel SDM vol. 2, CPUID leaf 0xd, sub-leaf 1, eax bit 2. */
    unsigned eax = 0, ebx, ecx, edx;
    if (gos__vector_bytes > 16 && !(__get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx) && (eax & 4)))
        gos__vector_bytes += GOS_VECTORS_ALWAYS;
}
#endif

static bool contains(const gos__region *region, uintptr_t sp)
{
    return sp >= region->bottom && sp <= (uintptr_t)region;
}

static bool on_nursery(const gos__task *task, uintptr_t sp)
{
    return gos__has_nursery(task) && sp <= (uintptr_t)task && sp > gos__nursery_low(task);
}

/* Whether sp is on the nursery or on a region of this task: not on a signal stack or one the program made. */
static bool is_on(const gos__task *task, uintptr_t sp)
{
    for (const gos__region *region = task->region; region; region = region->prev)
        if (contains(region, sp))
            return true;
    return on_nursery(task, sp);
}

static bool is_on_region(const gos__region *region, uintptr_t at, size_t n)
{
    uintptr_t bottom = gos__load_relaxed(&region->bottom);
    return at >= bottom && at < (uintptr_t)region && (uintptr_t)region - at >= n;
}

bool gos__is_on_stack(const gos__task *task, uintptr_t at, size_t n)
{
    const gos__region *region = gos__load_relaxed(&task->region);
    for (int i = 0; region && i < 4; i++, region = gos__load_relaxed(&region->prev))
        if (is_on_region(region, at, n))
            return true;
    return gos__has_nursery(task) && at >= gos__nursery_low(task) && at < (uintptr_t)task && (uintptr_t)task - at >= n;
}

static uintptr_t limit_of(const gos__task *task)
{
    return task->region ? task->region->limit : (uintptr_t)task + (uintptr_t)gos__task_to_limit[task->kind];
}

/* Writes the limit word for where the task is now; a poison that this erased is put back. */
static void set_limit(const gos__task *task)
{
    gos__set_limit_word(limit_of(task));
    if (gos__load_relaxed(&gos__self.preempt))
        gos__set_limit_word((uintptr_t)GOS_POISON);
}

static gos__region *spare_take(gos__thread *thread)
{
    gos__region *region = thread->spare;
    if (region) {
        thread->spare = NULL;
    } else if ((region = thread->more_spares)) {
        thread->more_spares = region->next;
        thread->spares--;
    }
    return region;
}

void gos__spares_of(gos__thread *thread, gos__stack_cache *cache)
{
    gos__region *region;
    while ((region = spare_take(thread)))
        gos__region_free(cache, region);
}

void gos__spares_flush(gos__stack_cache *cache)
{
    gos__spares_of(&gos__self, cache);
    gos__region *region = gos__clear_take(NULL);
    if (region)
        gos__region_free(cache, region);
}

void gos__spares_settle(gos__stack_cache *cache)
{
    gos__thread *self = &gos__self;
    gos__region *kept = self->spare;
    self->spare = NULL;
    gos__spares_of(self, cache);
    self->spare = kept;
}

static void pop(gos__task *task)
{
    gos__region *region = task->region;
    task->region = region->prev;
    if (gos__env_get()->clear) {
        gos__clear_returned(task, region);
    } else if (gos__self.spares < GOS_SPARES && !region->is_large) {
        region->prev = NULL;
        region->plain = 1;
        region->next = gos__self.more_spares;
        gos__self.more_spares = region;
        gos__self.spares++;
    } else {
        gos__region_free(gos__self.cache, region);
    }
}

/* Gives back every region above the stack that `sp` is on: the one just left, and those that a longjmp or a throw
 * jumped out of. */
static void pop_to(gos__task *task, uintptr_t sp)
{
    while (task->region && !task->region->owned && !contains(task->region, sp))
        pop(task);
}

void gos__regions_drop(gos__task *task)
{
    while (task->region && !task->region->owned)
        pop(task);
}

/* Lowers the limit in place, by doubling the depth, until a frame fits; false when it never does. */
static bool extend(gos__region *region, uintptr_t frame_end)
{
    uintptr_t lowest = region->bottom + GOS_SLACK;
    if (frame_end < lowest)
        return false;
    uintptr_t depth = (uintptr_t)region - region->limit;
    while ((uintptr_t)region - depth > frame_end)
        depth *= 2;
    uintptr_t limit = (uintptr_t)region - depth;
    region->limit = depth > (uintptr_t)region - lowest ? lowest : limit;
    return true;
}

/* Room without changing stacks? */
static bool fits_here(gos__task *task, uintptr_t frame, bool unchecked, uintptr_t sp)
{
    gos__region *region = task->region;
    if (!region)
        return !unchecked && sp >= frame + limit_of(task);
    if (unchecked && sp < region->unchecked_limit + frame)
        return false;
    if (sp < frame + region->limit) {
        if (sp < frame || !extend(region, sp - frame))
            return false;
        gos__self.cache->extensions++;
        gos__ring_note(gos__self.ring, GOS_EV_DEEPER, (uintptr_t)task, (uintptr_t)region - region->limit, 0);
    }
    return true;
}

static gos__region *borrow(gos__task *task, uintptr_t need, uintptr_t sp)
{
    bool large = task->region || need > GOS_REGION_SIZE - GOS_GUARD_SIZE - sizeof(gos__region);
    if (large && (uint64_t)need > (uint64_t)gos__env_get()->maxstack)
        gos__overflow(task, sp);
    if (task->region && task->region->is_large)
        gos__overflow(task, sp);
    gos__region *region = large ? NULL : spare_take(&gos__self);
    if (!region && !large)
        region = gos__clear_take(task);
    if (!region)
        region = gos__region_alloc(gos__self.cache, large);
    if (!region)
        gos__die("fatal error: no memory for a deeper task stack: raise GOS_MAXMEM, vm.max_map_count or RLIMIT_AS, "
                 "or lower GOS_MAXSTACK");
    GOS_PROBE2(grow, task, need);
    gos__ring_note(gos__self.ring, GOS_EV_GROW, (uintptr_t)task, need, large);
    region->prev = task->region;
    region->owner = task;
    region->plain = !region->prev && !large && !gos__env_get()->clear;
    gos__self.cache->borrows++;
    gos__self.cache->large_borrows += large;
    return region;
}

/*
 * frame: bytes that the function needs; arguments: bytes of stack arguments above left_sp, where its return address
 * lies. Returns 0: there is room where we are; else the new stack pointer, the arguments copied above it.
 */
uintptr_t gos__grow(uintptr_t frame, uintptr_t arguments, uintptr_t unchecked, uintptr_t left_sp)
{
    gos__task *task = gos__self.task;
    /* A stack that is not ours (makecontext, a signal handler): its owner sees to the room. */
    if (!is_on(task, left_sp))
        return 0;
    pop_to(task, left_sp);
    uintptr_t room_at = 0;
    /* A thunk cannot know how many arguments there are (runtime/thunks): no more than lie below the top. */
    uintptr_t top = task->region ? (uintptr_t)task->region : (uintptr_t)task;
    if (!fits_here(task, frame, unchecked, left_sp)) {
        if (arguments > top - left_sp - 8)
            arguments = top - left_sp - 8;
        uintptr_t copied = arguments ? (arguments + 127) & ~(uintptr_t)63 : 0;
        uintptr_t need = copied + frame + (unchecked ? GOS_UNCHECKED_ROOM : GOS_SLACK) + GOS_SMALL_FRAME;
        gos__region *region = borrow(task, need, left_sp);
        room_at = (uintptr_t)region - copied;
        /* Arguments may be aligned to a vector's size: they keep their address modulo 64. */
        if (arguments)
            room_at += (left_sp + 8) & 63;
        if (room_at - frame < region->limit && !extend(region, room_at - frame))
            gos__overflow(task, left_sp);
        memcpy((void *)room_at, (void *)(left_sp + 8), arguments);
        task->region = region;
    }
    set_limit(task);
    return room_at;
}

/* Of the C++ library, if the program has one. */
extern gos__caught *__cxa_get_globals(void) __attribute__((weak));

static void caught_take(gos__caught *to)
{
    if (__cxa_get_globals) {
        gos__caught *own = __cxa_get_globals();
        *to = *own;
        *own = (gos__caught){ .first = NULL };
    }
}

void gos__caught_restore(const gos__caught *kept)
{
    if (__cxa_get_globals)
        *__cxa_get_globals() = *kept;
}

/* A place on the task's own stacks for the registers spilled at a preempted prologue, with room to yield below it; they
 * are copied there. NULL: not now. */
void *gos__preempt_at(uintptr_t left_sp, const void *spill, size_t size)
{
    if (!is_on(gos__self.task, left_sp))
        return NULL;
    gos__store_relaxed(&gos__self.preempt, 0u);
    /* Below left_sp, __morestack's own words stay untouched. */
    uintptr_t kept = GOS_MORESTACK_BYTES + 16;
    uintptr_t top = gos__grow(kept + size + GOS_SMALL_FRAME, 0, 0, left_sp);
    uintptr_t at = ((top ? top : left_sp - kept) - size) & ~(uintptr_t)15;
    memcpy((void *)at, spill, size);
    caught_take((gos__caught *)(at + size) - 1);
    return (void *)at;
}

/* After the body returned to a function whose return address is at left_sp. */
void gos__shrink(uintptr_t left_sp)
{
    gos__task *task = gos__self.task;
    if (task->region && task->region->owned)
        return;
    pop(task);
    pop_to(task, left_sp);
    set_limit(task);
}

_Noreturn void gos__canary_broken(const gos__task *task)
{
    gos__fatal("fatal error: unchecked code called through a pointer, or a call with very many arguments, overran the "
               "%d-byte stack of a task started with %p: compile as docs/UNCHECKED.md says, or run with "
               "GOS_DEBUG=paged", (int)((uintptr_t)task + GOS_TASK_SIZE - gos__nursery_low(task)),
               (void *)(uintptr_t)gos__entry_of(task));
}
