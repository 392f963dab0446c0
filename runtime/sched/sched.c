/* sched.c: parking, readying and choosing: what runs at every switch. */
#include "base/check.h"
#include "os/os.h"
#include "sched/claim.h"
#include "sched/handoff.h"
#include "sched/netpoll.h"
#include "sched/pin.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

gos__runtime *gos__rt;

/* Looks at timers follow each other no faster than this, however many are due. */
#define PACE_NS 5000

/* Nobody reads the clock at each switch to see whether a timer is due: how many switches it is until then follows from
 * how long they took of late. Too few, as after a time without tasks, cost a look, and the next guess is better. */
void gos__pace(gos__worker *worker, int64_t now)
{
    uint32_t ticks = worker->tick - worker->paced_tick;
    if (worker->paced_at && ticks) {
        int64_t each = (now - worker->paced_at) / ticks;
        worker->switch_ns = each < 1 ? 1 : each < INT32_MAX ? (uint32_t)each : INT32_MAX;
    }
    if (!worker->paced_at || ticks) {
        worker->paced_at = now;
        worker->paced_tick = worker->tick;
    }
    int64_t left = worker->timers.first - now;
    if (!worker->switch_ns)
        return;
    uint32_t planned = worker->periodic_at - worker->tick;
    int64_t switches = (left > PACE_NS ? left : PACE_NS) / worker->switch_ns + 1;
    if (switches < planned) {
        worker->periodic_at = worker->tick + (uint32_t)switches;
        worker->early = 1;
    }
}

static inline gos__task *pop_front(gos__worker *worker)
{
    uint32_t front = worker->front;
    gos__task *task = worker->queue[front & (GOS_QUEUE_SIZE - 1)];
    gos__store_relaxed(&worker->front, front + 1);
    __builtin_prefetch(worker->queue[(front + 1) & (GOS_QUEUE_SIZE - 1)]);
    return task;
}

/* Who starts tasks waits in front of the queue meanwhile, each time; as long as it goes on with that, nobody behind it
 * has a turn. Those that used up a slice in this way, together, go to the back. Not so sleepers that are due, who are
 * about to run. */
static void let_others_run(gos__worker *worker)
{
    gos__store_relaxed(&worker->front_over, 0u);
    if ((int32_t)(worker->back - worker->reached) <= 0)
        return;
    uint32_t end = worker->reached, due_n, due = gos__due_begin(worker, &due_n);
    if (due_n && (int32_t)(end - due) > 0)
        end = due;
    while ((int32_t)(end - worker->front) > 0)
        gos__push_back(worker, pop_front(worker));
}

/* A look is over: `task`, or if there is none what is in front of the queue, runs next; `first` was before sleepers. */
static void note_reached(gos__worker *worker, uint32_t first, const gos__task *task)
{
    bool runs = !task && worker->front == first && first != worker->back;
    if ((int32_t)(first + runs - worker->reached) > 0)
        gos__store_relaxed(&worker->reached, first + runs); /* the monitor looks at it */
}

/* Every GOS_SHARED_PERIOD switches, and at the end of a slice: sleepers that are due, descriptors that are ready, then
 * the shared queue, so that none starves behind a busy local queue. Nor must the local queue behind the shared one
 * where every switch is the end of a slice: they take turns. What was due has just been put in front. In between, when
 * a timer is about to be due, sleepers alone. */
static GOS_NOINLINE gos__task *periodic(gos__worker *worker)
{
    if (gos__is_seeded()) {
        worker->periodic_at = worker->tick + 1; /* at every switch */
        gos__trace_resume(worker);
        return gos__seed_pick(worker);
    }
    uint32_t front = worker->front, since = worker->tick - worker->shared_at;
    bool is_early = worker->early && worker->tick - worker->looked_at < GOS_SHARED_PERIOD;
    uint32_t next = is_early ? worker->looked_at : worker->tick;
    worker->periodic_at = next + GOS_SHARED_PERIOD;
    worker->looked_at = next;
    worker->early = 0;
    if (!is_early) {
        worker->wake_credit = gos__wake_credit();
        if (gos__load_relaxed(&worker->gathered) || worker->gathering.crossings >= GOS_CROSSINGS)
            gos__gather_look(worker);
        if (gos__unlikely(gos__load_relaxed(&worker->front_over)))
            let_others_run(worker);
    }
    uint32_t first = worker->front;
    int64_t now = gos__timers_run(worker);
    if (now)
        gos__pace(worker, now);
    else
        worker->paced_at = 0;
    if (is_early)
        return NULL;
    if (gos__load_relaxed(&gos__netpoll_waits))
        gos__netpoll();
    gos__task *task = NULL;
    if (since >= 2 && (worker->front == front || since >= 4 * GOS_SHARED_PERIOD)) {
        worker->shared_at = worker->tick;
        task = gos__shared_take(worker);
    }
    note_reached(worker, first, task);
    return task;
}

