/* trace.c: what is recorded of workers, and when: trace.h. */
#include "sched/trace.h"

#include "os/os.h"
#include "sched/seed.h"
#include "sched/subject.h"

/* A worker is traced again when its budget has earned so many records, but not before so long. */
enum { CHUNK = 64 };
#define PAUSE_NS 1000000

/* Stamps between two of which the clock need not be read: of one switch. */
static int64_t clock_of(gos__trace *trace)
{
    if (!trace->last)
        trace->last = gos__clock_ns();
    return trace->last;
}

/* ---- being traced or not ---- */

static void begin_gap(gos__worker *worker, int64_t now)
{
    gos__trace *trace = &worker->trace;
    worker->streak &= ~GOS_STREAK_TRACED;
    gos__and_seq(&worker->attention, ~(uint32_t)GOS_TRACED); /* seq: others set GOS_ATTEND there */
    trace->gap_spawned = worker->spawned;
    trace->gap_ended = worker->ended;
    trace->gap_tick = worker->tick;
    trace->last = 0;
    gos__ring_put(&trace->ring, gos__stamp(now, GOS_EV_GAP), 0, 0, 0);
    gos__store_relaxed(&trace->gap_since, now);
}

static void end_gap(gos__worker *worker, int64_t now)
{
    gos__trace *trace = &worker->trace;
    gos__store_relaxed(&trace->gap_since, (int64_t)0);
    worker->streak |= GOS_STREAK_TRACED;
    gos__or_seq(&worker->attention, (uint32_t)GOS_TRACED); /* seq: as in begin_gap */
    gos__store_relaxed(&worker->usual_entry, NULL);
    trace->last = now;
    gos__ring_put(&trace->ring, gos__stamp(now, GOS_EV_GAP_END), worker->tick - trace->gap_tick,
                  (uint64_t)(worker->spawned - trace->gap_spawned), (uint64_t)(worker->ended - trace->gap_ended));
}

void gos__trace_resume(gos__worker *worker)
{
    gos__trace *trace = &worker->trace;
    uint32_t due = gos__load_relaxed(&trace->due);
    if (!gos__load_acquire(&trace->ring.events)) /* pairs with gos__ring_open */
        return;
    int64_t now = gos__clock_ns(), since = gos__load_relaxed(&trace->gap_since);
    if (due == GOS_TRACE_FRESH)
        trace->ring.often = trace->ring.seldom = (gos__budget){ gos__load_relaxed(&gos__rings_are.most), now };
    else if (now - since < PAUSE_NS)
        return;
    gos__store_relaxed(&trace->due, 0u);
    if (gos__is_traced(worker))
        return;
    gos__budget_fill(&trace->ring.often, now);
    if (trace->ring.often.left >= CHUNK && !gos__ring_is_full(&trace->ring, GOS_RING / 2))
        end_gap(worker, now);
}

void gos__trace_look(gos__runtime *rt, int64_t now)
{
    int64_t pause = CHUNK * gos__load_relaxed(&gos__rings_are.each_ns);
    for (uint32_t i = 0; !gos__is_seeded() && i < rt->made; i++) {
        gos__worker *worker = rt->workers[i];
        int64_t since = gos__load_relaxed(&worker->trace.gap_since);
        uint32_t due = gos__load_relaxed(&worker->trace.due);
        bool is_over = since && now - since >= (pause > PAUSE_NS ? pause : PAUSE_NS);
        if (!due && !is_over)
            continue;
        if (!due)
            gos__store_relaxed(&worker->trace.due, 1u);
        gos__call_attention(worker); /* also for who cleared it just before it could see `due` */
    }
}

/* For a record of a traced worker: the clock; 0: the budget is used up, and it is not traced any more. */
static int64_t may_record(gos__worker *worker)
{
    gos__ring *ring = &worker->trace.ring;
    int64_t now = clock_of(&worker->trace);
    if (gos__unlikely((ring->often.left <= 0 && !gos__budget_fill(&ring->often, now)) ||
                      gos__ring_is_full(ring, GOS_RING_RESERVE))) {
        begin_gap(worker, now);
        return 0;
    }
    ring->often.left--;
    return now;
}

static void record(gos__worker *worker, enum gos__event_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    int64_t now = may_record(worker);
    if (gos__likely(now))
        gos__ring_put(&worker->trace.ring, gos__stamp(now, (uint8_t)kind), a, b, c);
}

/* ---- since when a task is ready ---- */

