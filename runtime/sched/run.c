/*
 * run.c: the beginning and the end of a run, and workers that go out of use (tests/model/retire.pml).
 *
 *     who takes a worker out of use: its thread,      an heir: worker 0 at its `attention`, or whoever has no work
 *     or the monitor, which holds it (T1-T5)          V1  take retired_lock; for each worker in the list:
 *     U1  has it timers, alarms, or some that         V2    take its worker->lock, which holds it without a thread
 *         were given back to it? none: U4             V3    its timers and alarms become the own (timer.c, W4)
 *     U2  into `retired`, under retired_lock          V4    what was given back to it is given back again (W1)
 *     U3  wake worker 0
 *     U4  no thread any more, under worker->lock      the monitor, which takes the worker into use again
 *     U5  left = 1                                    V5  out of `retired`, if it is still there, under retired_lock;
 *                                                         then a new thread, which ties it under worker->lock
 *
 * Locks are taken in the order of a worker->lock at U1, retired_lock, worker->lock of one in the list or of worker 0.
 */
#include <errno.h>
#include <stdlib.h>

#include "arch/ctx.h"
#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "sched/cold.h"
#include "sched/interrupt.h"
#include "sched/lot.h"
#include "sched/netpoll.h"
#include "sched/seed.h"
#include "sched/task.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* How long the end of a run waits for tasks that are inside a system call or a loop, before it abandons them. */
#define GRACE_NS 100000000

static uint32_t active; /* 1: a run exists */

/* The last run's, for the next one: a signal handler that came late may still look at it (gos__monitor_poke). */
static gos__runtime *kept;

uint32_t gos__procs_asked;
gos__spin gos__rt_lock;

gos__worker *gos__worker_new(uint32_t index)
{
    gos__worker *worker = aligned_alloc(GOS_FALSE_SHARING, sizeof *worker);
    if (!worker)
        return NULL;
    static uint32_t tags;
    *worker = (gos__worker){
        .tag = gos__add_relaxed(&tags, 1u) + 1, .index = index, .left = 1,
        .rng = { .state = gos__seed_of_worker(index) },
    };
    gos__timers_init(&worker->timers);
    gos__trace_open(&worker->trace);
    return worker;
}

static void worker_free(gos__worker *worker)
{
    gos__ring_close(&worker->trace.ring);
    free(worker);
}

/* U2, U3: the timers wait for an heir. The first worker is never out of use. */
static void bequeath_timers(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__worker *heir = rt->workers[0];
    gos__spin_lock(&rt->retired_lock);
    worker->next_retired = rt->retired;
    gos__store_relaxed(&rt->retired, worker);
    gos__spin_unlock(&rt->retired_lock);
    gos__call_attention(heir);
    gos__spin_lock(&heir->lock);
    if (heir->thread)
        gos__thread_wake(heir->thread);
    gos__spin_unlock(&heir->lock);
}

void gos__inherit(gos__worker *heir)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->retired_lock); /* V1 */
    while (rt->retired) {
        gos__worker *worker = rt->retired;
        gos__store_relaxed(&rt->retired, worker->next_retired);
        gos__spin_lock(&worker->lock); /* V2: somebody may be stealing its timers */
        gos__timers_hand_on(worker, heir);
        gos__spin_unlock(&worker->lock);
    }
    gos__spin_unlock(&rt->retired_lock);
    heir->periodic_at = heir->tick + 1;
}

/* V5: a worker that comes into use again keeps what nobody has inherited. */
static void take_back_bequest(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__spin_lock(&rt->retired_lock);
    for (gos__worker **at = &rt->retired; *at; at = &(*at)->next_retired)
        if (*at == worker) {
            gos__store_relaxed(at, worker->next_retired);
            break;
        }
    gos__spin_unlock(&rt->retired_lock);
}

void gos__worker_clear(gos__worker *worker)
{
    gos__store_relaxed(&worker->gathered, 0u);
    gos__queue_give_up(worker);
    gos__stack_cache_flush(&worker->stacks);
    if (gos__timers_any(worker)) /* U1 */
        bequeath_timers(worker);
}

void gos__worker_left(gos__worker *worker)
{
    gos__store_release(&worker->left, 1u); /* U5 */
    gos__futex_wake(&worker->left, 1);
    gos__wake_one(NULL);
}

