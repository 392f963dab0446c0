/*
 * worker.h: the worker (the right to run tasks, with its queue), the shared state of a run, and the protocols.
 *
 * Biased worker lock
 *   A worker's fields are plain memory, touched only by who holds it. Its own thread holds it nearly always and pays
 *   no atomic operation; another thread (a thief) pays a membarrier.
 *
 *     owner, entering the runtime                  thief
 *     O1  in_runtime = 1                           T1  take worker->lock (one thief at a time)
 *     O2  compiler fence (T3 makes it a real one)  T2  locked = 1
 *     O3  locked? then in_runtime = 0, wait,       T3  membarrier
 *         start again at O1                        T4  wait until in_runtime == 0
 *     O4  use the worker                           T5  use the worker
 *     O5  in_runtime = 0 (release)                 T6  locked = 0 (release), release worker->lock
 *
 *   Either O1 is seen by T4, which then waits for O5, or O3 comes after T3 and sees T2. Without membarrier(2) T3 is
 *   slow (os/membarrier.c), so gos_run uses one worker then, from which nobody steals.
 *
 * Sleeping and waking
 *     submitter                                    worker going idle
 *     S1  put the task into a queue                I1  set own bit in idle mask
 *     S2  compiler fence (I2 makes it a real one)  I2  membarrier
 *     S3  idle mask empty? then done               I3  look into all queues once more; found: clear bit, go on
 *     S4  clear a bit, wake that worker            I4  sleep on own futex word
 *
 *   Either I3 sees S1 or S3 sees I1; the membarrier serves for threads that are not ours as well.
 */
#ifndef GOS_SCHED_WORKER_H
#define GOS_SCHED_WORKER_H

#include <pthread.h>

#include "base/spin.h"
#include "base/config.h"
#include "base/rng.h"
#include "os/os.h"
#include "sched/gather.h"
#include "sched/timer.h"
#include "sched/traced.h"
#include "stack/stack.h"

/* What gos__thread.turn says of a thread that keeps its worker while it waits for its pinned task. */
#define GOS_SPINS ((uintptr_t)1)

enum { GOS_PIN_SLOTS = 64 };

/* What a thief remembers of a victim between two looks. */
typedef struct gos__sighting {
    uint32_t tick, late_tick;
    int64_t since, late_since; /* when each was first seen, the second with overdue timers; 0: never */
} gos__sighting;

