/* task.c: what the public functions about tasks do, on the system stack (arch/entry_x86_64.S calls them). */
#include "sched/task.h"

#include <errno.h>

#include "arch/ctx.h"
#include "arch/san.h"
#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* So many tasks of a function that was preempted are started behind their parents. */
#define HOG_CREDIT 1000

/* The kind of stack that the next task of a function gets; kept for gos__go, unless tasks of it are to run behind their
 * parent, or start on a larger nursery, which is looked up each time, so that it can shrink again. */
static enum gos__kind kind_for(gos__worker *worker, void (*fn)(void *))
{
    if (gos__load_relaxed(&worker->usual_entry) == fn)
        return worker->usual_kind;
    enum gos__kind kind = gos__kind_of(fn);
    if (kind == GOS_NURSERY)
        kind = gos__sizing_start(&worker->sizing, fn);
    if (fn != worker->hog && !gos__is_seeded() && !gos__is_traced(worker) &&
        (kind == GOS_NURSERY || kind == GOS_PAGED)) {
        gos__store_relaxed(&worker->usual_entry, fn);
        worker->usual_kind = kind;
    }
    return kind;
}

/* A stack for it. */
static gos__task *stack_for(gos__worker *worker, void (*fn)(void *))
{
    enum gos__kind kind = kind_for(worker, fn);
    gos__task *task = gos__stack_alloc(&worker->stacks, kind);
    if (gos__unlikely(!task && kind != GOS_PAGED))
        task = gos__stack_alloc(&worker->stacks, GOS_NURSERY); /* the larger ones are used up */
    return task;
}

/* A context that begins in `start`. It lies at the very top, so that the function starts with an aligned stack. */
static void make_context(gos__task *task, void (*start)(void), void (*fn)(void *), void *arg, uintptr_t by)
{
    gos__store_relaxed(gos__creator_at(task), (uint32_t)by);
    uintptr_t top = task->kind == GOS_PAGED ? (uintptr_t)task->region - GOS_SAN_BYTES : (uintptr_t)task;
    gos__san_begin(task);
    gos__ctx *ctx = (gos__ctx *)top - 1;
    gos__ctx_begin(ctx, start, fn, arg);
    task->sp = ctx;
    gos__store_relaxed(&task->entry, fn); /* the monitor may be looking at all tasks */
}

gos__task *gos__task_new(gos__worker *worker, void (*start)(void), void (*fn)(void *), void *arg, uintptr_t by)
{
    gos__task *task = stack_for(worker, fn);
    if (gos__likely(task != NULL)) {
        make_context(task, start, fn, arg, by);
        GOS_PROBE2(spawn, task, fn);
        gos__store_relaxed(&worker->spawned, worker->spawned + 1); /* gos_ntasks reads both, from anywhere */
    }
    return task;
}

/* Behind a parent that goes on: it is pinned, and nothing else runs on its thread; or tasks of this function use up
 * their slices, and each would cost it one. */
static gos__task *go_behind(gos__worker *worker, void (*fn)(void *), void *arg, uintptr_t by, gos__task *self)
{
    gos__task *task = gos__task_new(worker, gos__task_start, fn, arg, by);
    if (!task) {
        self->result = -ENOMEM;
        return self;
    }
    const gos__ctx *parent = self->sp;
    gos__ctx_inherit(task->sp, parent);
    self->result = 0;
    gos__store_release(&task->state, (uint8_t)GOS_READY); /* pairs with a dump's look */
    if (gos__is_traced(worker))
        gos__trace_spawn(worker, task, self);
    if (fn == worker->hog) { /* it may have changed */
        if (worker->hog_blocks)
            gos__store_relaxed(&task->pinned, (uint8_t)GOS_BLOCKS);
        if (!--worker->hog_credit)
            worker->hog = NULL;
    }
    gos__push_back(worker, task);
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__load_relaxed(&gos__rt->idle_n))
        gos__wake_one(worker);
    return self;
}

static GOS_NOINLINE gos__task *waking(gos__worker *worker, gos__task *task)
{
    gos__wake_one(worker);
    return task;
}

