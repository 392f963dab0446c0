/*
 * stack.h: where tasks' stacks come from, and how they grow and shrink.
 *
 * All stacks of a run lie in one reservation, in this order of addresses, so that a limit word left over from a stack
 * higher up (after longjmp or a C++ throw) makes a check fail, never pass, and the slow path repairs it:
 *
 *     nurseries, largest first | paged stacks | deep regions | large regions | signal stacks
 *
 *     nursery (768, up to 4032)        deep region (128 KiB)             paged stack (128 KiB)
 *     +--------------------+ high      +--------------------+            +--------------------+
 *     | struct gos__task   | 64        | struct gos__region | 64         | struct gos__task   |
 *     | checked frames     | 304       | stack              |            | struct gos__region |
 *     +- - - limit - - - - +           +- - - limit - - - - +            | stack              |
 *     | small frame, entry | 400       |  (lowered in steps)|            |                    |
 *     | allocas, canary, by| of it 16  | guard page         |            | guard page         |
 *     +--------------------+ low       +--------------------+            +--------------------+
 *
 * Nurseries have no guard: checked code cannot overrun them, and the canary shows what unchecked code did.
 * A task that parks keeps the regions it is on. Freed stacks stay typed (a nursery slot is always one), so a stale
 * task pointer never points into somebody's frames.
 */
#ifndef GOS_STACK_STACK_H
#define GOS_STACK_STACK_H

#include <stdbool.h>

#include "arch/state.h"
#include "base/atomics.h"
#include "base/compiler.h"
#include "stack/pack.h"

/* What one worker has seen of late of how deep a function's tasks park (sizing.c). */
typedef struct gos__evidence {
    void (*entry)(void *);
    int64_t spawned; /* by the worker, when it last saw one that needed more */
    int32_t score;   /* for a larger nursery */
    int32_t balance; /* of the larger nurseries given out, not yet added to the function's credit */
    int32_t futile;  /* tasks that had a larger nursery and were on a region all the same */
} gos__evidence;

/* Where a task parked of late, and how many the worker had started by then. */
typedef struct gos__spot {
    uintptr_t sp;
    int64_t spawned;
} gos__spot;

enum { GOS_EVIDENCE = 8, GOS_SPOTS = 32 };

typedef struct gos__sizing {
    gos__evidence evidence[GOS_EVIDENCE];
    gos__spot spots[GOS_SPOTS];
    int64_t larger;         /* counters: tasks started on larger nurseries, */
    int64_t raised, lowered; /* sizes of functions */
} gos__sizing;

/* A worker's stock of free stacks; touched only by who holds the worker. */
typedef struct gos__stack_cache {
    gos__task *loaded[GOS_KINDS]; /* free stacks by kind, linked by next */
    gos__task *full[GOS_KINDS];   /* one whole magazine in reserve, or NULL */
    int32_t loaded_n[GOS_KINDS];
    gos__region *regions;   /* plain ones */
    int32_t regions_n, regions_least; /* and the fewest since gos__regions_settle_rest */
    gos__region *large;     /* one */
    bool large_rests;       /* since gos__regions_settle_rest */
    int64_t borrows;        /* counters: regions borrowed through C, large ones, limits lowered in place */
    int64_t large_borrows;
    int64_t extensions;
} gos__stack_cache;

/* Reserves the address space of a run and reads the limits. -ENOMEM: not even a little is to be had. */
int gos__stacks_open(void);

/* Gives everything back. With `abandoned` set, threads may still be on stacks: nothing is, then. */
void gos__stacks_close(bool abandoned);

/* Around a fork, so that the child finds the pool in order. */
void gos__stacks_lock(void);
void gos__stacks_unlock(void);

/* A free stack of a kind; NULL at the memory limit. Whoever frees one sees to it that its header is as new: `region` is
 * its own one, or NULL; nothing is pinned; `waiter` names it; there are no allocas. */
static inline gos__task *gos__stack_alloc(gos__stack_cache *cache, enum gos__kind kind);
static inline void gos__stack_free(gos__stack_cache *cache, gos__task *task);