/* What the look that is due with this switch has found to go on with. */
static inline gos__task *count_switch(gos__worker *worker)
{
    uint32_t tick = worker->tick + 1;
    gos__store_relaxed(&worker->tick, tick); /* the monitor and thieves look at it */
    return gos__unlikely(tick == worker->periodic_at) ? periodic(worker) : NULL;
}

void gos__count_switch(gos__worker *worker)
{
    gos__task *task = count_switch(worker);
    if (task)
        gos__push_front(worker, task);
}

void gos__call_attention(gos__worker *worker)
{
    gos__or_seq(&worker->attention, (uint32_t)GOS_ATTEND); /* seq: after what it is to look at */
}

/* True: *next is what to go on with; NULL: this thread has no worker any more. */
GOS_NOINLINE bool gos__attend(gos__worker *worker, gos__task **next)
{
    *next = NULL;
    gos__and_seq(&worker->attention, ~(uint32_t)GOS_ATTEND); /* seq: before the look */
    if (gos__load_relaxed(&worker->quit)) {
        gos__retire(worker);
        *next = gos__pinned_turn(); /* a pinned task comes back on this thread */
        return true;
    }
    if (gos__unlikely(gos__load_relaxed(&gos__rt->retired) != NULL))
        gos__inherit(worker);
    return gos__pin_attend(worker, next) || gos__give_worker(worker);
}

/* R3 and R4 of claim.h: true: the monitor is at its stack, and makes it ready again. */
static GOS_NOINLINE bool is_claimed(gos__task *task)
{
    while (gos__load_acquire(&task->pinned) & GOS_CLAIMED)
        if (gos__claim_leave(task))
            return true;
    return false;
}

/* R3 and what follows, of a task whose `pinned` is not 0: true: this thread is to run it, or *task is NULL and the
 * thread has no worker any more. */
static GOS_NOINLINE bool may_run(gos__worker *worker, gos__task **task)
{
    if (gos__load_relaxed(&(*task)->pinned) & GOS_TIMED)
        gos__trace_timed(worker, *task);
    if (*task == gos__self.pinned_task)
        return true;
    if (is_claimed(*task)) {
        worker->trace.ready_since = 0;
        return false;
    }
    uint8_t pinned = gos__load_relaxed(&(*task)->pinned);
    if (!(pinned & GOS_PIN_DEPTH))
        return !(pinned & GOS_BLOCKS) || gos__roam(worker, *task);
    if (!gos__pass_to_pinned(worker, *task))
        return false;
    *task = NULL;
    return true;
}

static inline gos__task *choose(gos__worker *worker)
{
    for (;;) {
        if (gos__unlikely(gos__load_relaxed(&worker->attention) & GOS_ATTEND)) {
            gos__task *next; /* by itself: what has an address is kept in memory */
            if (gos__attend(worker, &next))
                return next;
        }
        gos__task *task = count_switch(worker);
        if (!task)
            task = gos__likely(worker->back != worker->front) ? pop_front(worker) : gos__find(worker);
        gos__compiler_fence(); /* R2 (claim.h), partner: the membarrier of C2 */
        if (gos__likely(!task || !gos__load_acquire(&task->pinned))) /* R3 */
            return task;
        gos__task *checked = task;
        if (may_run(worker, &checked))
            return checked;
    }
}

static GOS_NOINLINE gos__task *next_traced(gos__worker *worker, enum gos__left how)
{
    if (!gos__is_traced(worker))
        gos__trace_resume(worker);
    if (gos__is_traced(worker))
        gos__trace_leaves(worker, how);
    gos__task *next = choose(worker);
    worker = next ? gos__self.worker : NULL; /* without a task somebody may be granting this thread one */
    if (worker && gos__is_traced(worker))
        gos__trace_runs(worker, next);
    return next;
}

gos__task *gos__next_c(gos__worker *worker, enum gos__left how); /* its door: arch/entry_x86_64.S */

gos__task *gos__next_c(gos__worker *worker, enum gos__left how)
{
    if (gos__unlikely(gos__load_relaxed(&worker->attention)) &&
        (gos__is_traced(worker) || gos__load_relaxed(&worker->trace.due)))
        return next_traced(worker, how);
    return choose(worker);
}