void gos__retire(gos__worker *worker)
{
    if (gos__load_relaxed(&gos__rt->stopping)) {
        gos__worker_detach(worker);
        return;
    }
    gos__spares_flush(&worker->stacks);
    gos__worker_clear(worker);
    gos__worker_detach(worker); /* U4 */
    gos__worker_left(worker);
}

int gos__worker_start(gos__worker *worker)
{
    take_back_bequest(worker);
    gos__store_relaxed(&worker->quit, 0u);
    gos__store_relaxed(&worker->attention, 0u);
    worker->periodic_at = worker->tick + (gos__is_seeded() ? 1 : GOS_SHARED_PERIOD);
    gos__store_relaxed(&worker->left, 0u);
    gos__trace_begin(worker);
    worker->wake_credit = gos__wake_credit();
    gos__store_relaxed(&worker->seen_since, (int64_t)0);
    int failed = gos__thread_start(worker);
    if (failed)
        gos__store_relaxed(&worker->left, 1u);
    return failed;
}

static gos__runtime *runtime_new(int (*fn)(void *), void *arg)
{
    gos__runtime *rt = kept ? kept : aligned_alloc(GOS_FALSE_SHARING, sizeof *rt);
    if (!rt)
        return NULL;
    kept = NULL;
    uint32_t procs = gos__procs_setting();
    if (!gos__membarrier_works() && procs > 1) {
        static bool said;
        if (!said)
            gos__warn("the kernel refuses membarrier(2), which several workers need to be quick: running with one");
        said = true;
        procs = 1;
    }
    *rt = (gos__runtime){ .fn = fn, .arg = arg, .procs = procs, .began = gos__clock_ns() };
    gos__store_relaxed(&gos__half_seconds, (uint16_t)0);
    return rt;
}