/* Whether it would be freed without a call; and that. */
static inline bool gos__stack_fits(const gos__stack_cache *cache, enum gos__kind kind);
static inline void gos__stack_put(gos__stack_cache *cache, gos__task *task);

/* ---- clear.c: nothing without GOS_DEBUG=clear ---- */

/* A task that has given its regions back ends: what it left on its first stack, and on the last region, is wiped. */
void gos__clear_ended(gos__task *task);

/* A task has given a region back: it is free when this returns, and clear but perhaps for one of the thread's. */
void gos__clear_returned(const gos__task *task, gos__region *region);

/* That one: as `task` left it, if it is its own and nobody ran here meanwhile; else cleared. NULL: there is none. */
gos__region *gos__clear_take(const gos__task *task);

/* Gives back the regions that a task holds. */
void gos__regions_drop(gos__task *task);

/* Moves the calling thread's spare regions into a stock; NULL: to the shared pool. gos__spares_settle: all but one.
 * gos__spares_of: those of a thread that sleeps, whose worker the caller holds. */
void gos__spares_flush(gos__stack_cache *cache);
void gos__spares_of(gos__thread *thread, gos__stack_cache *cache);
void gos__spares_settle(gos__stack_cache *cache);

/* Moves the regions of a stock to the shared ones, from which the monitor gives pages back. */
void gos__regions_settle(gos__stack_cache *cache);

/* The same with those that have not been needed since the last call. */
void gos__regions_settle_rest(gos__stack_cache *cache);

/* Moves all of a stock to the shared pool. */
void gos__stack_cache_flush(gos__stack_cache *cache);

static inline bool gos__has_nursery(const gos__task *task)
{
    return task->kind < GOS_PAGED;
}

/* The lowest address of a task's nursery: who started it, the canary, its allocas. */
static inline uintptr_t gos__nursery_low(const gos__task *task)
{
    if (__builtin_expect(task->kind == GOS_NURSERY, 1))
        return (uintptr_t)task + GOS_TASK_SIZE - GOS_NURSERY_SIZE;
    return (uintptr_t)task + (uintptr_t)gos__task_to_limit[task->kind] - GOS_SLACK;
}

/* Whether n bytes from an address on lie on one of the task's stacks, whatever the task does meanwhile. */
bool gos__is_on_stack(const gos__task *task, uintptr_t at, size_t n);

/* Ends the program when unchecked code has overrun this task's nursery. */
static inline void gos__stack_verify(const gos__task *task);

/* ---- region.c, for the monitor: giving pages back. All stop at `until` (gos__clock_ns) or soon after ---- */

/* Begins a period; what was not needed in the one before is for gos__regions_trim. */
void gos__regions_period(void);

/* True: there is more to do. */
bool gos__regions_trim(int64_t until);
bool gos__regions_any_warm(void);

/* In a child process: of the parent's monitor. */
void gos__regions_forget_work(void);

/* The same for free stacks (vacant.c). */
void gos__vacant_period(void);
bool gos__vacant_clear(int64_t until);
bool gos__vacant_any_left(void);

/* Gives back what lies below the stack pointer of a claimed task; false: not yet all of it: time was over, or somebody
 * wants the task. */
bool gos__stack_trim(gos__task *task, int64_t until);

/* Walks the stacks and regions that tasks may be deep in, which takes a while: the next one with a parked task in
 * *found, or NULL after so many looks. False: the walk is over. Begins with { 0 }. Headers may change meanwhile. */
typedef struct gos__deep_walk {
    uint32_t part;
    uintptr_t slot;
} gos__deep_walk;
bool gos__stacks_next_deep(gos__deep_walk *walk, gos__task **found, int looks);

/* ---- alloca.c ---- */

/* Memory for an alloca or variable-length array of the frame at sp that its stack has no room for. */
void *gos__alloca(size_t size, uintptr_t sp);
void gos__allocas_free(gos__task *task);

