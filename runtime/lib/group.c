/* group.c: gossamer/group.h, over the public interface. Task code, like io/: it runs on its callers' stacks. */
#include <gossamer/group.h>

#include <errno.h>
#include <stdlib.h>

#include "arch/state.h"
#include "base/atomics.h"
#include "base/check.h"

/* ---- groups ---- */

typedef struct member {
    gos_group *group;
    int (*fn)(void *);
    void *arg;
} member;

GOS_EXPORT int gos_group_go(gos_group *group, int (*fn)(void *), void *arg);
GOS_EXPORT int gos_group_wait(gos_group *group);
GOS_EXPORT void gos_parallel_for(long begin, long end, long grain, void (*fn)(long, long, void *), void *arg);
GOS_EXPORT int gos_barrier_wait(gos_barrier *barrier);

static void fail(gos_group *group, int error)
{
    bool first = gos__cas_seq((uint32_t *)&group->gos__error, 0, (uint32_t)error); /* seq: no weaker one is named */
    if (first && group->context)
        gos_context_cancel(group->context, error < 0 ? error : -ECANCELED);
}

static void run_member(void *arg)
{
    gos__set_owes(gos__self.task, true);
    member it = *(member *)arg;
    free(arg);
    int error = (int)gos__call((intptr_t)it.arg, 0, 0, (void *)(uintptr_t)it.fn);
    if (error)
        fail(it.group, error);
    gos_waitgroup_done(&it.group->gos__all);
}

static GOS_NOINLINE int start_member(gos_group *group, int (*fn)(void *), void *arg, uintptr_t by)
{
    gos__require(group != NULL && fn != NULL, "gos_group_go: %s is NULL", group ? "fn" : "the group");
    member *it = malloc(sizeof *it);
    int error = it ? 0 : -ENOMEM;
    if (it) {
        *it = (member){ group, fn, arg };
        gos_waitgroup_add(&group->gos__all, 1);
        error = gos__go_by(run_member, it, by);
    }
    if (!error)
        return 0;
    fail(group, error);
    if (it)
        gos_waitgroup_done(&group->gos__all); /* last: who waits elsewhere may free the group */
    free(it);
    return error;
}

/* Without a check: where one has led to another stack, the return address is not the caller's. Nor has it a frame. */
__attribute__((no_split_stack)) int gos_group_go(gos_group *group, int (*fn)(void *), void *arg)
{
    return start_member(group, fn, arg, (uintptr_t)__builtin_return_address(0));
}

int gos_group_wait(gos_group *group)
{
    gos__require(group != NULL, "gos_group_wait: the group is NULL");
    gos_waitgroup_wait(&group->gos__all);
    int error = group->gos__error;
    group->gos__error = 0;
    return error;
}

/* ---- loops: the first half of each part goes to a new task, which may be stolen with all that is in it ---- */

typedef struct part {
    long begin, end, grain;
    void (*fn)(long from, long to, void *arg);
    void *arg;
    uintptr_t by; /* who called gos_parallel_for */
    gos_waitgroup done;
} part;

static void run_all(const part *all);

static void run_part(void *arg)
{
    part *it = arg;
    gos__set_owes(gos__self.task, true);
    run_all(it);
    gos_waitgroup_done(&it->done); /* it is on its parent's stack, and gone from here on */
}

static void run_all(const part *all)
{
    unsigned long n = (unsigned long)all->end - (unsigned long)all->begin; /* which a long may not hold */
    if (n <= (unsigned long)all->grain) {
        gos__call(all->begin, all->end, (intptr_t)all->arg, (void *)(uintptr_t)all->fn);
        return;
    }
    long middle = all->begin + (long)(n / 2);
    part left = { .begin = all->begin, .end = middle }, right = { .begin = middle, .end = all->end };
    left.grain = right.grain = all->grain;
    left.fn = right.fn = all->fn;
    left.arg = right.arg = all->arg;
    left.by = right.by = all->by;
    gos_waitgroup_add(&left.done, 1);
    bool alone = gos__go_by(run_part, &left, all->by);
    if (alone)
        run_all(&left);
    run_all(&right);
    if (!alone)
        gos_waitgroup_wait(&left.done);
}

static GOS_NOINLINE void run_loop(long begin, long end, long grain, void (*fn)(long, long, void *), void *arg,
                                  uintptr_t by)
{
    gos__require(fn != NULL && grain > 0, "gos_parallel_for: %s", fn ? "the grain is below 1" : "fn is NULL");
    const part all = { .begin = begin, .end = end, .grain = grain, .fn = fn, .arg = arg, .by = by };
    gos__task *self = gos__self.task; /* NULL: a thread */
    bool owed = self && gos__owes(self);
    if (self)
        gos__set_owes(self, true);
    if (begin < end)
        run_all(&all);
    if (self)
        gos__set_owes(self, owed);
}

__attribute__((no_split_stack)) /* as above */
void gos_parallel_for(long begin, long end, long grain, void (*fn)(long, long, void *), void *arg)
{
    run_loop(begin, end, grain, fn, arg, (uintptr_t)__builtin_return_address(0));
}

/* ---- barriers ---- */

int gos_barrier_wait(gos_barrier *barrier)
{
    gos__require(barrier != NULL && barrier->gos__n > 0, "gos_barrier_wait: the barrier is %s",
                 barrier ? "for nobody" : "NULL");
    gos_mutex_lock(&barrier->gos__mutex);
    int last = !--barrier->gos__missing;
    if (last) {
        barrier->gos__missing = barrier->gos__n;
        barrier->gos__round++;
        gos_cond_broadcast(&barrier->gos__cond);
    }
    for (uint64_t round = barrier->gos__round; !last && round == barrier->gos__round;)
        gos_cond_wait(&barrier->gos__cond, &barrier->gos__mutex);
    gos_mutex_unlock(&barrier->gos__mutex);
    return last;
}
