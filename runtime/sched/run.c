/* run.c: the beginning and the end of a run, and of its worker threads. */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "arch/ctx.h"
#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/worker.h"

/* How long the end of a run waits for tasks that are inside a system call or a loop, before it abandons them. */
#define GRACE_NS 100000000

static uint32_t active; /* 1: a run exists */

uint32_t gos__procs_asked;
gos__spin gos__rt_lock;

gos__worker *gos__worker_new(uint32_t index)
{
    gos__worker *worker = aligned_alloc(GOS_FALSE_SHARING, sizeof *worker);
    if (!worker)
        return NULL;
    *worker = (gos__worker){ .index = index, .left = 1, .rng = { .state = 0x676f7373u + index } };
    return worker;
}

/* The part of a thread that ends holds nothing of the worker any more. */
static void hand_on_timers(gos__worker *worker)
{
    for (uint32_t i = 0; worker->timers_n; i = (i + 1) % gos__rt->procs) {
        gos__worker *heir = gos__rt->workers[i];
        if (heir == worker || gos__load_relaxed(&heir->left) || !gos__worker_lock(heir))
            continue;
        while (worker->timers_n) {
            gos__timer *timer = &worker->timers[worker->timers_n - 1];
            if (!gos__timer_add(heir, timer->when, timer->task))
                gos__die("fatal error: no memory for %u timers", heir->timers_n);
            worker->timers_n--;
        }
        gos__worker_unlock(heir);
        gos__store_release(&heir->futex, 1u); /* its sleep may now be too long */
        gos__futex_wake(&heir->futex, 1);
    }
}

void gos__retire(gos__worker *worker)
{
    if (gos__load_relaxed(&gos__rt->stopping))
        return;
    while (worker->front != worker->back) {
        gos__task *task = worker->queue[worker->front++ & (GOS_QUEUE_SIZE - 1)];
        gos__shared_push(task, task, 1);
    }
    hand_on_timers(worker);
    if (gos__self.spare) {
        gos__region_free(&worker->stacks, gos__self.spare);
        gos__self.spare = NULL;
    }
    gos__stack_cache_flush(&worker->stacks);
    gos__wake_one(NULL);
}

static uintptr_t *limit_word(void)
{
    char *self;
    __asm__("movq %%fs:0, %0" : "=r"(self));
    return (uintptr_t *)(self + GOS_LIMIT_WORD);
}

static void *thread_main(void *arg)
{
    gos__worker *worker = arg;
    gos__runtime *rt = gos__rt;
    if (!gos__env_get()->nobind && rt->procs > 1)
        gos__cpu_bind((int)worker->index);
    prctl(PR_SET_TIMERSLACK, 1ul); /* sleeps are for tasks: the default slack of 50 us would be theirs */
    size_t size;
    void *signals = gos__signal_stack_alloc(&size);
    if (signals)
        gos__signal_stack(signals, size);
    gos__self = (gos__thread){ .in_runtime = 1, .worker = worker, .cache = &worker->stacks, .limit_word = limit_word() };
    gos__spin_lock(&worker->lock);
    worker->thread = &gos__self;
    gos__spin_unlock(&worker->lock);

    gos__task *task = gos__next(worker);
    if (task)
        gos__enter(task);

    gos__spin_lock(&worker->lock);
    worker->thread = NULL;
    gos__spin_unlock(&worker->lock);
    gos__self.in_runtime = 0;
    gos__self.worker = NULL;
    if (signals) {
        gos__signal_stack(NULL, 0);
        gos__signal_stack_free(signals);
    }
    gos__store_release(&worker->left, 1u);
    gos__futex_wake(&worker->left, 1);
    return NULL;
}

int gos__start_worker(gos__worker *worker)
{
    worker->quit = 0;
    worker->left = 0;
    worker->wake_credit = 4;
    worker->seen_since = 0;
    /* Signals are for the program's own threads, unless a task asks for them. */
    int failed = pthread_create(&worker->pthread, NULL, thread_main, worker);
    if (failed)
        worker->left = 1;
    return -failed;
}

static gos__runtime *runtime_new(int (*fn)(void *), void *arg)
{
    gos__runtime *rt = aligned_alloc(GOS_FALSE_SHARING, sizeof *rt);
    if (!rt)
        return NULL;
    const gos__env *env = gos__env_get();
    uint32_t procs = gos__load_relaxed(&gos__procs_asked);
    if (!procs)
        procs = (uint32_t)(env->procs ? env->procs : gos__cpu_count());
    if (!gos__membarrier_works() && procs > 1) {
        gos__warn("the kernel refuses membarrier(2): running with one worker");
        procs = 1;
    }
    *rt = (gos__runtime){ .fn = fn, .arg = arg, .procs = procs };
    return rt;
}