typedef struct gos__worker {
    /* Run queue: front is popped. Hand-overs and spawning parents are put in front, the rest at the back; thieves
     * take from the back. What spawning, ending and switching use is here, in one line, but for the stock of stacks,
     * which is in the next, and a place of the queue. */
    uint32_t front, back; /* free-running; back - front tasks */
    uint32_t tick;        /* switches */
    uint32_t periodic_at; /* the tick of the next look at timers and shared queue */
    uint32_t attention;   /* GOS_ATTEND: look at quit and at the returning threads before the next task; GOS_TRACED */
    uint32_t streak;      /* tasks put in front since one went to the back, and GOS_STREAK_TRACED */
    int64_t spawned, ended;
    void (*usual_entry)(void *); /* the last function started, if gos__go may start the next at once */
    enum gos__kind usual_kind;   /* and the kind of stack that it gets */
    uint32_t wake_credit; /* idle workers that may still be woken for a single waiting task, until the next refill */

    gos__stack_cache stacks;
    gos__task *queue[GOS_QUEUE_SIZE];

    uint32_t due_begin, due_end; /* here stand those that timers put in front and that have not run */
    uint32_t reached, front_over; /* up to here, at least, it has had its turn; 1: not beyond for a whole slice */
    uint32_t due_streak, due_until; /* how many since one of the others ran; no more until this tick */
    uint32_t shared_at;   /* the tick of the last look at the shared queue there */
    uint32_t looked_at, early; /* the tick of the last look that was no early one; 1: the next is one, for a timer */
    uint32_t switch_ns;   /* how long a switch took from one look at timers to the next; 0: not known */
    int64_t paced_at; uint32_t paced_tick; /* when the clock was last read for that; 0: begin anew */
    int64_t passed_at;    /* when a thread last got it; marked tasks put off in a row, and the tick of the last: */
    uint32_t put_off, put_off_at;
    uint32_t vain;        /* searches since one found something other than own timers */
    int64_t steals, stolen_tasks, wakes;
    void (*hog)(void *); /* the function of the last task that was preempted, and for how many spawns that counts */
    uint32_t hog_credit, hog_blocks; /* 1: it was found blocked, not preempted */
    void (*blocker)(void *); /* the last that was found blocked (handoff.c) */
    uint32_t tag;        /* unlike that of any other worker of any run; never 0 */
    int32_t bias_credit; /* sync/chan.c */
    gos__rng rng;
    gos__timers timers;
    gos__sighting seen[GOS_MAX_PROCS];
    gos__sizing sizing;
    gos__gathering gathering;

    /* Shared with thieves and wakers. */
    GOS_ALIGNED(GOS_FALSE_SHARING) gos__spin lock;
    gos__thread *thread; /* whose TLS holds in_runtime and locked; NULL: none runs it */
    uint32_t index;
    uint32_t orphan;     /* 1: given away while no other thread was to be had: the monitor makes one */
    uint32_t dozing;     /* 1: its thread sleeps, or is about to, for want of work */
    uint32_t dozes;      /* how often it did */
    uint32_t gathered;   /* 1: its tasks stay with it: gather.c */
    uint32_t quit;       /* 1: its thread shall end at the next switch */
    uint32_t left;       /* futex: 1 when no thread runs it any more */
    struct gos__worker *next_retired;
    uint32_t seen_tick;  /* the monitor's last look */
    int64_t seen_since;  /* 0: start anew */
    int64_t reached_since; uint32_t seen_reached; /* the same of `reached` */
    int64_t seen_cpu;    /* processor time of its thread at the last look for which others waited */
    int64_t seen_at;     /* when that was; 0: not yet */
    uint32_t seen_dozes; /* and `dozes` then */
    uint32_t doubt;      /* suspicions lately that came to nothing: monitor.c */
    int64_t asked_cpu;   /* the same when the kernel was last asked whether that is blocked; -1: not yet */
    bool was_blocked;    /* what it said */
    int64_t slice_cpu;   /* the same when the task that runs was first seen; -1: not yet */
    uint32_t trim_tick;  /* of the last round of trim.c */
    bool trim_settled;   /* since then its stock has nothing to give */
    bool trim_asked;     /* when it next dozes, its thread gives what of it was not needed */
    uint32_t poison_tick; /* the tick whose task was asked to end its slice */
    int64_t poison_cpu;  /* the same when it was first asked to end its slice; -1: it was not */
    gos__trace trace;
} gos__worker;

/* A thread, as long as it may have to be waited for. Only the monitor touches the list. */
typedef struct gos__thread_record {
    pthread_t pthread;
    gos__worker *worker; /* its first; NULL: it begins as a spare */
    gos__thread *thread; /* NULL until it runs */
    uint32_t left;       /* futex: 1 when it touches the run no more */
    bool abandoned;
    int64_t losses, roams_from, roams_cpu; /* handoff.c: how often its worker had gone; its processor time then, now */
    bool binds; /* it starts on its worker's processor */
    struct gos__thread_record *next;
} gos__thread_record;

/* That a task is, or was, pinned to a thread. */
typedef struct gos__pin_slot {
    gos__task *task;
    gos__thread *thread;
} gos__pin_slot;

