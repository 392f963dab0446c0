/* dump.c: all tasks, alike ones in one line. Reads headers that change meanwhile: a snapshot, not a stop. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "debug/inspect.h"
#include "sched/worker.h"

enum { GROUPS = 200 };

typedef struct group {
    void (*entry)(void *);
    uint8_t state, why, kind;
    bool deep, pinned;
    long count;
    const gos__task *one; /* of them */
} group;

typedef struct picture {
    group groups[GROUPS];
    int used;
    long tasks, others; /* others: no group was left for them */
} picture;

static const char *doing(uint8_t state, uint8_t why)
{
    static const char *const waits[] = {
        [GOS_WAIT_NONE] = "waiting", [GOS_WAIT_SEND] = "chan send", [GOS_WAIT_RECV] = "chan receive",
        [GOS_WAIT_SLEEP] = "sleep", [GOS_WAIT_MUTEX] = "mutex", [GOS_WAIT_GROUP] = "wait group",
        [GOS_WAIT_SELECT] = "select", [GOS_WAIT_RWMUTEX] = "rwmutex", [GOS_WAIT_COND] = "cond",
        [GOS_WAIT_SEM] = "sem", [GOS_WAIT_ONCE] = "once", [GOS_WAIT_FD] = "descriptor",
    };
    if (state != GOS_PARKED)
        return state == GOS_READY ? "ready" : "running";
    return why < sizeof waits / sizeof *waits && waits[why] ? waits[why] : "waiting";
}

static void see(const gos__task *task, void *arg)
{
    picture *all = arg;
    group now = { .entry = task->entry, .state = task->state, .kind = task->kind, .one = task->waiter.task, .count = 1,
                  .deep = task->region && gos__has_nursery(task),
                  .pinned = task->pinned & GOS_PIN_DEPTH };
    if (now.state == GOS_FREE)
        return;
    if (gos__is_parked(now.state))
        now.state = GOS_PARKED;
    now.why = now.state == GOS_PARKED ? task->why : 0;
    all->tasks++;
    for (int i = 0; i < all->used; i++) {
        group *at = &all->groups[i];
        if (at->entry == now.entry && at->state == now.state && at->why == now.why && at->kind == now.kind &&
            at->deep == now.deep && at->pinned == now.pinned) {
            at->count++;
            return;
        }
    }
    if (all->used < GROUPS)
        all->groups[all->used++] = now;
    else
        all->others++;
}

static const char *name_of(void (*entry)(void *))
{
    Dl_info info;
    memset(&info, 0, sizeof info);
    return dladdr((void *)(uintptr_t)entry, &info) && info.dli_sname ? info.dli_sname : "?";
}

static void print_group(int fd, const group *at)
{
    if (at->count == 1)
        dprintf(fd, "task %p", (const void *)at->one);
    else
        dprintf(fd, "%ld tasks like %p", at->count, (const void *)at->one);
    char size[40] = "";
    if (at->kind == GOS_PAGED)
        snprintf(size, sizeof size, ", paged stack");
    else if (at->kind != GOS_NURSERY)
        snprintf(size, sizeof size, ", nursery of %d bytes", gos__nursery_size(at->kind));
    dprintf(fd, " [%s] started with %s (%p)%s%s%s\n", doing(at->state, at->why), name_of(at->entry),
            (void *)(uintptr_t)at->entry, size, at->deep ? ", on a deep region" : "",
            at->pinned ? ", pinned" : "");
}

static void print(int fd, const picture *all)
{
    for (int i = 0; i < all->used; i++)
        print_group(fd, &all->groups[i]);
    if (all->others)
        dprintf(fd, "and %ld tasks in more than %d other groups\n", all->others, GROUPS);
}

static void print_size(void (*entry)(void *), int size, void *arg)
{
    dprintf(*(int *)arg, "tasks of %s (%p) start on %d bytes\n", name_of(entry), (void *)(uintptr_t)entry, size);
}

void gos__dump(int fd)
{
    picture all;
    memset(&all, 0, sizeof all);
    bool is_foreign = !gos__self.worker; /* then the run might end, and the stacks go, meanwhile */
    if (is_foreign)
        gos__spin_lock(&gos__rt_lock);
    if (gos__rt)
        gos__stacks_walk(see, &all);
    if (is_foreign)
        gos__spin_unlock(&gos__rt_lock);
    dprintf(fd, "gossamer: %ld tasks\n", all.tasks);
    print(fd, &all);
    gos__sizing_walk(print_size, &fd);
}

_Noreturn void gos__report_deadlock(void)
{
    picture all;
    memset(&all, 0, sizeof all);
    gos__stacks_walk(see, &all);
    if (!all.tasks)
        gos__die("fatal error: no task is left, and main ended by gos_exit - deadlock!");
    gos__warn("fatal error: all tasks are asleep - deadlock!");
    gos__warn("%ld tasks", all.tasks);
    print(STDERR_FILENO, &all);
    _exit(2);
}
