/*
 * trace.h: what is recorded of workers (os/ring.h, stack/event.h): always, for the flight recorder and the histogram of
 * how long tasks are ready before they run; and more of it for a trace in a file.
 *
 * Nothing on the paths that most switches take asks for it. A worker that is traced shows that in words that these
 * paths look at anyway, and so each of them goes where there is time:
 *
 *     attention has GOS_TRACED          whoever takes the next task at once (gos__next_at_once) leaves it to gos__next
 *     streak has GOS_STREAK_TRACED      whoever puts a task in front (gos__ready_in_front, MEET), to gos__ready
 *     usual_entry is NULL               gos__go to go_slowly
 *     `pinned` of a ready task has      it is ready since the stamp in `ready_since`; whoever takes a task to run it
 *     GOS_TIMED                         looks there for claims (claim.h)
 *
 * A worker is traced until its budget (os/ring.h) is used up: a gap begins, in which only what happens seldom is
 * recorded. The monitor sees that and asks for its attention when there is a budget again. So whatever a program does,
 * the recording costs a bounded share of its time, and a program that switches less often is recorded whole.
 */
#ifndef GOS_SCHED_TRACE_H
#define GOS_SCHED_TRACE_H

#include "sched/worker.h"
#include "stack/event.h"

static inline bool gos__is_traced(const gos__worker *worker)
{
    return worker->streak & GOS_STREAK_TRACED;
}

/* Of the worker that this thread holds, and which is traced. `how`: enum gos__left; the task that runs here leaves;
 * another one takes its place. */
void gos__trace_leaves(gos__worker *worker, enum gos__left how);
void gos__trace_runs(gos__worker *worker, const gos__task *task);

/* A task has been made ready, and is in no queue yet or in one of this worker's; or it was started so. */
void gos__trace_ready(gos__worker *worker, gos__task *task, enum gos__readied_by by);
void gos__trace_spawn(gos__worker *worker, gos__task *task, const gos__task *parent);

/* `child` has taken the place of `parent`, which waits in front of the queue. */
void gos__trace_go(gos__worker *worker, gos__task *parent, const gos__task *child);

/* The same by a thread that has no worker; under gos__rt_lock. */
void gos__trace_ready_outside(gos__runtime *rt, gos__task *task);
void gos__trace_spawn_outside(gos__runtime *rt, gos__task *task);

/* A task with GOS_TIMED is about to run on this thread: takes that off. */
void gos__trace_timed(gos__worker *worker, gos__task *task);

/* Adds up how long tasks were ready before they ran; and below how many nanoseconds, a power of two, that share of them
 * is; 0: nothing was counted. */
void gos__waits_add(const gos__worker *worker, int64_t *waits);
int64_t gos__waits_below(const int64_t *waits, int percent);

/* Begins to trace the worker that this thread holds, if it may be. */
void gos__trace_resume(gos__worker *worker);

/* GOS_EV_SEARCH, _IDLE, _WAKE, if it is traced. */
void gos__trace_idle(gos__worker *worker, enum gos__event_kind kind);

/* What happens seldom, to a worker that the caller holds; outside of any. */
static inline void gos__trace_note(gos__worker *worker, enum gos__event_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    gos__ring_note(&worker->trace.ring, (uint8_t)kind, a, b, c);
}
/* GOS_EV_THREAD, GOS_EV_HANDOFF, with the task that the thread carries. */
void gos__trace_thread(gos__worker *worker, enum gos__event_kind kind, const gos__thread *thread);
void gos__trace_note_outside(gos__runtime *rt, enum gos__event_kind kind, uint64_t c);

/* For a new worker and run; a worker that comes into use; and when nothing of them is used any more. */
void gos__trace_open(gos__trace *trace);
void gos__trace_begin(gos__worker *worker);

/* On the monitor: asks workers for their attention that may be traced again. */
void gos__trace_look(gos__runtime *rt, int64_t now);

/* ---- debug/trace.c ---- */

/* Around a run; in a child process. */
void gos__trace_run_begins(void);
void gos__trace_run_ends(void);
void gos__trace_forked(void);

/* Threads of the process that write a trace. */
extern uint32_t gos__trace_threads;

#endif