/* One run of the runtime. */
typedef struct gos__runtime {
    /* Read at every switch, written rarely. */
    uint32_t stopping;  /* the main task has returned: every worker's `quit` follows */
    uint32_t procs;     /* workers in use: 0 .. procs-1 */
    uint32_t idle[GOS_MAX_PROCS / 32];
    uint32_t idle_n;
    uint32_t searching; /* workers looking for work */
    uint32_t fruitless; /* searches for work in a row that found none; the monitor forgets them now and then */
    uint32_t monitor;   /* futex: 1 while the monitor sleeps without a deadline */
    uint32_t returning_n; /* threads that came back from a blocking call and wait for a worker */
    uint32_t spares_n;    /* threads without a worker or a task */

    GOS_ALIGNED(GOS_FALSE_SHARING) gos__spin lock; /* the shared queue */
    gos__task *shared_first, *shared_last;
    uint32_t shared_n;
    int64_t foreign_spawned, foreign_larger;

    gos__spin gather_lock;
    int64_t gather_from, gather_pause; /* not before then is a worker gathered; how long it was until then */

    gos__spin retired_lock;
    gos__worker *retired; /* out of use, with timers that nobody has inherited yet */

    gos__task *procs_requests; /* tasks that wait for a number of workers, their `result`; under lock */

    gos__spin threads_lock;
    gos__thread *returning, *returning_last, *spares, *pinned;
    gos__pin_slot pins[GOS_PIN_SLOTS]; /* of the threads with pinned tasks most can be found here without the lock */
    gos__thread_record *records, *roam_next; /* where the next look at roaming threads begins; NULL: with the first */
    int64_t roam_look_at, slack; /* and when; gos__timer_slack of the program */
    gos__trace outside;
    uint32_t threads_n, threads_peak;
    uint32_t starting, spare_wanted; /* 1: a thread that will be a spare and is not yet; the monitor is to make one */
    int64_t handoffs;
    int64_t abandoned; /* threads that the end of the run did not wait for */

    int64_t began;     /* gos__clock_ns */
    int result;        /* of the main function */
    uint32_t is_child; /* 1: begun by fork: it ends with its last task */
    uint32_t done;     /* futex: 1 when the main task has returned */
    int (*fn)(void *);
    void *arg;
    gos__worker *workers[GOS_MAX_PROCS];
    uint32_t made;     /* workers that exist */
} gos__runtime;

_Static_assert(offsetof(gos__worker, front) == GOS_WORKER_FRONT, "worker: front");
_Static_assert(offsetof(gos__worker, back) == GOS_WORKER_BACK, "worker: back");
_Static_assert(offsetof(gos__worker, streak) == GOS_WORKER_STREAK, "worker: streak");
_Static_assert(offsetof(gos__worker, queue) == GOS_WORKER_QUEUE, "worker: queue");
_Static_assert(GOS_QUEUE_SIZE == 256, "worker: a place in the queue is a byte to the doors");
_Static_assert(offsetof(gos__runtime, idle_n) == GOS_RUN_IDLE_N, "run: idle_n");

extern gos__runtime *gos__rt GOS_HIDDEN; /* NULL: nothing runs */

/* Held by a foreign thread while it uses gos__rt, so that the run does not end under it. */
extern gos__spin gos__rt_lock;

/* By gos_procs, for the next run; 0: not asked. */
extern uint32_t gos__procs_asked;

/* ---- guard.c ---- */

/* On: the calling thread is not to end. */
void gos__thread_guard(bool on);

/* ---- queue.c ---- */
void gos__queue_overflow(gos__worker *worker);
void gos__queue_give_up(gos__worker *worker);
void gos__shared_push(gos__task *first, gos__task *last, uint32_t count);
gos__task *gos__shared_take(gos__worker *worker);

/* ---- sched.c ---- */

/* The task to run next on this thread's worker; NULL: the run is over. how: the one that ran leaves, if there was. */
gos__task *gos__next(gos__worker *worker, enum gos__left how);