/* Puts the main task into the first worker's queue, and all threads on their way. */
static int launch(gos__runtime *rt)
{
    gos__fd_room();
    for (uint32_t i = 0; i < rt->procs; i++) {
        rt->workers[i] = gos__worker_new(i);
        if (!rt->workers[i] && i) {
            gos__warn("only %u of %u workers: no memory for another", i, rt->procs);
            rt->procs = i;
            break;
        }
        if (!rt->workers[i])
            return -ENOMEM;
        if (!i) {
            void (*main)(void *) = (void (*)(void *))(uintptr_t)rt->fn;
            gos__task *task = gos__task_new(rt->workers[0], gos__main_start, main, rt->arg, 0);
            if (!task) {
                worker_free(rt->workers[0]);
                return -ENOMEM;
            }
            gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
            gos__main_is(task);
            gos__push_back(rt->workers[0], task);
        }
        gos__store_release(&rt->made, i + 1);
    }
    for (uint32_t i = 0; i < rt->made; i++) {
        int failed = gos__worker_start(rt->workers[i]);
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

static bool stop(gos__runtime *rt)
{
    gos__store_release(&rt->stopping, 1u);
    for (uint32_t i = 0; i < rt->made; i++) {
        gos__store_release(&rt->workers[i]->quit, 1u);
        gos__call_attention(rt->workers[i]);
    }
    return gos__threads_stop(rt, gos__clock_ns() + GRACE_NS);
}

static void print_stats(const gos__runtime *rt)
{
    int64_t spawned = rt->foreign_spawned, borrows = 0, large = 0, extensions = 0, steals = 0, stolen = 0, wakes = 0;
    int64_t larger = rt->foreign_larger, gathered = 0, waits[GOS_STATS_WAITS] = { 0 }, counted = 0;
    for (uint32_t i = 0; i < rt->made; i++) {
        const gos__worker *worker = rt->workers[i];
        spawned += worker->spawned;
        borrows += worker->stacks.borrows;
        large += worker->stacks.large_borrows;
        extensions += worker->stacks.extensions;
        steals += worker->steals;
        stolen += worker->stolen_tasks;
        wakes += worker->wakes;
        larger += worker->sizing.larger;
        gathered += worker->gathering.n;
        gos__waits_add(worker, waits);
    }
    for (int i = 0; i < GOS_STATS_WAITS; i++)
        counted += waits[i];
    gos__warn("stats: tasks started %lld, steals %lld of %lld tasks, wake-ups %lld, slow borrows %lld (large %lld), "
              "limits lowered %lld, larger nurseries %lld, gathered %lld, hand-offs %lld, threads at most %u, "
              "abandoned %lld",
              (long long)spawned, (long long)steals, (long long)stolen, (long long)wakes, (long long)borrows,
              (long long)large, (long long)extensions, (long long)larger, (long long)gathered,
              (long long)rt->handoffs, rt->threads_peak, (long long)rt->abandoned);
    gos__warn("stats: ready before they ran, of %lld: half below %lld ns, 99 %% below %lld ns, all below %lld ns",
              (long long)counted, (long long)gos__waits_below(waits, 50), (long long)gos__waits_below(waits, 99),
              (long long)gos__waits_below(waits, 100));
    if (gos__vm_guard_is_mapping())
        gos__warn("stats: this kernel has no MADV_GUARD_INSTALL (Linux 6.13): each guard takes two mappings");
    if (gos__poll_is_coarse())
        gos__warn("stats: this kernel refuses epoll_pwait2 (Linux 5.11): sleeps may end up to 1 ms late");
}

/* The end of a run. What an abandoned thread may still touch stays where it is for ever. */
static void dismantle(gos__runtime *rt, bool all_left)
{
    gos__cold_end(!all_left);
    gos__stacks_close(!all_left);
    gos__foreign_reset();
    if (!all_left)
        return;
    for (uint32_t i = 0; i < rt->made; i++)
        worker_free(rt->workers[i]);
    gos__ring_close(&rt->outside.ring);
    kept = rt;
}

void gos__run_forked(void)
{
    active = 0;
}

/* Threads that were left behind hold their workers; who wants one now, from outside of the run, gets it. */
static void take_from_abandoned(gos__runtime *rt)
{
    for (uint32_t i = 0; i < rt->made; i++) {
        gos__spin_lock(&rt->workers[i]->lock);
        rt->workers[i]->thread = NULL;
        gos__spin_unlock(&rt->workers[i]->lock);
    }
}

/* Under the lock that a fork takes, as in gos__procs_foreign; no handler forks on this thread meanwhile. */
static void read_cpus(void)
{
    uint64_t mask = gos__signals_block();
    gos__spin_lock(&gos__rt_lock);
    gos__cpus_read();
    gos__spin_unlock(&gos__rt_lock);
    gos__signals_restore(mask);
}

static int run(int (*fn)(void *), void *arg)
{
    if (gos__self.worker || gos__exchange_seq(&active, 1u))
        return -EBUSY;
    gos__env_get();
    int failed = gos__fork_prepare();
    read_cpus();
    failed = failed ? failed : gos__stacks_open();
    gos__runtime *rt = failed ? NULL : runtime_new(fn, arg);
    if (!rt) {
        if (!failed)
            gos__stacks_close(false);
        gos__store_release(&active, 0u);
        return -ENOMEM;
    }
    gos__seed_begin();
    gos__store_release(&gos__rt, rt);
    gos__fault_install(gos__stack_explain_fault);
    gos__self.in_runtime = 1; /* for what a signal handler may do on this thread: sched/lot.h */
    gos__handlers_to_signal_stacks();
    gos__cold_start();
    gos__inspect_begin();
    gos__watch_begin();
    gos__trace_run_begins();
    failed = launch(rt);
    int64_t slack = rt->slack = gos__timer_slack(1);
    if (!failed)
        gos__monitor(rt);
    gos__timer_slack(slack);
    bool all_left = stop(rt);
    gos__onlooker_end();
    gos__inspect_end();
    gos__watch_end();
    gos__trace_run_ends();
    gos__self.in_runtime = 0;
    gos__fault_restore();
    if (gos__env_get()->stats)
        print_stats(rt);
    int result = failed ? failed : rt->result;
    if (!all_left)
        take_from_abandoned(rt);
    gos__contexts_run_ends();
    gos__spin_lock(&gos__rt_lock); /* foreign threads that are inside go first */
    gos__netpoll_close();
    gos__lot_close();
    gos__interrupt_forget();
    for (uint32_t i = 0; i < rt->made; i++)
        gos__timers_close(rt->workers[i]);
    gos__procs_end(rt);
    gos__store_release(&gos__rt, NULL);
    gos__spin_unlock(&gos__rt_lock);
    dismantle(rt, all_left);
    gos__seed_end();
    gos__store_release(&active, 0u);
    return result;
}

int gos__run(int (*fn)(void *), void *arg)
{
    gos__require(fn != NULL, "gos_run: fn is NULL");
    int error = errno; /* files of the system that are missing set it */
    int result = run(fn, arg);
    errno = error;
    return result;
}
