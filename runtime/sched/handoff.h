/* handoff.h: how workers leave threads whose tasks block. */
#ifndef GOS_SCHED_HANDOFF_H
#define GOS_SCHED_HANDOFF_H

#include "sched/worker.h"

/* Gives this worker to another thread, since its own is blocked outside the runtime, or runs a loop there; false: it
 * does not, or no thread is to be had yet. On the monitor. */
bool gos__hand_off(gos__worker *worker, bool loops);

/* thread.c: a thread that this worker may go to, which is then to be granted it; NULL: there is none. */
gos__thread *gos__find_heir(gos__worker *worker);

/* thread.c: gos__worker_grant, under worker->lock, which it releases. */
void gos__worker_grant_locked(gos__worker *worker, gos__thread *thread);

/* idle.c: whether more tasks wait for another worker than it comes to at once. */
bool gos__work_elsewhere(const gos__worker *worker);

/* A marked task's turn has come: true: this thread runs it, without a worker if others wait; false: it is put off. */
bool gos__roam(gos__worker *worker, gos__task *task);

/* This thread, which lost its worker, is back in the runtime with its task: marks that, or takes the mark off. */
void gos__roam_over(gos__thread *self);

/* On the monitor, at each look: ends what has roamed for too long, and gives when to look again where a thread roams;
 * makes the spare thread that a worker missed. */
int64_t gos__roam_look(gos__runtime *rt, int64_t now);
void gos__spare_ahead(gos__runtime *rt);

/* The task on this thread says that it is about to block; good until the worker switches. So a thread whose task parked
 * in that call, and goes on elsewhere, does not pass for blocked whatever runs there from then on. */
static inline void gos__say_blocking(gos__thread *self, const gos__worker *worker)
{
    gos__store_relaxed(&self->blocking, UINT64_C(1) << 32 | worker->tick);
}

static inline bool gos__says_blocking(const gos__thread *thread, const gos__worker *worker)
{
    return gos__load_relaxed(&thread->blocking) == (UINT64_C(1) << 32 | gos__load_relaxed(&worker->tick));
}

/* Whether the worker may go to another thread now, for the sake of tasks and not since its own is blocked. */
bool gos__may_pass(const gos__worker *worker);

/* Whether the kernel may end the sleeps of this thread as late as those of the program's own threads. It ends many
 * together then, which costs a third less. */
void gos__thread_lax(bool is_lax);

#endif
