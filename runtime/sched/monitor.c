/*
 * monitor.c: the thread that watches the workers. It runs no tasks: it is the thread that called gos_run, which has
 * nothing else to do. Asleep without a deadline while all workers are idle.
 */
#include "base/check.h"
#include "os/os.h"
#include "sched/handoff.h"
#include "sched/interrupt.h"
#include "sched/lot.h"
#include "sched/netpoll.h"
#include "sched/seed.h"
#include "sched/task.h"
#include "sched/trace.h"
#include "sched/trim.h"
#include "sched/worker.h"

/* A task may run this long while others wait (Go's slice as well). */
#define SLICE_NS 10000000

/* A thread that used so much processor time since it was asked to end its slice runs a loop without checked calls, or
 * long in unchecked code: its worker goes to another thread. */
#define HEEDLESS_NS 5000000

/* So long the system may refuse a thread that nothing can go on without. */
#define REFUSED_NS 2000000000

/* Descriptors are looked at this often even if all workers are busy with single tasks. */
#define POLL_NS 5000000

/* Pauses between looks are short while some thread with others waiting stays inside the runtime, while others wait in a
 * program of which a task was found blocked lately, and when a thread with others waiting was away from the processors
 * without having been out of work; else ever longer, up to the long one. On a processor that it shares with a worker
 * each look costs two switches of threads. */
#define SHORT_LOOK_NS 15000
#define LONG_LOOK_NS 4000000
#define LATELY_NS 10000000

/* A slice that is over is asked to end this often, and a worker that goes to stop. */
#define AGAIN_NS 1000000

/* A thread that was away for so long between two looks blocks now and then, or waits for a processor. Where the short
 * pauses that follow find nothing, so it was the latter, twice that is let pass, and so on. */
#define AWAY_NS 50000
#define MOST_DOUBT 5

/* It keeps looking for so long after all workers have gone idle, in case that they are busy again soon: each would
 * have to wake it. */
#define IDLE_NS 50000000

/* How long it remembers that searches for work were in vain, and each suspicion. */
#define FORGET_NS 10000000

uint16_t gos__half_seconds;

void gos__note_time(const gos__runtime *rt)
{
    gos__store_relaxed(&gos__half_seconds, (uint16_t)((gos__clock_ns() - rt->began) / 500000000));
}

void gos__preempt(gos__thread *thread)
{
    /* In this order: gos__resume writes the word and then reads `preempt`. */
    gos__store_relaxed(&thread->preempt, 1u);
    gos__store_release(thread->limit_word, (uintptr_t)GOS_POISON);
}

/* A worker that sleeps wakes for its timers, if a little later. */
static bool others_wait(const gos__runtime *rt, const gos__worker *worker, int64_t now)
{
    return gos__queue_length(worker) || gos__load_relaxed(&rt->shared_n) || gos__load_relaxed(&rt->returning_n) ||
           (gos__load_relaxed(&worker->timers.first) <= now && !gos__load_relaxed(&worker->dozing)) ||
           gos__load_relaxed(&worker->quit) || gos__load_relaxed(&rt->retired);
}

/* What a look found. */
typedef struct findings {
    bool waiting; /* tasks wait behind a running one, which may block */
    bool stuck;   /* and it is the one that ran at the last look, and may be blocked */
    bool suspect; /* and it, or one before it, blocked for a while, or waited for a processor */
    bool blocked; /* a worker was taken from a blocked thread */
    int64_t due;  /* the first timer, or end of a slice, of a worker that stays on one task; or a thread roams */
} findings;

/* STARVED: ready to run, and the kernel lets others run. */
enum conduct { UNKNOWN, RUNS, STARVED, BLOCKED, HEEDLESS };

/* A program that closes what it does not know leaves the descriptor alone, if it is one of its own table, as it does
 * those of netpoll.c. */
int gos__monitor_sees(gos__thread *thread)
{
    int32_t before = thread->status_fd;
    int is_blocked = gos__thread_blocked(thread->tid, &thread->status_fd);
    if (before < 0 && thread->status_fd >= 0 && gos__thread_fds_are_ours())
        gos__fd_own(thread->status_fd, true);
    return is_blocked;
}

void gos__monitor_forgets(gos__thread *thread)
{
    if (thread->status_fd >= 0 && gos__thread_fds_are_ours())
        gos__fd_own(thread->status_fd, false);
    gos__thread_forget(&thread->status_fd);
}