/* Workers have to look the size up again. */
void gos__see_depth(gos__worker *worker, const gos__task *task)
{
    enum gos__sizing_news news = gos__sizing_parked(&worker->sizing, task, worker->spawned);
    if (news != GOS_SIZE_SAME && worker->usual_entry == gos__entry_of(task))
        gos__store_relaxed(&worker->usual_entry, NULL);
    for (uint32_t i = 0; news == GOS_SIZE_NEW && i < gos__load_acquire(&gos__rt->made); i++)
        if (gos__load_relaxed(&gos__rt->workers[i]->usual_entry) == gos__entry_of(task))
            gos__store_relaxed(&gos__rt->workers[i]->usual_entry, NULL);
}

gos__task *gos__park(gos__task *self)
{
    gos__worker *worker = gos__self.worker;
    gos__stack_verify(self);
    gos__note_depth(worker, self);
    return gos__next(worker, GOS_LEFT_PARKED);
}

void gos__ready(gos__task *task, bool hand_over)
{
    gos__assert(gos__is_parked(task->state));
    GOS_PROBE1(ready, task);
    gos__worker *worker = gos__self.worker;
    gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
    if (gos__unlikely(!worker)) {
        gos__spin_lock(&gos__rt_lock); /* the run does not end under a foreign thread */
        if (gos__rt && !gos__load_relaxed(&gos__rt->stopping)) {
            gos__trace_ready_outside(gos__rt, task);
            gos__shared_push(task, task, 1);
            gos__wake_one(NULL);
        }
        gos__spin_unlock(&gos__rt_lock);
        return;
    }
    if (gos__unlikely(gos__is_traced(worker)))
        gos__trace_ready(worker, task, GOS_BY_TASK);
    if (gos__unlikely(gos__load_relaxed(&task->pinned)) && gos__ready_pinned(task))
        return;
    if (hand_over && (worker->streak & ~GOS_STREAK_TRACED) < GOS_FRONT_STREAK) {
        worker->streak++;
        gos__push_front(worker, task);
    } else {
        worker->streak &= GOS_STREAK_TRACED;
        gos__push_back(worker, task);
    }
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__unlikely(gos__load_relaxed(&gos__rt->idle_n)))
        gos__wake_one(worker);
}

/* This stack, the thread's own, is in use all the while: a signal handler that comes while `in_runtime` is 0 finds no
 * task, so that its checked prologues and its system calls do not begin anew at the top of it. */
static void wait_unlocked(gos__thread *self, gos__task *task)
{
    for (;;) {
        gos__store_relaxed(&self->task, NULL); /* gos__trace_thread looks, from elsewhere */
        gos__store_release(&self->in_runtime, 0u);
        uint32_t locked;
        for (int spins = 0; (locked = gos__load_acquire(&self->locked)); spins++) {
            if (locked == GOS_ABANDONED)
                gos__sleep_for_ever();
            if (locked == GOS_FORKED) {
                gos__store_relaxed(&self->in_runtime, 1u);
                gos__store_relaxed(&self->task, task);
                gos__fork_revive();
                break;
            }
            if (locked == GOS_LOST || locked == GOS_AWAITS) {
                /* What follows uses the run, so it is not to be abandoned meanwhile (stop.c, B1-B3). */
                gos__store_relaxed(&self->in_runtime, 1u);
                gos__compiler_fence(); /* B2, partner: the membarrier of A2 */
                gos__store_relaxed(&self->task, task);
                if (task)
                    gos__regain();
                else if (gos__load_acquire(&self->locked) != GOS_ABANDONED)
                    return; /* asleep as an idle worker's thread: see doze */
                break;
            }
            if (spins < 200)
                gos__cpu_relax();
            else
                sched_yield();
        }
        gos__store_relaxed(&self->in_runtime, 1u);
        gos__compiler_fence(); /* O2, partner: the membarrier of T3 */
        gos__store_relaxed(&self->task, task);
        if (!gos__load_acquire(&self->locked))
            return;
    }
}

void gos__let_others_in(void)
{
    gos__thread *self = &gos__self;
    gos__task *task = self->task;
    gos__store_relaxed(&self->task, NULL);       /* as in wait_unlocked */
    gos__store_relaxed(&self->keeps_worker, 1u); /* before in_runtime = 0: gos__hand_off looks after T4 */
    gos__store_release(&self->in_runtime, 0u);
    /* The door stays open for a while that differs each time, since two that wait for each other could else go on in
     * step; and while another thread has this processor, in case it is the one. */
    for (uint64_t pauses = 20 + (gos__ticks() & 255); pauses; pauses--)
        gos__cpu_relax();
    sched_yield();
    wait_unlocked(self, task);
    gos__store_relaxed(&self->keeps_worker, 0u);
}

GOS_NOINLINE void gos__wait_unlocked(void)
{
    wait_unlocked(&gos__self, gos__self.task);
}
