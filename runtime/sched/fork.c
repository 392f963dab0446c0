/*
 * fork.c: what a child process makes of the runtime that it has a copy of.
 *
 * A child has one thread, the one that called fork: of the tasks only that one goes on. Nothing is done for it until it
 * needs the runtime, since most children call exec: its thread is marked as one that lost its worker, and at its next
 * door it gets a new one, in a run of its own with a monitor of its own. Until then its system calls touch nothing that
 * it shares with the parent; of the descriptors that the runtime has there, it closes its copies.
 *
 * The pool of stacks is copied as it is: its locks are held across the fork. Everything else begins anew; what other
 * threads had at hand is lost. When the task ends that called fork, and all that it started, the child ends; with the
 * main function's result if that was it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/cold.h"
#include "sched/interrupt.h"
#include "sched/lot.h"
#include "sched/netpoll.h"
#include "sched/task.h"
#include "sched/trace.h"
#include "sched/worker.h"
#include "stack/cold.h"

uint32_t gos__fork_pending;

/* Of the thread that forks, which holds gos__rt_lock. A handler of the program may enter the runtime, and wait there
 * for what this thread holds. */
static uint64_t mask_before;

static void before(void)
{
    uint64_t mask = gos__signals_block();
    gos__spin_lock(&gos__rt_lock);
    mask_before = mask;
    gos__cold_before_fork();
    gos__stacks_lock();
}

static void after_in_parent(void)
{
    uint64_t mask = mask_before;
    gos__stacks_unlock();
    gos__cold_after_fork();
    gos__spin_unlock(&gos__rt_lock);
    gos__signals_restore(mask);
}

/* Forked by a thread that is no task: it has no runtime, and may start one. */
static void without_task(void)
{
    gos__fork_pending = 0;
    gos__trace_forked();
    gos__onlooker_forked();
    gos__netpoll_forked();
    gos__lot_forked();
    gos__interrupt_forget();
    gos__foreign_reset();
    gos__stacks_close(true);
    gos__store_release(&gos__rt, NULL);
    gos__run_forked();
}

static void set_up_child(void)
{
    gos__cold_in_child();
    gos__stacks_unlock();
    gos__spin_forget_all();
    gos__rt_lock = 0;
    gos__thread *self = &gos__self;
    if (!gos__rt) {
        gos__run_forked(); /* one that another thread is just beginning or ending stays in the parent */
        return;
    }
    if (!self->task || self->in_runtime) {
        without_task();
        return;
    }
    self->tid = gos__thread_id();
    gos__lot_n = 0;
    self->locked = GOS_FORKED;
    gos__trace_forked();
    gos__fork_pending = !gos__cold_now; /* else its closes must spare what puts packed stacks back */
}

static void after_in_child(void)
{
    set_up_child();
    gos__signals_restore(mask_before);
}

static bool is_prepared;

/* Before there are other threads: one that forks while the first run begins would else have a child in which nobody saw
 * to what that run was at. And before the program's own handlers, which so come first, without our locks. */
__attribute__((constructor)) static void prepare(void)
{
    is_prepared = !pthread_atfork(before, after_in_parent, after_in_child);
}

int gos__fork_prepare(void)
{
    if (!is_prepared)
        prepare(); /* there was no memory, then */
    return is_prepared ? 0 : -ENOMEM;
}

static void *monitor_main(void *arg)
{
    gos__runtime *rt = arg;
    gos__timer_slack(1);
    gos__self.in_runtime = 1;
    gos__monitor(rt);
    exit(rt->result);
}

/* On the system stack of the child's only thread, at a door. */
void gos__fork_revive(void)
{
    gos__runtime *rt = gos__rt;
    gos__thread *self = &gos__self;
    gos__fork_pending = 0;
    gos__membarrier_forked();
    gos__onlooker_forked();
    gos__netpoll_forked();
    gos__lot_forked();
    gos__interrupt_forget();
    gos__foreign_reset();
    /* In place: this thread's own frames further up know the run by its address. */
    *rt = (gos__runtime){ .fn = rt->fn, .arg = rt->arg, .began = rt->began, .procs = 1, .made = 1, .threads_n = 1,
                          .threads_peak = 1, .is_child = 1 };
    gos__worker *worker = gos__worker_new(0);
    if (!worker)
        gos__die("fatal error: fork: no memory for the child's worker");
    rt->workers[0] = worker;
    worker->left = 0;
    worker->spawned = 1;
    worker->periodic_at = worker->tick + GOS_SHARED_PERIOD;
    worker->wake_credit = gos__wake_credit();
    self->awaits_turn = self->keeps_worker = self->blocking = self->bound = self->futex = 0;
    self->status_fd = -1;
    self->next = self->pinned_next = NULL;
    self->listed = self->pinned_task;
    self->pin_slot = NULL;
    rt->pinned = self->listed ? self : NULL;
    gos__trace_open(&rt->outside);
    gos__thread_tie(worker, self);
    gos__trace_begin(worker);
    gos__main_is(self->task);
    self->locked = GOS_UNLOCKED;
    pthread_t monitor;
    int failed = pthread_create(&monitor, NULL, monitor_main, rt);
    if (failed)
        gos__die("fatal error: fork: the child's runtime gets no thread (error %d)", failed);
    pthread_detach(monitor);
}