/* The end of every such list: NULL, or, where they are to be cleared, something that keeps all tasks from ending as if
 * they had left nothing (sched/task.c:is_clean). */
extern void *gos__allocas_none;
void gos__allocas_open(bool are_cleared);

/* Where a task's list of such memory begins: beside the canary, or in its own region. */
static inline void **gos__allocas(gos__task *task)
{
    if (gos__has_nursery(task))
        return (void **)(gos__nursery_low(task) + sizeof(uint64_t));
    return &((gos__region *)task - 1)->allocas;
}

/* Where the lower half of the address stands that the call which started the task was to return to; 0: the program did
 * not start it. A task has no room for more, and two modules share a half only where they are a multiple of 4 GiB
 * apart: gos__symbol_whole. Of a task that may be packed away: gos__creator_of. */
static inline uint32_t *gos__creator_at(const gos__task *task)
{
    if (gos__has_nursery(task))
        return (uint32_t *)gos__nursery_low(task);
    return &((gos__region *)task - 1)->creator;
}

/* Which kind of stack a function may start on: checked prologue: nursery. */
enum gos__kind gos__kind_of(void (*entry)(void *));

/* ---- sizing.c ---- */

/* The nursery for the next task of a checked function. */
enum gos__kind gos__sizing_start(gos__sizing *sizing, void (*entry)(void *));

/* Whether a task is all on the smallest nursery, as nearly all are, with nothing to learn from its park. */
static inline bool gos__is_small(const gos__task *task)
{
    return task->kind == GOS_NURSERY && !task->region;
}

/* Whether a park that is not a small one may say anything new: not where one was seen before, and no task was started
 * since. So who parks again and again counts once, and pays little. */
static inline bool gos__sizing_is_news(gos__sizing *sizing, const gos__task *task, int64_t spawned)
{
    uintptr_t sp = (uintptr_t)gos__load_relaxed(&task->sp);
    gos__spot *spot = &sizing->spots[(sp >> 6 ^ sp >> 16) % GOS_SPOTS];
    if (gos__likely(spot->sp == sp && spot->spawned == spawned))
        return false;
    *spot = (gos__spot){ .sp = sp, .spawned = spawned };
    return true;
}

/* What a park says of the size for its function: nothing new; the task was started on less than is given by now; it
 * has just become larger. */
enum gos__sizing_news { GOS_SIZE_SAME, GOS_SIZE_MISSED, GOS_SIZE_NEW };

/* Another one parks, from a nursery or not; `spawned`: tasks that this worker has started. */
enum gos__sizing_news gos__sizing_parked(gos__sizing *sizing, const gos__task *task, int64_t spawned);

/* Forgets all functions. */
void gos__sizing_reset(void);

/* Calls see for every function whose tasks start on more than GOS_NURSERY_SIZE, with the size. */
void gos__sizing_walk(void (*see)(void (*entry)(void *), int size, void *arg), void *arg);

/* The bytes of a kind of nursery, header and all. */
static inline int gos__nursery_size(enum gos__kind kind)
{
    return (int)(GOS_TASK_SIZE + GOS_SLACK - gos__task_to_limit[kind]);
}

/* A signal stack for the calling thread, *size bytes; NULL at the limit. */
void *gos__signal_stack_alloc(size_t *size);
void gos__signal_stack_free(void *base);

/* Calls see(task, arg) for every stack that holds or held a task; headers may change meanwhile. Of one that is packed
 * away it sees a copy: the task's address is in waiter.task. */
void gos__stacks_walk(void (*see)(const gos__task *task, void *arg), void *arg);

/* How many there are; and the same for every step-th of them. */
uint64_t gos__stacks_count(void);
void gos__stacks_walk_some(uint64_t first, uint64_t step, void (*see)(const gos__task *task, void *arg), void *arg);

/* Where nurseries lie, and the end of the address space for them; how far there are any. Every page below that was
 * written to, and where tasks are packed none is given back to the kernel but by cold.c, whose thread could else wait
 * for itself. */