/* An answer holds until the thread has run: what waits for a processor cannot block, and what is blocked stays so, or
 * has just been woken. Where there is none, who has stayed on one task for a slice and not run is taken for blocked. */
static bool is_blocked(gos__worker *worker, gos__thread *thread, bool stays, int64_t cpu, int64_t now)
{
    if (cpu == worker->asked_cpu)
        return worker->was_blocked;
    int seen = gos__monitor_sees(thread);
    if (seen < 0)
        return stays && now - gos__load_relaxed(&worker->seen_since) >= SLICE_NS;
    worker->asked_cpu = cpu ? cpu : -1; /* 0: its clock cannot be read */
    worker->was_blocked = seen;
    return seen;
}

/* For how long, since the last look, its thread had work and no processor. */
static int64_t time_away(const gos__worker *worker, int64_t cpu, int64_t now)
{
    if (!worker->seen_at || cpu <= 0 || gos__load_relaxed(&worker->dozes) != worker->seen_dozes)
        return 0;
    return now - worker->seen_at - (cpu - worker->seen_cpu);
}

/* Whether its thread seems not to run. While it stays on one task the processor time tells; or it has blocked since the
 * last look, or run on and blocked again, and was away for most of the time. */
static bool seems_away(const gos__worker *worker, bool stays, int64_t cpu, int64_t away, int64_t now)
{
    return (stays && cpu == worker->seen_cpu) ||
           (away >= SHORT_LOOK_NS && away >= (now - worker->seen_at) / 2 && !gos__is_seeded());
}

/*
 * What the worker's thread does. `stays`: on the task of the last look. Whether it is blocked in the kernel takes two
 * changes of threads, so it is asked for only when the thread seems not to run.
 */
static enum conduct conduct_of(gos__worker *worker, bool stays, int64_t now, findings *found)
{
    enum conduct conduct = UNKNOWN;
    gos__spin_lock(&worker->lock); /* so that the thread does not end meanwhile */
    gos__thread *thread = worker->thread;
    if (thread && !gos__load_relaxed(&thread->in_runtime)) {
        int64_t cpu = gos__thread_cpu_ns(thread->tid), away = time_away(worker, cpu, now);
        bool seems = seems_away(worker, stays, cpu, away, now);
        if ((stays && gos__says_blocking(thread, worker)) || (seems && is_blocked(worker, thread, stays, cpu, now)))
            conduct = BLOCKED;
        else if (worker->poison_cpu >= 0 && cpu - worker->poison_cpu >= HEEDLESS_NS)
            conduct = HEEDLESS;
        else
            conduct = cpu == worker->seen_cpu ? STARVED : RUNS;
        if (conduct != BLOCKED && (stays || !seems) && away >= AWAY_NS << worker->doubt) {
            found->suspect = true;
            worker->doubt += worker->doubt < MOST_DOUBT;
        }
        worker->seen_cpu = cpu;
        worker->seen_at = now;
        worker->seen_dozes = gos__load_relaxed(&worker->dozes);
        if (worker->slice_cpu < 0)
            worker->slice_cpu = cpu;
    }
    gos__spin_unlock(&worker->lock);
    return conduct;
}

/* A thread that the kernel did not let run for most of the time has not had its slice. */
static bool slice_over(const gos__worker *worker, int64_t now)
{
    if (now - gos__load_relaxed(&worker->seen_since) < SLICE_NS)
        return false;
    return worker->seen_cpu <= 0 || worker->slice_cpu < 0 || worker->seen_cpu - worker->slice_cpu >= SLICE_NS / 2;
}

static void look_by(findings *found, int64_t due)
{
    if (due < found->due)
        found->due = due;
}

/* Asks the running task to yield; again at every look, since the request may meet a stack change. */
static void end_slice(gos__worker *worker)
{
    if (!gos__spin_trylock(&worker->lock))
        return;
    if (worker->thread) {
        gos__store_relaxed(&worker->poison_tick, worker->seen_tick); /* before the poison: gos__preempted */
        gos__preempt(worker->thread); /* under the lock, so that the thread does not end meanwhile */
        if (worker->poison_cpu < 0)
            worker->poison_cpu = worker->seen_cpu;
    }
    gos__spin_unlock(&worker->lock);
}