/* Moves the next look at timers to when the first one is due, if that is sooner. `now`: the clock, just read. */
void gos__pace(gos__worker *worker, int64_t now);

/* Parks `self`, already in a wait list whose lock the caller has just released: the next task. */
gos__task *gos__park(gos__task *self);

/* How deep it parks may change the size of the nursery for its successors. */
void gos__see_depth(gos__worker *worker, const gos__task *task);

/* Makes a parked task runnable, from any thread. `hand_over`: the caller is likely to park soon. */
void gos__ready(gos__task *task, bool hand_over);

/* For a thread inside the runtime that waits for another worker: whoever waits for this one gets it for a moment. It
 * is not handed to another thread meanwhile. */
void gos__let_others_in(void);

/* Waits until no thief holds this thread's worker (O3). */
void gos__wait_unlocked(void);

/* Makes this worker look at `quit` and at the threads that wait for a worker, at its next switch. */
void gos__call_attention(gos__worker *worker);
bool gos__attend(gos__worker *worker, gos__task **next);

/* Wakes an idle worker if there is one and none is searching already. */
void gos__wake_one(gos__worker *worker);

/* ---- idle.c ---- */
/* Takes a worker off the idle ones, for the caller to wake or to claim; NULL: none. Or this one, if it is there. */
gos__worker *gos__idle_pick(void);
void gos__idle_clear(gos__worker *worker);
gos__task *gos__find(gos__worker *worker);
bool gos__worker_lock(gos__worker *victim);
void gos__worker_unlock(gos__worker *victim);

/* ---- task.c ---- */

/* A task that will run fn(arg) through `start`, not yet in any queue; NULL at the memory limit. */
gos__task *gos__task_new(gos__worker *worker, void (*start)(void), void (*fn)(void *), void *arg, uintptr_t by);

/* Forgets the stacks that foreign threads had in stock. */
void gos__foreign_reset(void);

/* ---- thread.c ---- */

/* Starts a thread that runs the worker, or a spare (NULL); 0 or -errno. On the monitor. */
int gos__thread_start(gos__worker *worker);
void gos__thread_wake(gos__thread *thread);
void gos__bind(gos__thread *self);

/* ---- stop.c ---- */

/* Joins the threads that have ended. On the monitor. */
void gos__reap_threads(gos__runtime *rt);

/* Ends all threads; false: some are still inside a system call or a loop of the program and are abandoned. */
bool gos__threads_stop(gos__runtime *rt, int64_t deadline);

/* ---- pin.c ---- */

/* For a thread with a pinned task: true: *next is what it goes on with. */
bool gos__pin_attend(gos__worker *worker, gos__task **next);

/* Gives this worker to the thread that `task` is pinned to; true: this thread has none any more; false: that thread
 * has a worker, and the task by now, or is not ready yet and the task is back in the queue. */
bool gos__pass_to_pinned(gos__worker *worker, gos__task *task);

/* Hands a pinned task that has just become ready to its thread, if that spins for it; false: it goes into a queue. */
bool gos__ready_pinned(gos__task *task);
void gos__pinned_ended(void);

/* Whether this thread may keep its worker while its pinned task waits, and whether still; *since: 0 at first. */
bool gos__pin_spins(const gos__worker *worker);
bool gos__pin_patience(const gos__worker *worker, int64_t *since);

/* Whether any task is pinned. */
bool gos__pin_any(gos__runtime *rt);

/* A thread that ends is in no list of pinned ones any more. */
void gos__pin_forget(gos__thread *self);

/* Waits, without a worker, until this thread's pinned task may run; NULL: there is none. */
gos__task *gos__pinned_turn(void);

/* ---- thread.c, continued ---- */

/* This thread's worker goes to any other thread. */
void gos__worker_give_away(gos__worker *worker);
void gos__worker_grant(gos__worker *worker, gos__thread *thread);

/* For a worker without a thread: finds or makes one. On the monitor. */
void gos__adopt(gos__worker *worker);