/* The parent waits in front of the queue, in which there is room. */
static GOS_ALWAYS_INLINE gos__task *begin(gos__worker *worker, gos__task *task, void (*fn)(void *), uintptr_t by,
                                          gos__task *self)
{
    gos__san_begin(task);
    GOS_PROBE2(spawn, task, fn);
    gos__store_relaxed(&worker->spawned, worker->spawned + 1); /* gos_ntasks reads it, from anywhere */
    gos__store_relaxed(&task->entry, fn); /* the monitor may be looking at all tasks */
    gos__store_relaxed(gos__creator_at(task), (uint32_t)by);
    gos__store_release(&task->state, (uint8_t)GOS_RUNNING); /* pairs with a dump's look */
    self->result = 0;
    gos__store_relaxed(&self->state, (uint8_t)GOS_READY);
    uint32_t front = worker->front - 1;
    gos__store_relaxed(&worker->front, front);
    worker->queue[front & (GOS_QUEUE_SIZE - 1)] = self;
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__unlikely(gos__load_relaxed(&gos__rt->idle_n)))
        return waking(worker, task);
    return task;
}

static GOS_NOINLINE gos__task *go_slowly(gos__worker *worker, void (*fn)(void *), void *arg, uintptr_t by,
                                         gos__task *self)
{
    gos__require(fn != NULL, "gos_go: fn is NULL");
    if ((gos__load_relaxed(&self->pinned) & GOS_PIN_DEPTH) || fn == worker->hog || gos__is_seeded())
        return go_behind(worker, fn, arg, by, self);
    gos__task *task = stack_for(worker, fn);
    if (task) {
        if (worker->back - worker->front == GOS_QUEUE_SIZE)
            gos__queue_overflow(worker);
        task = begin(worker, task, fn, by, self);
        if (gos__is_traced(worker))
            gos__trace_go(worker, self, task);
        return task;
    }
    self->result = -ENOMEM;
    return self;
}

/* The new task runs at once and its parent waits: a burst of short tasks then reuses one warm stack, and what a thief
 * takes first is the oldest parent, with the most work behind it. What is usual is a leaf, as in gos__exit: whatever
 * calls another function is left to one that is called last. */
gos__task *gos__go(void (*fn)(void *), void *arg, uintptr_t by, gos__task *self)
{
    gos__worker *worker = gos__self.worker;
    enum gos__kind kind = worker->usual_kind;
    gos__task *task = worker->stacks.loaded[kind];
    if (gos__unlikely(fn != gos__load_relaxed(&worker->usual_entry) || !fn || !task ||
                      gos__load_relaxed(&self->pinned) || worker->back - worker->front == GOS_QUEUE_SIZE))
        return go_slowly(worker, fn, arg, by, self);
    worker->stacks.loaded[kind] = task->next;
    worker->stacks.loaded_n[kind]--;
    return begin(worker, task, fn, by, self);
}

/* Stacks for tasks started by threads that are not ours; under gos__rt_lock. */
static gos__stack_cache foreign_stacks;
static gos__sizing foreign_sizing;

void gos__foreign_reset(void)
{
    foreign_stacks = (gos__stack_cache){ .regions = NULL };
    foreign_sizing = (gos__sizing){ .larger = 0 };
}

int gos__go_foreign(void (*fn)(void *), void *arg, uintptr_t by)
{
    gos__require(fn != NULL, "gos_go: fn is NULL");
    gos__spin_lock(&gos__rt_lock);
    gos__runtime *rt = gos__rt;
    int result = -EPERM;
    if (rt && !gos__load_relaxed(&rt->stopping)) {
        enum gos__kind kind = gos__kind_of(fn);
        if (kind == GOS_NURSERY)
            kind = gos__sizing_start(&foreign_sizing, fn);
        gos__task *task = gos__stack_alloc(&foreign_stacks, kind);
        if (!task && kind != GOS_PAGED)
            task = gos__stack_alloc(&foreign_stacks, GOS_NURSERY);
        result = task ? 0 : -ENOMEM;
        if (task) {
            make_context(task, gos__task_start, fn, arg, by);
            GOS_PROBE2(spawn, task, fn);
            gos__store_relaxed(&rt->foreign_spawned, rt->foreign_spawned + 1);
            gos__store_relaxed(&rt->foreign_larger, foreign_sizing.larger);
            gos__store_release(&task->state, (uint8_t)GOS_READY); /* pairs with a dump's look */
            gos__trace_spawn_outside(rt, task);
            gos__shared_push(task, task, 1);
            gos__wake_one(NULL);
        }
    }
    gos__spin_unlock(&gos__rt_lock);
    return result;
}

