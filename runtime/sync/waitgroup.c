/*
 * waitgroup.c: the word holds twice the count, plus 1 when tasks wait. Whoever brings it to exactly 0 touches the
 * group no more, since a waiter that sees 0 may free it; whoever brings it to 1 finds the waiters still parked.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/sync.h"

enum { WAITED_FOR = 1, ONE = 2 };

static void wake_all(gos_waitgroup *group)
{
    gos__spin_lock(&group->gos__spin);
    gos__task *task = group->gos__head;
    group->gos__head = NULL;
    gos__store_release(&group->gos__count, (int64_t)0);
    gos__spin_unlock(&group->gos__spin);
    while (task) {
        gos__task *next = task->next;
        gos__ready(task, false);
        task = next;
    }
}

void gos__waitgroup_add(gos_waitgroup *group, long n)
{
    gos__require(group != NULL, "gos_waitgroup_add: the group is NULL");
    int64_t change = (int64_t)n * ONE;
    int64_t now = gos__add_seq(&group->gos__count, change) + change; /* seq: releases what was done before */
    gos__require(now >= 0, "gos_waitgroup: the count fell below zero");
    if (now == WAITED_FOR)
        wake_all(group);
}

void gos__waitgroup_done(gos_waitgroup *group)
{
    gos__waitgroup_add(group, -1);
}

gos__task *gos__waitgroup_wait(gos_waitgroup *group, void *b, void *c, gos__task *self)
{
    (void)b, (void)c;
    gos__require(group != NULL, "gos_waitgroup_wait: the group is NULL");
    self->result = 0;
    if (gos__load_acquire(&group->gos__count) == 0)
        return self;
    gos__spin_lock(&group->gos__spin);
    int64_t seen = gos__load_relaxed(&group->gos__count);
    do {
        if (seen < ONE) { /* 0, or 1: the last one is about to wake those that wait; this one need not join them */
            gos__spin_unlock(&group->gos__spin);
            return self;
        }
    } while (!gos__cas64_seq(&group->gos__count, &seen, seen | WAITED_FOR));
    self->state = GOS_PARKED;
    self->why = GOS_WAIT_GROUP;
    self->next = group->gos__head;
    group->gos__head = self;
    gos__spin_unlock(&group->gos__spin);
    return gos__park(self);
}