/* Gives this thread's worker to one that waits for a worker; true: this thread has none any more. */
bool gos__give_worker(gos__worker *worker);

/* This thread lets go of its worker. */
void gos__worker_detach(gos__worker *worker);

/* Gets a worker for this thread, which lost its own and carries a task. */
void gos__regain(void);

/* Ties worker and thread; the worker is held by the caller. */
void gos__thread_tie(gos__worker *worker, gos__thread *thread);

/* ---- fork.c ---- */

/* Before the first run. */
int gos__fork_prepare(void); /* 0 or -ENOMEM */

/* Begins the run of such a child. */
void gos__fork_revive(void);

/* ---- run.c ---- */

/* In a child process without tasks: there is no run. */
void gos__run_forked(void);

int gos__run(int (*fn)(void *), void *arg);

/* A worker that goes out of use: its queue, timers and stocks go where others find them. gos__retire: on its own
 * thread, which has no worker then; gos__worker_clear: by who holds it, and gos__worker_left when it has no thread. */
void gos__retire(gos__worker *worker);
void gos__worker_clear(gos__worker *worker);
void gos__worker_left(gos__worker *worker);

/* Takes over the timers of the workers that are out of use. */
void gos__inherit(gos__worker *heir);
gos__worker *gos__worker_new(uint32_t index);
int gos__worker_start(gos__worker *worker);

/* ---- monitor.c ---- */

/* Watches the workers until the main task has returned; on the thread that called gos_run. */
void gos__monitor(gos__runtime *rt);

/* The monitor's look at everything, for when it is busy with something else for more than a moment. */
void gos__monitor_look(void);

/* Whether a thread is blocked in the kernel, as gos__thread_blocked; and before it ends. On the monitor. */
int gos__monitor_sees(gos__thread *thread);
void gos__monitor_forgets(gos__thread *thread);

/* ---- deadlock.c ---- */

/* What the monitor remembers of a time in which nothing happened. */
typedef struct gos__stillness {
    uint64_t switches;
    int looks;
} gos__stillness;

/* For the monitor, when all workers are idle: when it shall look again, INT64_MAX: when one of them is not. Ends the
 * program if no task can ever run again. */
int64_t gos__deadlock_look(gos__runtime *rt, gos__stillness *still, int64_t now);

/* ---- debug/request.c ---- */

/* 1: somebody asks for something that the monitor is to do: gos__inspect_attend. */
extern uint32_t gos__inspect_due GOS_HIDDEN;
void gos__inspect_attend(void);

/* ---- debug/watch.c ---- */

/* On the monitor: does what is due, and gives the time of the next; around the run. */
int64_t gos__watch(gos__runtime *rt, int64_t now);
void gos__watch_begin(void);
void gos__watch_end(void);

/* Of a run. */
void gos__inspect_begin(void);
void gos__inspect_end(void);

/* sync/context.c: the workers have left, the stacks are still there, and gos__rt_lock is not held. */
void gos__contexts_run_ends(void);

/* Says so, with every task (debug/dump.c). */
_Noreturn void gos__report_deadlock(void);

/* Answers foreign gos_procs calls that the run did not come to; under gos__rt_lock. */
void gos__procs_end(gos__runtime *rt);

/* How often a worker may wake another for a single waiting task: not at all after some searches were in vain, as they
 * are when the tasks that wait are each other's partners. */
static inline uint32_t gos__wake_credit(void)
{
    return gos__load_relaxed(&gos__rt->fruitless) < 4 ? 4 : 0;
}

/* Wakes the monitor from anywhere, a signal handler too; it looks around soon. */
void gos__monitor_poke(void);

/* Sets gos__half_seconds. */
void gos__note_time(const gos__runtime *rt);

/* Wakes the monitor if it sleeps because all workers do. Who parks before it has woken is not to be taken for one who
 * has waited since it went to sleep. */