static inline gos__task *yield(gos__task *self, enum gos__left how)
{
    gos__stack_verify(self);
    gos__worker *worker = gos__self.worker;
    gos__store_relaxed(&self->state, (uint8_t)GOS_READY);
    gos__push_back(worker, self);
    gos__task *next = gos__next_at_once(worker);
    return gos__likely(next != NULL) ? next : gos__next(worker, how);
}

gos__task *gos__yield(void *a, void *b, void *c, gos__task *self)
{
    (void)a, (void)b, (void)c;
    return yield(self, GOS_LEFT_YIELDED);
}

/* A yield at the end of a slice: few switches may be a long time, so timers and the shared queue have their turn. */
gos__task *gos__preempted(void *a, void *b, void *c, gos__task *self)
{
    (void)a, (void)b, (void)c;
    gos__worker *worker = gos__self.worker;
    if (gos__is_seeded()) {
        gos__store_relaxed(&gos__self.preempt, (uint32_t)GOS_PREEMPT_SEEDED); /* gos__preempt_at took it back */
        return self;
    }
    bool is_asked = gos__load_relaxed(&worker->attention) & GOS_ATTEND;
    if (gos__load_relaxed(&worker->poison_tick) != worker->tick && !is_asked)
        return self; /* it was meant for the task before */
    worker->periodic_at = worker->tick + 1;
    worker->early = 0;
    worker->hog = gos__entry_of(self);
    worker->hog_blocks = 0;
    worker->hog_credit = HOG_CREDIT;
    worker->usual_entry = NULL;
    gos__trace_note(worker, GOS_EV_PREEMPT, (uintptr_t)self, 0, 0);
    return yield(self, GOS_LEFT_PREEMPTED);
}

/* Whether a task that has ended leaves nothing but its stack, as new. */
static inline bool is_clean(const gos__task *self)
{
    if (gos__load_relaxed(&self->pinned) & (GOS_PIN_DEPTH | GOS_BLOCKS))
        return false;
    const gos__region *own = (const gos__region *)self - 1;
    return self->kind != GOS_PAGED ? self->region == NULL && !*gos__allocas((gos__task *)self)
                                   : self->region == own && !own->allocas;
}

static GOS_NOINLINE gos__task *exit_slowly(gos__worker *worker, gos__task *self)
{
    gos__stack_verify(self);
    gos__regions_drop(self);
    gos__allocas_free(self);
    bool is_pinned = gos__load_relaxed(&self->pinned) & GOS_PIN_DEPTH;
    gos__store_relaxed(&self->pinned, (uint8_t)0);
    if (is_pinned)
        gos__pinned_ended();
    gos__clear_ended(self);
    gos__san_end(self);
    gos__store_release(&worker->ended, worker->ended + 1); /* after its start: gos__ntasks */
    gos__stack_free(&worker->stacks, self);
    return gos__next(worker, GOS_LEFT_ENDED);
}

gos__task *gos__exit(void *a, void *b, void *c, gos__task *self)
{
    (void)a, (void)b, (void)c;
    gos__worker *worker = gos__self.worker;
    if (gos__unlikely(GOS_SAN || !is_clean(self) || !gos__stack_fits(&worker->stacks, self->kind) ||
                      gos__stack_is_overrun(self)))
        return exit_slowly(worker, self);
    gos__store_release(&worker->ended, worker->ended + 1); /* after its start: gos__ntasks */
    gos__stack_put(&worker->stacks, self);
    gos__task *next = gos__next_at_once(worker);
    return gos__likely(next != NULL) ? next : gos__next(worker, GOS_LEFT_ENDED);
}

gos__task *gos__exit_asked(void *a, void *b, void *c, gos__task *self)
{
    gos__require(!gos__owes(self), "gos_exit: in a function that others wait for (of a group, gos_parallel_for or "
                                   "gos_once_do): return from it");
    gos__san_amid(self);
    return gos__exit(a, b, c, self);
}

gos__task *gos__main_returned(intptr_t result, void *b, void *c, gos__task *self)
{
    gos__runtime *rt = gos__rt;
    rt->result = (int)result;
    gos__store_release(&rt->stopping, 1u);
    gos__store_release(&rt->done, 1u);
    gos__futex_wake(&rt->done, 1);
    gos__monitor_wake(rt);
    gos__store_relaxed(&gos__self.worker->quit, 1u); /* nothing else is to begin on this worker */
    gos__call_attention(gos__self.worker);
    return gos__exit(NULL, b, c, self);
}

