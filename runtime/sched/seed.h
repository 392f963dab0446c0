/*
 * seed.h: GOS_SEED: one worker, every scheduling decision drawn from the seed, and a clock that only decisions move,
 * so that a run is the same each time and another seed is another interleaving.
 *
 *   - Which task goes on is drawn among those that may, at every switch.
 *   - Whether to switch is drawn wherever a task could be interrupted: at the return of each call that may park, and at
 *     each checked prologue, since the limit word stays poisoned. How often is drawn once: some faults show when tasks
 *     are interrupted all the time, others when that is rare (Burckhardt et al., "A randomized scheduler with
 *     probabilistic guarantees of finding bugs", ASPLOS 2010).
 *   - The clock of tasks starts at one second, gains GOS_SEED_SWITCH_NS at a switch, and jumps to the next timer when
 *     no task may run.
 *
 * What is outside of this is not replayed: other processes, the program's own threads, the C library's clocks, and a
 * task that blocks its thread for long, whose worker has to go to another one.
 */
#ifndef GOS_SCHED_SEED_H
#define GOS_SCHED_SEED_H

#include "os/os.h"
#include "sched/worker.h"

#define GOS_SEED_SWITCH_NS 1000

/* So long may a task block the only worker's thread, in real time, before the worker goes to another one. */
#define GOS_SEED_PATIENCE_NS 20000000

/* The clock of tasks; 0: it is the machine's. Written by the worker's thread. */
extern int64_t gos__seed_now GOS_HIDDEN;

static inline bool gos__is_seeded(void)
{
    return gos__unlikely(gos__load_relaxed(&gos__seed_now) != 0);
}

/* The clock that timers and deadlines of tasks go by. */
static inline int64_t gos__task_clock(void)
{
    int64_t now = gos__load_relaxed(&gos__seed_now);
    return gos__likely(!now) ? gos__clock_ns() : now;
}

/* The clock of the calling thread. */
static inline int64_t gos__own_clock(void)
{
    return gos__self.worker ? gos__task_clock() : gos__clock_ns();
}

/* Before the workers of a run are made, and after it. */
void gos__seed_begin(void);
void gos__seed_end(void);

/* From where a worker's own draws start. */
uint64_t gos__seed_of_worker(uint32_t index);

/* The task to go on with, drawn; NULL: none may run now. */
gos__task *gos__seed_pick(gos__worker *worker);

/* The same, after the clock has gone on to the first timer if need be; NULL: only the world outside can help. */
gos__task *gos__seed_find(gos__worker *worker);

/* A task is about to go on, and may be interrupted instead: who goes on (arch/entry_x86_64.S); NULL as gos__next. */
gos__task *gos__seed_turn(gos__task *task);

/* A door at which a task may be interrupted, and nothing else happens. */
gos__task *gos__seed_chance(void *a, void *b, void *c, gos__task *self);

/* A task blocks its thread for longer than the patience: says that this run cannot be replayed, once. */
void gos__seed_lost(void);

#endif
