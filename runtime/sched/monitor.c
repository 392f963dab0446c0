/*
 * monitor.c: the thread that watches the workers. It runs no tasks: it is the thread that called gos_run, which has
 * nothing else to do. Asleep without a deadline while all workers are idle.
 */
#include "base/check.h"
#include "os/os.h"
#include "sched/worker.h"

/* A task may run this long while others wait (Go's slice as well). */
#define SLICE_NS 10000000

#define LOOK_NS 2000000

void gos__preempt(gos__worker *worker)
{
    gos__thread *thread = worker->thread;
    if (!thread)
        return;
    /* In this order: gos__resume writes the word and then reads `preempt`. */
    gos__store_relaxed(&thread->preempt, 1u);
    gos__store_release(thread->limit_word, (uintptr_t)GOS_POISON);
}

static bool others_wait(const gos__runtime *rt, const gos__worker *worker)
{
    return gos__queue_length(worker) || gos__load_relaxed(&rt->shared_n) || worker->quit;
}

static void look_at(gos__runtime *rt, gos__worker *worker, int64_t now)
{
    uint32_t tick = gos__load_relaxed(&worker->tick);
    if (tick != worker->seen_tick || !worker->seen_since) {
        worker->seen_tick = tick;
        worker->seen_since = now;
        return;
    }
    if (!others_wait(rt, worker))
        return;
    /* It stays on one task while others wait: somebody idle may take them, whatever wake-ups were rationed. */
    if (gos__load_relaxed(&rt->idle_n)) {
        gos__wake_one(NULL);
    }
    if (now - worker->seen_since >= SLICE_NS && gos__spin_trylock(&worker->lock)) {
        gos__preempt(worker); /* under the lock, so that the thread does not end meanwhile */
        gos__spin_unlock(&worker->lock);
    }
}

/* Brings the number of workers to n. Waits for tasks that are in a system call or loop on a worker that goes. */
static void change_procs(gos__runtime *rt, uint32_t n)
{
    for (uint32_t i = rt->procs; i < n; i++) {
        if (i == rt->made) {
            gos__worker *worker = gos__worker_new(i);
            if (!worker)
                return;
            rt->workers[i] = worker;
            gos__store_release(&rt->made, i + 1);
        }
        if (gos__start_worker(rt->workers[i])) {
            gos__warn("only %u workers: the system refuses another thread", i);
            return;
        }
        gos__store_relaxed(&rt->procs, i + 1);
    }
    if (n >= rt->procs)
        return;
    uint32_t former = rt->procs;
    gos__store_relaxed(&rt->procs, n);
    for (uint32_t i = n; i < former; i++)
        gos__worker_stop(rt->workers[i], INT64_MAX);
}

static void serve_requests(gos__runtime *rt)
{
    while (gos__load_relaxed(&rt->procs_requests)) {
        gos__spin_lock(&rt->lock);
        gos__task *task = rt->procs_requests;
        rt->procs_requests = task->next;
        gos__spin_unlock(&rt->lock);
        uint32_t former = rt->procs;
        change_procs(rt, (uint32_t)task->result);
        task->result = (int32_t)former;
        uint32_t *served = task->waiter.elem;
        if (served) { /* a foreign thread, on its futex */
            gos__store_release(served, 1u);
            gos__futex_wake(served, 1);
        } else {
            gos__ready(task, false);
        }
    }
}

void gos__monitor(gos__runtime *rt)
{
    while (!gos__load_acquire(&rt->done)) {
        serve_requests(rt);
        if (gos__load_relaxed(&rt->idle_n) >= rt->procs) {
            gos__exchange_seq(&rt->monitor, 1u);
            /* A worker that left its sleep before it could see the word is seen here. */
            if (gos__load_relaxed(&rt->idle_n) >= rt->procs && !gos__load_relaxed(&rt->procs_requests) && !gos__load_acquire(&rt->done))
                gos__futex_wait(&rt->monitor, 1, INT64_MAX);
            gos__store_relaxed(&rt->monitor, 0u);
            continue;
        }
        int64_t now = gos__clock_ns();
        for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
            look_at(rt, rt->workers[i], now);
        gos__futex_wait(&rt->done, 0, now + LOOK_NS);
    }
}
