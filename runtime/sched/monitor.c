/*
 * monitor.c: the thread that watches the workers. It runs no tasks: it is the thread that called gos_run, which has
 * nothing else to do. Asleep without a deadline while all workers are idle.
 */
#include "base/check.h"
#include "os/os.h"
#include "sched/netpoll.h"
#include "sched/worker.h"

/* A task may run this long while others wait (Go's slice as well). */
#define SLICE_NS 10000000

/* Descriptors are looked at this often even if all workers are busy with single tasks. */
#define POLL_NS 5000000

/* Looks follow each other at the short interval while some worker with others waiting stays on one task, then ever
 * more slowly up to the long one. */
#define SHORT_LOOK_NS 20000
#define LONG_LOOK_NS 1000000

/* How long it remembers that searches for work were in vain. */
#define FORGET_NS 10000000

void gos__preempt(gos__thread *thread)
{
    /* In this order: gos__resume writes the word and then reads `preempt`. */
    gos__store_relaxed(&thread->preempt, 1u);
    gos__store_release(thread->limit_word, (uintptr_t)GOS_POISON);
}

static bool others_wait(const gos__runtime *rt, const gos__worker *worker)
{
    return gos__queue_length(worker) || gos__load_relaxed(&rt->shared_n) || gos__load_relaxed(&rt->returning_n) ||
           worker->timers.n || worker->quit;
}

/*
 * Whether the worker's thread is blocked in the kernel. The answer takes a file descriptor for a moment, which a
 * program may notice, so it is asked for only when the thread has used no processor time since the last look.
 */
static bool is_blocked(gos__worker *worker)
{
    bool blocked = false;
    gos__spin_lock(&worker->lock); /* so that the thread does not end meanwhile */
    gos__thread *thread = worker->thread;
    if (thread && !gos__load_relaxed(&thread->in_runtime)) {
        int64_t cpu = gos__thread_cpu_ns(thread->tid);
        blocked = gos__load_relaxed(&thread->blocking) || (cpu == worker->seen_cpu && gos__thread_blocked(thread->tid));
        worker->seen_cpu = cpu;
    }
    gos__spin_unlock(&worker->lock);
    return blocked;
}

/* True: this worker stays on one task while others wait. */
static bool look_at(gos__runtime *rt, gos__worker *worker, int64_t now)
{
    if (gos__load_acquire(&worker->orphan))
        gos__adopt(worker);
    uint32_t tick = gos__load_relaxed(&worker->tick);
    if (tick != worker->seen_tick || !worker->seen_since) {
        worker->seen_tick = tick;
        worker->seen_since = now;
        if (others_wait(rt, worker))
            is_blocked(worker); /* for its processor time */
        return false;
    }
    if (gos__load_relaxed(&worker->left) || !others_wait(rt, worker))
        return false;
    /* Somebody idle may take them, whatever wake-ups were rationed. */
    if (gos__load_relaxed(&rt->idle_n))
        gos__wake_one(NULL);
    if (is_blocked(worker)) {
        gos__hand_off(worker);
    } else if (now - worker->seen_since >= SLICE_NS && gos__spin_trylock(&worker->lock)) {
        if (worker->thread)
            gos__preempt(worker->thread); /* under the lock, so that the thread does not end meanwhile */
        gos__spin_unlock(&worker->lock);
    }
    return true;
}

static bool look_at_all(gos__runtime *rt, int64_t now)
{
    bool stuck = false;
    for (uint32_t i = 0; i < rt->made; i++)
        stuck |= look_at(rt, rt->workers[i], now);
    return stuck;
}

/* Puts a worker out of use and waits until it is, looking after the others meanwhile. */
static void worker_stop(gos__runtime *rt, gos__worker *worker)
{
    gos__store_release(&worker->quit, 1u);
    gos__call_attention(worker);
    while (!gos__load_acquire(&worker->left) && !gos__load_acquire(&rt->done)) {
        gos__spin_lock(&worker->lock);
        if (worker->thread) {
            gos__preempt(worker->thread);
            gos__thread_wake(worker->thread);
        }
        gos__spin_unlock(&worker->lock);
        gos__futex_wait(&worker->left, 0, gos__clock_ns() + LONG_LOOK_NS);
        look_at_all(rt, gos__clock_ns());
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
        if (gos__worker_start(rt->workers[i])) {
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
        worker_stop(rt, rt->workers[i]);
}

static void answer(gos__task *task, uint32_t former)
{
    uint32_t *served = task->waiter.elem;
    task->result = (int32_t)former;
    if (served) { /* a foreign thread, on its futex */
        gos__store_release(served, 1u);
        gos__futex_wake(served, 1);
    } else {
        gos__ready(task, false);
    }
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
        answer(task, former);
    }
}

/* At the end of the run: a foreign thread does not wait for what will not be done. */
void gos__procs_end(gos__runtime *rt)
{
    for (gos__task *task = rt->procs_requests; task;) {
        gos__task *next = task->next;
        if (task->waiter.elem)
            answer(task, rt->procs);
        task = next;
    }
}

/* Tasks wait for descriptors and nobody sleeps as the poller: an idle worker shall, and if all are busy and none finds
 * the time to look, the monitor does. */
static void look_at_descriptors(gos__runtime *rt, int64_t now)
{
    if (gos__load_relaxed(&rt->idle_n))
        gos__wake_one(NULL);
    else if (now - gos__load_relaxed(&gos__netpoll_last) >= POLL_NS)
        gos__netpoll();
}

/* Asleep until a worker leaves its own sleep. */
static void sleep_with_workers(gos__runtime *rt)
{
    gos__exchange_seq(&rt->monitor, 1u);
    /* A worker that left its sleep before it could see the word is seen here. */
    if (gos__load_relaxed(&rt->idle_n) >= rt->procs && !gos__load_relaxed(&rt->procs_requests) &&
        !gos__load_acquire(&rt->done))
        gos__futex_wait(&rt->monitor, 1, INT64_MAX);
    gos__store_relaxed(&rt->monitor, 0u);
}

void gos__monitor(gos__runtime *rt)
{
    int64_t interval = SHORT_LOOK_NS, forget_at = 0;
    uint32_t quiet = 0;
    while (!gos__load_acquire(&rt->done)) {
        serve_requests(rt);
        if (gos__load_relaxed(&rt->idle_n) >= rt->procs) {
            sleep_with_workers(rt);
            interval = SHORT_LOOK_NS;
            continue;
        }
        int64_t now = gos__clock_ns();
        if (now >= forget_at) {
            gos__store_relaxed(&rt->fruitless, 0u);
            forget_at = now + FORGET_NS;
        }
        if (gos__netpoll_alone())
            look_at_descriptors(rt, now);
        bool stuck = look_at_all(rt, now);
        quiet = stuck ? 0 : quiet + 1;
        interval = quiet < 50 ? SHORT_LOOK_NS : interval * 2 < LONG_LOOK_NS ? interval * 2 : LONG_LOOK_NS;
        gos__futex_wait(&rt->done, 0, now + interval);
    }
}
