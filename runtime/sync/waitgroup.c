/*
 * waitgroup.c: the word holds twice the count, plus 1 when tasks wait. Whoever brings it to exactly 0 touches the
 * group no more, since a waiter that sees 0 may free it; whoever brings it to 1 finds the waiters still parked: the
 * last of them does not leave then because its time is over, and takes the 1 away where it leaves before. One that
 * comes and sees 0 also wants the lock to be free. All this is found out in arch/sync_x86_64.S.
 */
#include "base/check.h"
#include "sched/worker.h"
#include "sync/list.h"
#include "sync/sync.h"

enum { WAITED_FOR = GOS_GROUP_WAITED_FOR, ONE = GOS_GROUP_ONE };
_Static_assert(offsetof(gos_waitgroup, gos__count) == 0, "the count is where assembly looks for it");

static void wake_all(gos_waitgroup *group)
{
    gos__spin_lock(&group->gos__spin);
    gos__waiter *first = gos__list_take_all(&group->gos__waiters);
    gos__and_seq(&group->gos__count, ~(int64_t)WAITED_FOR); /* seq: no weaker one is named */
    gos__spin_unlock(&group->gos__spin);
    gos__list_end_all(first);
}

void gos__waitgroup_turn(gos_waitgroup *group, int64_t now)
{
    gos__require(group != NULL, "gos_waitgroup_add: the group is NULL");
    gos__require(now >= 0, "gos_waitgroup: the count fell below zero, or rose above 2^62 - 1");
    if (now == WAITED_FOR)
        wake_all(group);
}

#if GOS_TSAN
void gos__waitgroup_add(gos_waitgroup *group, long n)
{
    int64_t change, now = -1;
    if (group && !__builtin_mul_overflow(n, ONE, &change))
        __builtin_add_overflow(gos__add_seq(&group->gos__count, change), change, &now);
    gos__waitgroup_turn(group, now);
}

void gos__waitgroup_done(gos_waitgroup *group)
{
    gos__waitgroup_add(group, -1);
}
#endif

/* At 1 the last one is about to take the lock and wake all; to return now would let a new round begin first. */
static bool is_over(void *object, void *elem)
{
    (void)elem;
    gos_waitgroup *group = object;
    int64_t seen = gos__load_acquire(&group->gos__count);
    do {
        if (!seen)
            return true;
    } while (!(seen & WAITED_FOR) && !gos__cas64_seq(&group->gos__count, &seen, seen | WAITED_FOR));
    return false;
}

/* The only one that waits stays at 1; else nobody is to be told any more. */
static bool is_ending(void *object)
{
    gos_waitgroup *group = object;
    bool others = group->gos__waiters.gos__first != group->gos__waiters.gos__last;
    int64_t seen = gos__load_acquire(&group->gos__count);
    do {
        if (others || seen == WAITED_FOR)
            return !others;
    } while (!gos__cas64_seq(&group->gos__count, &seen, seen & ~(int64_t)WAITED_FOR));
    return false;
}

static gos__place place_in(gos_waitgroup *group)
{
    gos__require(group != NULL, "gos_waitgroup_wait: the group is NULL");
    return (gos__place){ .object = group, .lock = &group->gos__spin, .list = &group->gos__waiters, .take = is_over,
                         .stays = is_ending, .why = GOS_WAIT_GROUP };
}

/* What is over needs no alarm. */
static bool is_over_now(gos_waitgroup *group)
{
    gos__spin_lock(&group->gos__spin);
    bool over = !gos__load_acquire(&group->gos__count);
    gos__spin_unlock(&group->gos__spin);
    return over;
}

gos__task *gos__waitgroup_wait(gos_waitgroup *group, int64_t deadline, void *c, gos__task *self)
{
    (void)c;
    gos__place place = place_in(group);
    self->result = 0;
    if (deadline != GOS_NEVER && is_over_now(group))
        return self;
    return gos__list_await(&place, NULL, deadline, self);
}

int gos__waitgroup_wait_outside(gos_waitgroup *group, int64_t deadline)
{
    gos__place place = place_in(group);
    return gos__list_await_outside(&place, NULL, deadline);
}
