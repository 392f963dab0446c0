/* idle.c: what a worker does without work of its own: look around, steal, sleep. Protocols: worker.h. */
#include "base/check.h"
#include "os/os.h"
#include "sched/handoff.h"
#include "sched/netpoll.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* A thief's patience: a lone task in the queue of a worker that keeps switching will be run there at once, so it is
 * taken only when the worker stayed on one task for this long. Go waits 3 us as well before it steals runnext. */
#define LONE_TASK_NS 3000

/* Timers that are so late are taken from a busy worker. */
#define OVERDUE_NS 20000
#define OVERSLEPT_NS 500000

/* Fruitless looking around before a worker sleeps, since a wake-up through the kernel costs both sides. Not tuned. */
#define SEARCH_NS 20000

/* None but the first look where the last so many found nothing but the worker's own timers, and nobody woke it. */
#define VAIN 4

bool gos__worker_lock(gos__worker *victim)
{
    if (!gos__spin_trylock(&victim->lock)) /* T1 */
        return false;
    gos__thread *thread = victim->thread;
    if (!thread)
        return true;
    if (!gos__cas_seq(&thread->locked, GOS_UNLOCKED, GOS_LOCKED)) { /* T2 */
        gos__spin_unlock(&victim->lock);
        return false; /* abandoned */
    }
    gos__membarrier();                       /* T3 */
    for (int spins = 0; gos__load_acquire(&thread->in_runtime); spins++) { /* T4, pairs with O5 */
        if (spins < 1000) {
            gos__cpu_relax();
            continue;
        }
        /* The owner sleeps or was preempted in the runtime: give up rather than wait for it. */
        gos__cas_seq(&thread->locked, GOS_LOCKED, GOS_UNLOCKED);
        gos__spin_unlock(&victim->lock);
        if (!gos__self.worker)
            sched_yield(); /* who wants the spin lock itself gets it, however often we try */
        return false;
    }
    return true;
}

void gos__worker_unlock(gos__worker *victim)
{
    if (victim->thread)
        gos__cas_seq(&victim->thread->locked, GOS_LOCKED, GOS_UNLOCKED); /* T6; not if abandoned meanwhile */
    gos__spin_unlock(&victim->lock);
}

/* Half of the victim's tasks, from the back; the last of them is returned to be run. */
static gos__task *steal(gos__worker *thief, gos__worker *victim)
{
    if (!gos__worker_lock(victim))
        return NULL;
    uint32_t n = victim->back - victim->front;
    uint32_t take = (n + 1) / 2;
    gos__task *task = NULL;
    if (take) {
        uint32_t from = victim->back - take;
        for (uint32_t i = 0; i + 1 < take; i++)
            gos__push_back(thief, victim->queue[(from + i) & (GOS_QUEUE_SIZE - 1)]);
        task = victim->queue[(victim->back - 1) & (GOS_QUEUE_SIZE - 1)];
        gos__store_relaxed(&victim->back, from);
        gos__store_relaxed(&gos__rt->fruitless, 0u);
        victim->wake_credit = gos__wake_credit();
        thief->steals++;
        thief->stolen_tasks += take;
        gos__trace_note(thief, GOS_EV_STEAL, victim->index, take, 0);
    }
    gos__worker_unlock(victim);
    return task;
}

/* Tasks that a thief may take. */
static uint32_t stealable(const gos__worker *victim)
{
    return gos__load_relaxed(&victim->gathered) ? 0 : gos__queue_length(victim);
}

static bool worth_stealing(gos__worker *victim, gos__sighting *seen, int64_t now)
{
    uint32_t n = stealable(victim);
    if (n > 1)
        return true;
    uint32_t tick = gos__load_relaxed(&victim->tick);
    if (!n || !seen->since || seen->tick != tick) {
        *seen = (gos__sighting){ .tick = tick, .since = now };
        return false;
    }
    return now - seen->since >= LONE_TASK_NS;
}

/* Its own turn comes every 61 switches or sooner, so a worker that keeps switching is left its overdue timers for a
 * while, and so is one that sleeps, since it is about to wake: gos__timers_wake_at. One that stays on a task does not
 * see to them. */
static bool neglects_timers(const gos__worker *victim, gos__sighting *seen, int64_t late, int64_t now)
{
    if (late >= OVERSLEPT_NS)
        return true;
    if (late < OVERDUE_NS)
        return false;
    uint32_t tick = gos__load_relaxed(&victim->tick);
    if (!seen->late_since || seen->late_tick != tick) {
        seen->late_tick = tick;
        seen->late_since = now;
    }
    return !gos__load_relaxed(&victim->dozing) && now - seen->late_since >= LONE_TASK_NS;
}