/* In the stamp's lowest byte: a record says so. False: it is not timed. */
static bool time_task(gos__task *task, int64_t now, bool is_recorded)
{
    if (gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH)
        return false; /* it comes back by other ways (pin.c) */
    gos__store_relaxed(&task->ready_since, gos__stamp(now, is_recorded));
    __atomic_fetch_or(&task->pinned, GOS_TIMED, __ATOMIC_RELAXED); /* the monitor may be about to claim it */
    return true;
}

static void count_wait(gos__trace *trace, int64_t ns)
{
    int bit = ns > 0 ? 63 - __builtin_clzll((uint64_t)ns) : 0;
    int64_t *count = &trace->waits[bit < GOS_STATS_WAITS ? bit : GOS_STATS_WAITS - 1];
    gos__store_relaxed(count, *count + 1); /* gos_stats_read reads it, from anywhere */
}

void gos__waits_add(const gos__worker *worker, int64_t *waits)
{
    for (int i = 0; i < GOS_STATS_WAITS; i++)
        waits[i] += gos__load_relaxed(&worker->trace.waits[i]);
}

int64_t gos__waits_below(const int64_t *waits, int percent)
{
    int64_t all = 0, so_far = 0;
    for (int i = 0; i < GOS_STATS_WAITS; i++)
        all += waits[i];
    for (int i = 0; all && i < GOS_STATS_WAITS; i++)
        if ((so_far += waits[i]) * 100 >= all * percent)
            return (int64_t)2 << i;
    return 0;
}

void gos__trace_timed(gos__worker *worker, gos__task *task)
{
    gos__trace *trace = &worker->trace;
    uint64_t since = gos__load_relaxed(&task->ready_since);
    __atomic_fetch_and(&task->pinned, (uint8_t)~GOS_TIMED, __ATOMIC_RELAXED); /* as in time_task */
    bool is_traced = gos__is_traced(worker);
    int64_t now = is_traced ? clock_of(trace) : gos__clock_ns();
    count_wait(trace, now - gos__stamp_ns(since));
    if (is_traced)
        trace->ready_since = since;
    else
        gos__trace_note(worker, GOS_EV_RUNS, (uintptr_t)task, (uintptr_t)gos__entry_of(task), since);
}

/* ---- records ---- */

static enum gos__where where_of(const gos__task *task)
{
    if (GOS_TSAN) /* it sees that the task may run elsewhere by now */
        return GOS_ON_PAGED;
    const gos__region *region = gos__load_relaxed(&task->region);
    if (!region)
        return GOS_ON_NURSERY;
    return gos__load_relaxed(&region->is_large) ? GOS_ON_LARGE
         : gos__load_relaxed(&region->owned)    ? GOS_ON_PAGED : GOS_ON_REGION;
}

void gos__trace_leaves(gos__worker *worker, enum gos__left how)
{
    gos__task *task = gos__self.task;
    worker->trace.last = 0;
    if (!task)
        return;
    int64_t now = may_record(worker);
    if (!now)
        return;
    uint64_t why = 0;
    gos__subject subject = { .descriptor = -1 };
    enum gos__where where = how == GOS_LEFT_ENDED ? GOS_ON_NURSERY : where_of(task);
    if (how == GOS_LEFT_PARKED) { /* by now it may run elsewhere, and wait for something else */
        why = gos__load_relaxed(&task->why);
        if (!GOS_SAN) /* which lets nobody read others' frames */
            gos__subject_of(task, (uint8_t)why, &subject);
    } else if (how != GOS_LEFT_ENDED) {
        time_task(task, now, false);
    }
    uint64_t on = subject.descriptor >= 0 ? (uint64_t)subject.descriptor : subject.address;
    gos__ring_put(&worker->trace.ring, gos__stamp(now, GOS_EV_LEAVES), (uintptr_t)task, on,
                  how | why << 8 | (uint64_t)where << 16 | (uint64_t)(subject.descriptor >= 0) << 24);
}

void gos__trace_runs(gos__worker *worker, const gos__task *task)
{
    gos__trace *trace = &worker->trace;
    uint64_t since = trace->ready_since;
    trace->ready_since = 0;
    record(worker, GOS_EV_RUNS, (uintptr_t)task, (uintptr_t)gos__entry_of(task), since);
    trace->last = 0;
}

void gos__trace_ready(gos__worker *worker, gos__task *task, enum gos__readied_by by)
{
    worker->trace.last = 0;
    int64_t now = may_record(worker);
    if (!now)
        return;
    bool is_timed = time_task(task, now, true);
    gos__ring_put(&worker->trace.ring, gos__stamp(now, GOS_EV_READY), (uintptr_t)task, by, is_timed);
    worker->trace.last = 0;
}