static inline void gos__monitor_wake(gos__runtime *rt)
{
    if (gos__unlikely(gos__load_relaxed(&rt->monitor))) {
        gos__note_time(rt);
        gos__store_release(&rt->monitor, 0u);
        gos__futex_wake(&rt->monitor, 1);
    }
}

/* Ends the slice of the task that runs on this thread, at its next checked prologue. */
void gos__preempt(gos__thread *thread);

static inline void gos__push_back(gos__worker *worker, gos__task *task)
{
    if (gos__unlikely(worker->back - worker->front == GOS_QUEUE_SIZE))
        gos__queue_overflow(worker);
    worker->queue[worker->back & (GOS_QUEUE_SIZE - 1)] = task;
    gos__store_relaxed(&worker->back, worker->back + 1);
}

static inline void gos__push_front(gos__worker *worker, gos__task *task)
{
    if (gos__unlikely(worker->back - worker->front == GOS_QUEUE_SIZE))
        gos__queue_overflow(worker);
    gos__store_relaxed(&worker->front, worker->front - 1);
    worker->queue[worker->front & (GOS_QUEUE_SIZE - 1)] = task;
}

/* Takes the task in front, if there is nothing else to see to first; NULL: gos__next decides. */
static inline gos__task *gos__next_at_once(gos__worker *worker)
{
    uint32_t tick = worker->tick + 1, front = worker->front;
    if (gos__unlikely(gos__load_relaxed(&worker->attention) || tick == worker->periodic_at || front == worker->back))
        return NULL;
    gos__task *task = worker->queue[front & (GOS_QUEUE_SIZE - 1)];
    gos__compiler_fence(); /* R2 (claim.h), partner: the membarrier of C2 */
    if (gos__unlikely(gos__load_acquire(&task->pinned))) /* R3 */
        return NULL;
    gos__store_relaxed(&worker->tick, tick); /* the monitor and thieves look at it */
    gos__store_relaxed(&worker->front, front + 1);
    __builtin_prefetch(worker->queue[(front + 1) & (GOS_QUEUE_SIZE - 1)]);
    return task;
}

/* gos__ready with hand_over where nothing else is to be seen to; false: nothing is done. The doors of channels do the
 * same (doors_x86_64.h: MEET). */
static inline bool gos__ready_in_front(gos__task *task)
{
    gos__worker *worker = gos__self.worker;
    if (gos__unlikely(!worker || gos__load_relaxed(&task->pinned) || worker->streak >= GOS_FRONT_STREAK))
        return false;
    uint32_t front = worker->front;
    if (gos__unlikely(worker->back - front == GOS_QUEUE_SIZE))
        return false;
    GOS_PROBE1(ready, task);
    worker->streak++;
    gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
    gos__store_relaxed(&worker->front, front - 1);
    worker->queue[(front - 1) & (GOS_QUEUE_SIZE - 1)] = task;
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__unlikely(gos__load_relaxed(&gos__rt->idle_n)))
        gos__wake_one(worker);
    return true;
}

/* What a park may say of the size of the function's nurseries. */
static inline void gos__note_depth(gos__worker *worker, const gos__task *self)
{
    if (gos__unlikely(!gos__is_small(self)) && gos__has_nursery(self) &&
        gos__sizing_is_news(&worker->sizing, self, worker->spawned))
        gos__see_depth(worker, self);
}

/* gos__park where nothing else is to be seen to; NULL: that decides. */
static inline gos__task *gos__park_at_once(const gos__task *self)
{
    gos__worker *worker = gos__self.worker;
    if (gos__unlikely(gos__stack_is_overrun(self)))
        return NULL;
    gos__note_depth(worker, self);
    return gos__next_at_once(worker);
}

static inline uint32_t gos__queue_length(const gos__worker *worker)
{
    return gos__load_relaxed(&worker->back) - gos__load_relaxed(&worker->front);
}

#endif