uintptr_t gos__nurseries(gos__slots *slots);
uintptr_t gos__nurseries_carved(void);

/* Address space handed out so far. */
int64_t gos__stacks_bytes(void);

/* ---- overflow.c, for grow.c ---- */

/* The frame of a function whose return address is at left_sp would pass the bound: says so, and who called whom, and
 * ends the program with status 2. In __morestack, on the system stack. */
_Noreturn void gos__overflow(const gos__task *task, uintptr_t left_sp);

/* ---- pool.c, for those below: the stock is empty, or as many are loaded as a magazine holds ---- */
gos__task *gos__stack_refill(gos__stack_cache *cache, enum gos__kind kind);
void gos__stack_set_aside(gos__stack_cache *cache, enum gos__kind kind);

/* ---- region.c, for grow.c ---- */
gos__region *gos__region_alloc(gos__stack_cache *cache, bool large);
/* Into the stock, or, without one, into the shared pool. */
void gos__region_free(gos__stack_cache *cache, gos__region *region);
uintptr_t gos__region_first_limit(const gos__region *region);

/* Whether an address lies where stacks of tasks and their regions are. */
bool gos__stack_is_of_tasks(uintptr_t at);

/* Says on standard error what a faulting address means, if it is one of our guards (signal context). */
void gos__stack_explain_fault(void *address);

/* ---- called from __morestack (arch/morestack_x86_64.S) ---- */
uintptr_t gos__grow(uintptr_t frame, uintptr_t arguments, uintptr_t unchecked, uintptr_t left_sp);
void gos__shrink(uintptr_t left_sp);
void *gos__preempt_at(uintptr_t left_sp, const void *spill, size_t size);

/* The exceptions that a thread is handling, as the C++ library lists them: Itanium C++ ABI, "Exception Handling",
 * 2.2.2, __cxa_eh_globals. A task that is preempted in the midst of it takes them along, at the end of its spilled
 * registers. */
typedef struct gos__caught {
    void *first;
    unsigned uncaught;
} gos__caught;
void gos__caught_restore(const gos__caught *kept);
extern uint32_t gos__vector_bytes;

static inline gos__task *gos__stack_alloc(gos__stack_cache *cache, enum gos__kind kind)
{
    gos__task *task = cache->loaded[kind];
    if (gos__unlikely(!task))
        return gos__stack_refill(cache, kind);
    cache->loaded[kind] = task->next;
    cache->loaded_n[kind]--;
    return task;
}

static inline bool gos__stack_fits(const gos__stack_cache *cache, enum gos__kind kind)
{
    return cache->loaded_n[kind] < GOS_MAGAZINE;
}

static inline void gos__stack_put(gos__stack_cache *cache, gos__task *task)
{
    enum gos__kind kind = task->kind;
    gos__store_relaxed(&task->state, (uint8_t)GOS_FREE);
    task->next = cache->loaded[kind];
    cache->loaded[kind] = task;
    cache->loaded_n[kind]++;
}

static inline void gos__stack_free(gos__stack_cache *cache, gos__task *task)
{
    if (!gos__stack_fits(cache, task->kind))
        gos__stack_set_aside(cache, task->kind);
    gos__stack_put(cache, task);
}

#define GOS_CANARY 0x676f7373u

_Noreturn void gos__canary_broken(const gos__task *task);

static inline uint32_t *gos__canary_at(uintptr_t nursery_low)
{
    return (uint32_t *)nursery_low + 1;
}

static inline bool gos__stack_is_overrun(const gos__task *task)
{
    if (gos__likely(task->kind == GOS_NURSERY)) /* an address that needs no table */
        return *gos__canary_at((uintptr_t)task + GOS_TASK_SIZE - GOS_NURSERY_SIZE) != GOS_CANARY;
    return gos__has_nursery(task) && *gos__canary_at(gos__nursery_low(task)) != GOS_CANARY;
}

static inline void gos__stack_verify(const gos__task *task)
{
    if (gos__unlikely(gos__stack_is_overrun(task)))
        gos__canary_broken(task);
}

#endif