/* Puts the main task into the first worker's queue, and all threads on their way. */
static int launch(gos__runtime *rt)
{
    for (uint32_t i = 0; i < rt->procs; i++) {
        rt->workers[i] = gos__worker_new(i);
        if (!rt->workers[i])
            return i ? 0 : -ENOMEM;
        if (!i) {
            gos__task *task = gos__task_new(rt->workers[0], gos__main_start, (void (*)(void *))(uintptr_t)rt->fn, rt->arg);
            if (!task)
                return -ENOMEM;
            task->state = GOS_READY;
            gos__push_back(rt->workers[0], task);
        }
        gos__store_release(&rt->made, i + 1);
    }
    for (uint32_t i = 0; i < rt->made; i++) {
        int failed = gos__start_worker(rt->workers[i]);
        if (failed && !i)
            return failed;
        if (failed) {
            gos__warn("only %u of %u worker threads could be started: %s", i, rt->procs,
                      failed == -EAGAIN ? "pids or memory limit" : "no permission");
            rt->procs = i;
            return 0;
        }
    }
    return 0;
}

/* Bars the worker's thread from the runtime for good, wherever it is; false: it is in the runtime just now, and about
 * to leave by itself. */
static bool abandon(gos__worker *worker)
{
    if (!gos__worker_lock(worker))
        return false;
    if (!worker->thread) {
        gos__worker_unlock(worker);
        return false;
    }
    gos__store_release(&worker->thread->locked, (uint32_t)GOS_ABANDONED);
    pthread_detach(worker->pthread);
    gos__rt->abandoned++;
    return true;
}

bool gos__worker_stop(gos__worker *worker, int64_t deadline)
{
    gos__store_release(&worker->quit, 1u);
    gos__store_release(&worker->futex, 1u);
    gos__futex_wake(&worker->futex, 1);
    while (!gos__load_acquire(&worker->left)) {
        gos__spin_lock(&worker->lock);
        gos__preempt(worker);
        gos__spin_unlock(&worker->lock);
        if (gos__clock_ns() >= deadline && abandon(worker))
            return false;
        gos__futex_wait(&worker->left, 0, gos__clock_ns() + 1000000);
    }
    pthread_join(worker->pthread, NULL);
    return true;
}

/* Ends all workers; false: some are still inside a system call or a loop of the program and are abandoned. */
static bool stop(gos__runtime *rt)
{
    gos__store_release(&rt->stopping, 1u);
    for (uint32_t i = 0; i < rt->made; i++)
        gos__store_release(&rt->workers[i]->quit, 1u);
    int64_t deadline = gos__clock_ns() + GRACE_NS;
    bool all = true;
    for (uint32_t i = 0; i < rt->made; i++)
        if (i < rt->procs && !gos__worker_stop(rt->workers[i], deadline))
            all = false;
    return all;
}

static void print_stats(const gos__runtime *rt)
{
    int64_t spawned = rt->foreign_spawned, borrows = 0, large = 0, extensions = 0, steals = 0, stolen = 0, wakes = 0;
    for (uint32_t i = 0; i < rt->made; i++) {
        const gos__worker *worker = rt->workers[i];
        spawned += worker->spawned;
        borrows += worker->stacks.borrows;
        large += worker->stacks.large_borrows;
        extensions += worker->stacks.extensions;
        steals += worker->steals;
        stolen += worker->stolen_tasks;
        wakes += worker->wakes;
    }
    gos__warn("stats: tasks started %lld, steals %lld of %lld tasks, wake-ups %lld, slow borrows %lld (large %lld), "
              "limits lowered %lld",
              (long long)spawned, (long long)steals, (long long)stolen, (long long)wakes, (long long)borrows,
              (long long)large, (long long)extensions);
}

/* The end of a run. What an abandoned thread may still touch stays where it is for ever. */
static void dismantle(gos__runtime *rt, bool all_left)
{
    gos__stacks_close(!all_left);
    gos__foreign_reset();
    if (!all_left)
        return;
    for (uint32_t i = 0; i < rt->made; i++) {
        free(rt->workers[i]->timers);
        free(rt->workers[i]);
    }
    free(rt);
}

int gos__run(int (*fn)(void *), void *arg)
{
    if (gos__self.worker || gos__exchange_seq(&active, 1u))
        return -EBUSY;
    gos__env_get();
    int failed = gos__stacks_open();
    gos__runtime *rt = failed ? NULL : runtime_new(fn, arg);
    if (!rt) {
        gos__store_release(&active, 0u);
        return -ENOMEM;
    }
    gos__store_release(&gos__rt, rt);
    gos__fault_install(gos__stack_explain_fault);
    failed = launch(rt);
    if (!failed)
        gos__monitor(rt);
    bool all_left = stop(rt);
    gos__fault_restore();
    if (gos__env_get()->stats)
        print_stats(rt);
    int result = failed ? failed : rt->result;
    gos__spin_lock(&gos__rt_lock); /* foreign threads that are inside go first */
    gos__store_release(&gos__rt, NULL);
    gos__spin_unlock(&gos__rt_lock);
    dismantle(rt, all_left);
    gos__store_release(&active, 0u);
    return result;
}