void gos__trace_spawn(gos__worker *worker, gos__task *task, const gos__task *parent)
{
    worker->trace.last = 0;
    int64_t now = may_record(worker);
    if (!now)
        return;
    time_task(task, now, true);
    gos__ring_put(&worker->trace.ring, gos__stamp(now, GOS_EV_SPAWN), (uintptr_t)task,
                  (uintptr_t)gos__entry_of(task) | GOS_SPAWN_WAITS, (uintptr_t)parent);
    worker->trace.last = 0;
}

void gos__trace_go(gos__worker *worker, gos__task *parent, const gos__task *child)
{
    gos__trace *trace = &worker->trace;
    uintptr_t entry = (uintptr_t)gos__entry_of(child);
    trace->last = 0;
    record(worker, GOS_EV_SPAWN, (uintptr_t)child, entry, (uintptr_t)parent);
    if (!gos__is_traced(worker))
        return;
    time_task(parent, clock_of(trace), false);
    record(worker, GOS_EV_LEAVES, (uintptr_t)parent, 0, GOS_LEFT_SPAWNED | (uint64_t)where_of(parent) << 16);
    if (gos__is_traced(worker))
        record(worker, GOS_EV_RUNS, (uintptr_t)child, entry, 0);
    trace->last = 0;
}

void gos__trace_idle(gos__worker *worker, enum gos__event_kind kind)
{
    if (!gos__is_traced(worker))
        return;
    worker->trace.last = 0;
    record(worker, kind, 0, 0, 0);
    worker->trace.last = 0;
}

/* ---- outside of any worker ---- */

/* Of what makes tasks run there is the same budget. */
static void record_outside(gos__runtime *rt, gos__task *task, enum gos__event_kind kind, uint64_t b)
{
    gos__trace *trace = &rt->outside;
    gos__ring *ring = &trace->ring;
    if (!gos__load_acquire(&ring->events)) /* pairs with gos__ring_open */
        return;
    gos__spin_lock(&trace->lock);
    int64_t now = gos__clock_ns();
    if ((ring->often.left > 0 || gos__budget_fill(&ring->often, now)) && !gos__ring_is_full(ring, GOS_RING_RESERVE)) {
        ring->often.left--;
        bool is_timed = time_task(task, now, true);
        gos__ring_put(ring, gos__stamp(now, (uint8_t)kind), (uintptr_t)task, b, kind == GOS_EV_READY && is_timed);
    } else {
        gos__store_relaxed(&ring->lost, ring->lost + 1);
    }
    gos__spin_unlock(&trace->lock);
}

void gos__trace_ready_outside(gos__runtime *rt, gos__task *task)
{
    record_outside(rt, task, GOS_EV_READY, GOS_BY_OUTSIDE);
}

void gos__trace_spawn_outside(gos__runtime *rt, gos__task *task)
{
    record_outside(rt, task, GOS_EV_SPAWN, (uintptr_t)gos__entry_of(task) | GOS_SPAWN_WAITS);
}

void gos__trace_thread(gos__worker *worker, enum gos__event_kind kind, const gos__thread *thread)
{
    const gos__task *task = gos__load_relaxed(&thread->task); /* its thread may be on its way into the runtime */
    gos__trace_note(worker, kind, (uintptr_t)task, task ? (uintptr_t)gos__entry_of(task) : 0, (uint64_t)thread->tid);
}

void gos__trace_note_outside(gos__runtime *rt, enum gos__event_kind kind, uint64_t c)
{
    gos__spin_lock(&rt->outside.lock);
    gos__ring_note(&rt->outside.ring, (uint8_t)kind, 0, 0, c);
    gos__spin_unlock(&rt->outside.lock);
}

/* ---- beginnings ---- */

void gos__trace_open(gos__trace *trace)
{
    if (gos__load_relaxed(&gos__rings_are.each_ns) && gos__ring_open(&trace->ring))
        trace->gap_since = gos__clock_ns();
}

/* Nobody runs it yet. What it was traced for before it went out of use is over. */
void gos__trace_begin(gos__worker *worker)
{
    worker->streak &= ~GOS_STREAK_TRACED;
    if (!worker->trace.ring.events)
        return;
    gos__store_relaxed(&worker->trace.due, (uint32_t)GOS_TRACE_FRESH);
    gos__or_seq(&worker->attention, (uint32_t)GOS_ATTEND); /* seq: as in begin_gap */
}
