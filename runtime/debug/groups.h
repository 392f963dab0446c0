/*
 * groups.h: tasks by what they do and where: those that are alike share a group.
 *
 * A parked task's backtrace is read while it is claimed (sched/claim.h), so that its stack stays as it is. Unwinding
 * takes some microseconds, so it is done once for each shape: tasks of which a stack of the same depth holds the same
 * return addresses in the same places have the same backtrace. Of what cannot be claimed (tasks that are ready, or
 * pinned) the frame pointers are followed, within the task's own stacks.
 */
#ifndef GOS_DEBUG_GROUPS_H
#define GOS_DEBUG_GROUPS_H

#include <stdbool.h>

#include "debug/backtrace.h"
#include "sched/worker.h"

enum { GOS_GROUPS = 2048 };

typedef struct gos__group {
    gos__entry *entry;
    uint32_t creator; /* of gos__creator_at */
    uint8_t state, why, kind;
    bool is_deep, is_pinned;
    bool is_away;      /* packed: its stack was not looked at */
    gos__backtrace backtrace;

    long count;
    const gos__task *one;         /* of them */
    uintptr_t subject;            /* what that one waits on; 0: not known, or not an object */
    int descriptor;               /* or this one; -1 */
    bool has_others;              /* others wait on something else */
    uint32_t shortest, longest;   /* waits, in half seconds */
    struct gos__group *next;      /* of the same hash */
} gos__group;

/* Whether tasks do the same, wherever they were started; and two such groups as one. */
bool gos__group_is_like(const gos__group *a, const gos__group *b);
void gos__group_add(gos__group *to, const gos__group *from);

typedef struct gos__groups gos__groups;

/* NULL: no memory. meanwhile: called every few hundred tasks, if given. is_still: nothing can run, so that nothing
 * needs to be claimed. */
gos__groups *gos__groups_open(bool may_claim, bool is_still, void (*meanwhile)(void));
void gos__groups_close(gos__groups *groups);

/* Adds all tasks. */
void gos__groups_add_all(gos__groups *groups);

/* Adds some of the parked ones, evenly spread and beginning anywhere: at least half of n, if there are so many stacks.
 * Each counts as `weight` for each stack that it stands for. */
void gos__groups_add_some(gos__groups *groups, gos__rng *rng, uint32_t n, long weight);

/* Adds one that runs, with a backtrace that its thread made; it is to be left out of the former. */
void gos__groups_except(gos__groups *groups, const gos__task *task);
void gos__groups_add_running(gos__groups *groups, const gos__task *task, const gos__backtrace *backtrace);

/* The groups by size, largest first; *others: tasks for which there was no group left. */
size_t gos__groups_sort(gos__groups *groups, gos__group ***sorted, long *tasks, long *others);

#endif