static void steal_timers(gos__worker *thief, gos__worker *victim, gos__sighting *seen, int64_t now)
{
    int64_t late = now - gos__load_relaxed(&victim->timers.first);
    if (!neglects_timers(victim, seen, late, now) || !gos__worker_lock(victim))
        return;
    /* A select in the midst of its preparations relies on its alarm not going off. */
    if (!victim->thread || !gos__load_relaxed(&victim->thread->keeps_worker))
        gos__timers_steal(thief, victim, now);
    gos__worker_unlock(victim);
}

static gos__task *steal_somewhere(gos__worker *worker, int64_t now)
{
    uint32_t n = gos__load_acquire(&gos__rt->made); /* pairs with the release in change_procs */
    uint32_t at = gos__rng_below(&worker->rng, n);
    for (uint32_t i = 0; i < n; i++, at = at + 1 == n ? 0 : at + 1) {
        gos__worker *victim = gos__rt->workers[at];
        if (victim != worker)
            steal_timers(worker, victim, &worker->seen[at], now);
        if (victim == worker || !worth_stealing(victim, &worker->seen[at], now))
            continue;
        gos__task *task = steal(worker, victim);
        if (task)
            return task;
    }
    return NULL;
}

/* Whether to look once more. The kernel was asked to end a sleep this much early. */
static bool goes_on(const gos__worker *worker, int64_t spent, int64_t now)
{
    if (worker->vain < VAIN && spent < SEARCH_NS && gos__load_relaxed(&gos__rt->made) > 1)
        return true;
    return gos__timers_wake_at(&worker->timers) - now <= gos__self.wake_late;
}

/* Looks everywhere for a while. */
static gos__task *search(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    int64_t start = gos__clock_ns(), now = start;
    int64_t spent = worker->timers.spent;
    bool by_timer, early;
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
        worker->seen[i].since = 0;
    gos__task *task = NULL;
    gos__add_seq(&rt->searching, 1u);
    do {
        int64_t end = gos__timers_first_end(&worker->timers);
        early = gos__timers_run(worker) < end;
        by_timer = worker->back != worker->front;
        if (gos__load_relaxed(&gos__netpoll_waits))
            gos__netpoll();
        if (worker->back != worker->front) {
            task = worker->queue[worker->front & (GOS_QUEUE_SIZE - 1)];
            gos__store_relaxed(&worker->front, worker->front + 1);
        } else {
            task = gos__shared_take(worker);
        }
        if (!task)
            task = steal_somewhere(worker, now);
        if (task || gos__load_relaxed(&worker->quit))
            break;
        for (int i = 0; i < 20; i++)
            gos__cpu_relax();
        now = gos__clock_ns();
    } while (goes_on(worker, spent + now - start, now));
    /* The last searcher that found something lets another one look: there may be more. */
    if (!task)
        gos__add_relaxed(&rt->fruitless, 1u);
    worker->vain = task && !by_timer ? 0 : worker->vain + !task;
    worker->timers.spent = task && by_timer && early ? spent + now - start : 0;
    bool last = gos__add_seq(&rt->searching, -1u) == 1, more = gos__queue_length(worker);
    if (last && task && ((more && (!by_timer || gos__timers_need_help(worker))) || gos__load_relaxed(&rt->shared_n)))
        gos__wake_one(worker);
    return task;
}

bool gos__work_elsewhere(const gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
        if (rt->workers[i] != worker && stealable(rt->workers[i]) > 1)
            return true;
    return false;
}

static bool work_anywhere(const gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    return gos__load_relaxed(&rt->shared_n) || gos__load_relaxed(&worker->quit) ||
           gos__load_relaxed(&rt->returning_n) || gos__load_relaxed(&rt->retired) || gos__work_elsewhere(worker);
}

void gos__idle_clear(gos__worker *worker)
{
    uint32_t bit = 1u << worker->index % 32;
    if (gos__and_seq(&gos__rt->idle[worker->index / 32], ~bit) & bit)
        gos__add_seq(&gos__rt->idle_n, -1u);
}

/* The kernel wakes a sleeper late, by about as much as the last times: this much earlier it is asked to, at most. What
 * is then left is spent looking around. */
#define WAKE_LATE_MOST_NS 30000

static void sleep_until(gos__netpoll_batch *batch, bool polls, int64_t deadline, int64_t early)
{
    int64_t until = deadline - early;
    if (deadline != INT64_MAX)
        gos__thread_lax(false);
    if (polls)
        gos__netpoll_sleep(batch, until);
    else
        gos__futex_wait(&gos__self.futex, 0, until); /* I4 */
    int64_t late = deadline == INT64_MAX ? -1 : gos__clock_ns() - until;
    if (late < 0 || gos__load_relaxed(&gos__self.futex))
        return; /* woken by somebody */
    if (late > WAKE_LATE_MOST_NS)
        late = WAKE_LATE_MOST_NS;
    gos__self.wake_late += (late - gos__self.wake_late) / 4;
}

/* Sleeps until woken or until the first timer. The owner is outside the runtime meanwhile, so thieves may look. False:
 * the worker went to another thread, which carries a task, and this one has none, or another, now. */