/* Those in front of its queue have a slice together while they keep the others from having a turn. */
static void look_at_front(gos__worker *worker, int64_t now)
{
    uint32_t reached = gos__load_relaxed(&worker->reached);
    if (reached != worker->seen_reached) {
        worker->seen_reached = reached;
        worker->reached_since = now;
    } else if (now - worker->reached_since >= SLICE_NS) {
        gos__store_relaxed(&worker->front_over, 1u);
    }
}

static void take_from_blocked(gos__worker *worker, findings *found)
{
    if (!gos__hand_off(worker, false))
        return;
    found->blocked = true;
    worker->doubt = 0;
}

static void look_at(gos__runtime *rt, gos__worker *worker, int64_t now, findings *found)
{
    if (gos__load_acquire(&worker->orphan))
        gos__adopt(worker);
    uint32_t tick = gos__load_relaxed(&worker->tick);
    int64_t since = gos__load_relaxed(&worker->seen_since);
    if (tick != worker->seen_tick || !since) {
        worker->seen_tick = tick;
        gos__store_relaxed(&worker->seen_since, now);
        worker->slice_cpu = worker->poison_cpu = -1;
        look_at_front(worker, now);
        if (others_wait(rt, worker, now)) {
            found->waiting = true;
            if (!gos__load_relaxed(&worker->dozing) && conduct_of(worker, false, now, found) == BLOCKED)
                take_from_blocked(worker, found);
        }
        return;
    }
    if (gos__load_relaxed(&worker->left))
        return;
    bool waiting_here = others_wait(rt, worker, now);
    if (!waiting_here) {
        look_by(found, gos__is_seeded() ? INT64_MAX : gos__load_relaxed(&worker->timers.first));
        if (!gos__work_elsewhere(worker))
            return;
    }
    if (gos__load_relaxed(&worker->gathered))
        gos__exchange_seq(&worker->gathered, 0u); /* seq: S2, partner: the membarrier of I2 */
    /* Somebody idle may take them, and overdue timers, whatever wake-ups were rationed. */
    if (gos__load_relaxed(&rt->idle_n))
        gos__wake_one(NULL);
    if (gos__load_relaxed(&worker->dozing))
        return;
    enum conduct conduct = conduct_of(worker, true, now, found);
    if (!waiting_here && conduct != BLOCKED)
        return;
    /* A thread that is to have the worker of a blocked one says so when it is there. */
    found->waiting |= conduct == RUNS || conduct == UNKNOWN;
    found->stuck |= conduct == UNKNOWN;
    look_by(found, since + SLICE_NS > now + AGAIN_NS ? since + SLICE_NS : now + AGAIN_NS);
    if (gos__is_seeded()) { /* slices end where the seed says */
        if (conduct != BLOCKED || now - since < GOS_SEED_PATIENCE_NS)
            return;
        gos__seed_lost();
    }
    if (conduct == BLOCKED)
        take_from_blocked(worker, found);
    else if (conduct == HEEDLESS)
        gos__hand_off(worker, true);
    else if (slice_over(worker, now))
        end_slice(worker);
}

/* Searches in vain, and suspicions. */
static void forget(gos__runtime *rt)
{
    gos__store_relaxed(&rt->fruitless, 0u);
    for (uint32_t i = 0; i < rt->made; i++)
        rt->workers[i]->doubt -= rt->workers[i]->doubt > 0;
}

/* No worker has a thread, and those that there are wait for pinned tasks, which nobody can bring on. */
static bool lacks_threads(const gos__runtime *rt)
{
    for (uint32_t i = 0; i < rt->made; i++)
        if (!gos__load_relaxed(&rt->workers[i]->left) && !gos__load_relaxed(&rt->workers[i]->orphan))
            return false;
    for (const gos__thread_record *record = rt->records; record; record = record->next) {
        const gos__thread *thread = gos__load_acquire(&record->thread);
        if (!thread || (!gos__load_relaxed(&record->left) && !gos__load_relaxed(&thread->awaits_turn)))
            return false;
    }
    return true;
}

/* Threads are asked for at each look, and refused. */
static void bear_with_refusals(const gos__runtime *rt, int64_t now)
{
    static int64_t since;
    if (!gos__load_relaxed(&rt->workers[0]->orphan) || !lacks_threads(rt))
        since = 0;
    else if (!since)
        since = now;
    else if (now - since > REFUSED_NS)
        gos__die("fatal error: no thread for the workers: %u wait with pinned tasks, and the system refuses more (pids "
                 "or memory limit)", rt->threads_n);
}