gos__task *gos__sleep(int64_t ns, void *b, void *c, gos__task *self)
{
    if (ns <= 0)
        return gos__yield(NULL, b, c, self);
    int64_t now = gos__task_clock();
    int64_t when = ns < INT64_MAX - now ? now + ns : INT64_MAX;
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    gos__waits_for(self, GOS_WAIT_SLEEP, NULL);
    gos__worker *worker = gos__self.worker;
    if (!gos__timer_add(worker, when, gos__timer_grain(ns), self))
        gos__die("fatal error: gos_sleep: no memory for %u timers", gos__timers_count(&worker->timers) + 1);
    gos__pace(worker, now);
    return gos__park(self);
}

/* As far as the limits go. */
static uint32_t procs_allowed(uint32_t wanted)
{
    const gos__env *env = gos__env_get();
    uint32_t most = env->maxthreads < GOS_MAX_PROCS ? (uint32_t)env->maxthreads : GOS_MAX_PROCS;
    return env->seeded ? 1 : wanted < most ? wanted : most;
}

uint32_t gos__procs_setting(void)
{
    uint32_t asked = gos__load_relaxed(&gos__procs_asked), given = (uint32_t)gos__env_get()->procs;
    return procs_allowed(asked ? asked : given ? given : (uint32_t)gos__cpu_count());
}

static void request_procs(gos__runtime *rt, gos__task *request, int n)
{
    request->result = (int32_t)procs_allowed((uint32_t)n);
    gos__spin_lock(&rt->lock);
    request->next = rt->procs_requests;
    gos__store_relaxed(&rt->procs_requests, request);
    gos__spin_unlock(&rt->lock);
    gos__futex_wake(&rt->done, 1); /* the monitor looks */
    gos__monitor_wake(rt);
}

/* The monitor changes the number, since it is on no worker itself. */
gos__task *gos__procs(intptr_t n, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    gos__runtime *rt = gos__rt;
    if ((int)n <= 0 || gos__is_seeded()) { /* a seeded run has one, and waits for nobody to change that */
        self->result = (int32_t)gos__load_relaxed(&rt->procs);
        return self;
    }
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    gos__waits_for(self, GOS_WAIT_NONE, NULL);
    self->waiter.elem = NULL;
    gos__store_relaxed(&gos__procs_asked, procs_allowed((uint32_t)n));
    request_procs(rt, self, (int)n);
    return gos__park(self);
}

int gos__procs_foreign(int n)
{
    gos__spin_lock(&gos__rt_lock);
    gos__runtime *rt = gos__rt;
    int former = (int)(rt ? gos__load_relaxed(&rt->procs) : gos__procs_setting());
    if (n > 0)
        gos__store_relaxed(&gos__procs_asked, procs_allowed((uint32_t)n));
    uint32_t served = 0;
    gos__task request = { .waiter.elem = &served };
    bool wait = rt && n > 0;
    if (wait)
        request_procs(rt, &request, n);
    gos__spin_unlock(&gos__rt_lock);
    while (wait && !gos__load_acquire(&served))
        gos__futex_wait(&served, 0, INT64_MAX);
    return wait ? request.result : former;
}

long gos__tasks_of(const gos__runtime *rt)
{
    /* Who has ended counts before who was started: each of the former is among the latter, so that it is never too few,
     * and the caller, if it is a task, at least one. */
    int64_t n = 0;
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
        n -= gos__load_acquire(&rt->workers[i]->ended); /* pairs with the release in gos__exit, exit_slowly */
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
        n += gos__load_relaxed(&rt->workers[i]->spawned);
    return (long)(n + gos__load_relaxed(&rt->foreign_spawned));
}

long gos__ntasks(void)
{
    if (gos__self.worker)
        return gos__tasks_of(gos__rt);
    gos__spin_lock(&gos__rt_lock); /* the workers do not go meanwhile */
    long n = gos__rt ? gos__tasks_of(gos__rt) : 0;
    gos__spin_unlock(&gos__rt_lock);
    return n;
}

int64_t gos__now(void)
{
    return gos__own_clock();
}

_Noreturn void gos__outside(const char *name)
{
    gos__fatal("%s called outside a task", name);
}