static bool doze(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__netpoll_batch batch;
    bool polls = gos__netpoll_begin(&batch);
    bool is_lost = false, sleeps = false;
    gos__spares_settle(&worker->stacks);
    if (gos__unlikely(gos__load_relaxed(&worker->trim_asked))) {
        gos__store_relaxed(&worker->trim_asked, false);
        gos__regions_settle_rest(&worker->stacks);
    }
    worker->wake_credit = gos__wake_credit();
    gos__store_relaxed(&gos__self.futex, 0u);
    gos__or_seq(&rt->idle[worker->index / 32], 1u << worker->index % 32); /* I1 */
    gos__add_seq(&rt->idle_n, 1u);
    gos__membarrier(); /* I2 */
    if (!work_anywhere(worker)) { /* I3 */
        sleeps = true;
        gos__trace_idle(worker, GOS_EV_IDLE);
        /* Before others may add to them, who then wake us. */
        int64_t deadline = gos__timers_wake_at(&worker->timers);
        bool is_exact = deadline == worker->timers.first && deadline != INT64_MAX;
        gos__store_relaxed(&worker->dozing, 1u);
        gos__store_relaxed(&worker->dozes, worker->dozes + 1);
        gos__store_relaxed(&gos__self.task, NULL); /* a thread that carries no task does not ask for a worker */
        gos__store_release(&gos__self.in_runtime, 0u);
        sleep_until(&batch, polls, deadline, is_exact ? gos__self.wake_late : 0);
        gos__wait_unlocked();
        uint32_t locked = gos__load_acquire(&gos__self.locked);
        is_lost = locked == GOS_LOST || locked == GOS_AWAITS || gos__self.worker != worker;
    }
    if (!is_lost) {
        if (gos__load_relaxed(&gos__self.futex))
            worker->vain = 0;
        gos__store_relaxed(&worker->dozing, 0u);
        gos__idle_clear(worker);
        if (sleeps) /* else it would fill a trace, where there is work that it cannot have */
            gos__trace_idle(worker, GOS_EV_WAKE);
        gos__monitor_wake(rt);
    }
    if (polls)
        gos__netpoll_end(&batch, is_lost);
    if (is_lost && gos__netpoll_alone())
        gos__wake_one(NULL); /* for somebody else to poll */
    return !is_lost;
}

gos__task *gos__find(gos__worker *worker)
{
    if (!gos__is_traced(worker))
        gos__trace_resume(worker);
    gos__trace_idle(worker, GOS_EV_SEARCH);
    if (gos__load_relaxed(&worker->gathered))
        gos__gather_end(worker);
    for (;;) {
        if (gos__unlikely(gos__load_relaxed(&gos__rt->retired) != NULL) && !gos__load_relaxed(&worker->quit))
            gos__inherit(worker);
        gos__task *task = gos__is_seeded() ? gos__seed_find(worker) : search(worker);
        if (task)
            return task;
        if (gos__load_relaxed(&worker->quit)) {
            gos__retire(worker);
            return NULL;
        }
        if (gos__unlikely(gos__load_relaxed(&gos__rt->returning_n)) && gos__give_worker(worker))
            return NULL;
        if (!doze(worker))
            return NULL;
    }
}

gos__worker *gos__idle_pick(void)
{
    gos__runtime *rt = gos__rt;
    for (uint32_t word = 0; word < GOS_MAX_PROCS / 32; word++) {
        uint32_t bits = gos__load_relaxed(&rt->idle[word]);
        if (!bits)
            continue;
        uint32_t bit = bits & -bits;
        if (!(gos__and_seq(&rt->idle[word], ~bit) & bit))
            continue; /* somebody else was quicker */
        gos__add_seq(&rt->idle_n, -1u);
        gos__monitor_wake(rt); /* the sleeper may have woken by itself and found no bit of its own to clear */
        return rt->workers[word * 32 + (uint32_t)__builtin_ctz(bit)];
    }
    return NULL;
}

/* worker: who submits, or NULL: a foreign thread. A single waiting task is most often the partner that runs as soon
 * as the submitter parks, so waking somebody for it is rationed. */
void gos__wake_one(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    if (gos__load_relaxed(&rt->searching))
        return;
    if (worker && gos__load_relaxed(&worker->gathered) && !gos__load_relaxed(&rt->shared_n))
        return;
    if (worker && gos__queue_length(worker) < 2 && !gos__load_relaxed(&rt->shared_n)) {
        if (!worker->wake_credit)
            return;
        worker->wake_credit--;
    }
    gos__worker *sleeper = gos__idle_pick();
    if (!sleeper)
        return;
    gos__spin_lock(&sleeper->lock); /* it may be waking by itself, and even be giving the worker away */
    if (sleeper->thread)
        gos__thread_wake(sleeper->thread);
    gos__spin_unlock(&sleeper->lock);
    if (worker)
        worker->wakes++;
}