static findings look_at_all(gos__runtime *rt, int64_t now)
{
    findings found = { .due = INT64_MAX };
    for (uint32_t i = 0; i < rt->made; i++)
        look_at(rt, rt->workers[i], now, &found);
    bear_with_refusals(rt, now);
    return found;
}

void gos__monitor_look(void)
{
    static int64_t last;
    int64_t now = gos__clock_ns();
    if (now - last < SHORT_LOOK_NS)
        return;
    last = now;
    gos__lot_attend();
    gos__interrupt_attend();
    look_at_all(gos__rt, now);
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
        gos__futex_wait(&worker->left, 0, gos__clock_ns() + AGAIN_NS);
        look_at_all(rt, gos__clock_ns());
    }
}

/* Brings the number of workers to n. Waits for tasks that are in a system call or loop on a worker that goes. */
static void change_procs(gos__runtime *rt, uint32_t n)
{
    for (uint32_t i = rt->procs; i < n; i++) {
        if (i == rt->made) {
            gos__worker *worker = gos__worker_new(i);
            if (!worker) {
                gos__warn("only %u workers: no memory for another", i);
                return;
            }
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

void gos__monitor_poke(void)
{
    gos__runtime *rt = gos__load_acquire(&gos__rt);
    if (!rt)
        return;
    gos__futex_wake(&rt->done, 1);
    gos__monitor_wake(rt);
}

/* Asleep until a worker leaves its own sleep, or until it is time to look for a deadlock again. */
static void sleep_with_workers(gos__runtime *rt, gos__stillness *still, int64_t trim_at)
{
    int64_t until = gos__deadlock_look(rt, still, gos__clock_ns());
    if (trim_at < until)
        until = trim_at;
    gos__exchange_seq(&rt->monitor, 1u);
    /* A worker that left its sleep before it could see the word is seen here. */
    if (gos__load_relaxed(&rt->idle_n) >= rt->procs && !gos__load_relaxed(&rt->procs_requests) &&
        !gos__lot_is_left() && !gos__interrupt_is_due() && !gos__signals_are_due() &&
        !gos__load_acquire(&gos__inspect_due) && !gos__load_acquire(&rt->done))
        gos__futex_wait(&rt->monitor, 1, until);
    gos__store_relaxed(&rt->monitor, 0u);
}

void gos__monitor(gos__runtime *rt)
{
    int64_t interval = SHORT_LOOK_NS, forget_at = 0, handed_off = 0, busy = gos__clock_ns();
    gos__stillness still = { .looks = 0 };
    gos__trim_begin();
    while (!gos__load_acquire(&rt->done)) {
        gos__note_time(rt); /* before dumps */
        serve_requests(rt);
        gos__lot_attend();
        gos__interrupt_attend();
        gos__signals_attend();
        if (gos__load_acquire(&gos__inspect_due))
            gos__inspect_attend();
        int64_t now = gos__clock_ns();
        gos__spare_ahead(rt);
        int64_t roam_at = gos__roam_look(rt, now);
        gos__trace_look(rt, now);
        bool lately = handed_off && now - handed_off < LATELY_NS;
        bool idle = gos__load_relaxed(&rt->idle_n) >= rt->procs;
        int64_t watch_at = gos__watch(rt, now), trim_at = gos__trim(rt, now, idle);
        if (watch_at < trim_at)
            trim_at = watch_at;
        if (idle) {
            if (rt->is_child && !gos__tasks_of(rt))
                return;
            if (lately || now - busy >= IDLE_NS) {
                sleep_with_workers(rt, &still, trim_at);
                interval = SHORT_LOOK_NS;
            } else {
                gos__futex_wait(&rt->done, 0, now + LONG_LOOK_NS);
            }
            continue;
        }
        busy = now;
        if (now >= forget_at) {
            forget(rt);
            forget_at = now + FORGET_NS;
        }
        if (gos__netpoll_alone())
            look_at_descriptors(rt, now);
        findings found = look_at_all(rt, now);
        look_by(&found, roam_at);
        if (found.blocked) {
            handed_off = now;
            lately = true;
        }
        interval = found.stuck || found.suspect || (found.waiting && lately) ? SHORT_LOOK_NS
                 : interval * 2 < LONG_LOOK_NS                               ? interval * 2
                                                                             : LONG_LOOK_NS;
        /* From the end of the look: a worker on the same processor shall get to run in between. */
        int64_t next = gos__clock_ns() + interval;
        gos__futex_wait(&rt->done, 0, found.due < next ? found.due : next);
    }
}
