/*
 * gossamer/group.h: what is often built of tasks: groups that end together, loops in parallel, barriers. A library over
 * the public interface, which does nothing that a program could not do itself. Tasks and any thread.
 */
#ifndef GOSSAMER_GROUP_H
#define GOSSAMER_GROUP_H

#include <gossamer.h>
#include <gossamer/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- groups: tasks that work on one thing, any of which may fail ------------------------------------------------ */

typedef struct gos_group {
    gos_context *context; /* the first failure cancels it; NULL: none. Set it before gos_group_go; yours to free */
    gos_waitgroup gos__all;
    int gos__error;
} gos_group;
#define GOS_GROUP_INIT { NULL, GOS_WAITGROUP_INIT, 0 }

/* Starts a task of the group that runs fn(arg), which returns 0, or a -errno when it has failed; it may not end by
 * gos_exit, nor may a function of gos_parallel_for or gos_once_do: that is fatal. -ENOMEM, -EPERM: as
 * gos_go; that counts as a failure of the group too. */
int gos_group_go(gos_group *group, int (*fn)(void *), void *arg);

/* Parks until all its tasks have ended; the first failure, or 0. Afterwards the group may be used again. */
int gos_group_wait(gos_group *group);

/* ---- loops ------------------------------------------------------------------------------------------------------- */

/* Calls fn(from, to, arg) for parts of begin .. end - 1, each of at most `grain` (at least 1), in tasks of their own
 * where there is memory for them; parks until all have returned. */
void gos_parallel_for(long begin, long end, long grain, void (*fn)(long from, long to, void *arg), void *arg);

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

typedef struct gos_barrier {
    long gos__n, gos__missing;
    uint64_t gos__round;
    gos_mutex gos__mutex;
    gos_cond gos__cond;
} gos_barrier;
#define GOS_BARRIER_INIT(n) { (n), (n), 0, GOS_MUTEX_INIT, GOS_COND_INIT }

/* Parks until n have come; 1 for the last one of them, 0 for the others. Then it is ready for the next round. */
int gos_barrier_wait(gos_barrier *barrier);

#ifdef __cplusplus
}
#endif
#endif
