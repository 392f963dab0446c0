/*
 * deadlock.c: whether any task can ever run again.
 *
 * A false report kills a program that was well, so all that might still make a task ready forbids one: a task that runs
 * or is inside a call, a timer, a descriptor, a signal that a channel wants, a wait for an object of the C library (a
 * handler may post a semaphore), a thread of the program's own (it may send, or start a task). What is left are tasks
 * that wait in channels and locks of this library for each other. And all of it must stay so for a while, in which no
 * worker switches.
 */
#include <sys/stat.h>

#include "base/check.h"
#include "sched/interrupt.h"
#include "sched/lot.h"
#include "sched/netpoll.h"
#include "sched/task.h"
#include "sched/trace.h"
#include "sched/worker.h"
#include "stack/cold.h"

enum { LOOKS = 3 };
#define LOOK_NS 10000000

/* A thread of the program's own may end without a word to us. */
#define THREADS_LOOK_NS 1000000000

/* Reading a directory would take the lowest descriptor number for a moment; it has a link for each of its
 * subdirectories and two more (proc(5), /proc/pid/task). */
static bool only_our_threads(const gos__runtime *rt)
{
    struct stat task;
    if (stat("/proc/self/task", &task))
        return false;
    uint32_t others = gos__onlooker_is_there() + (gos__cold_now != NULL) + gos__load_relaxed(&gos__trace_threads);
    return task.st_nlink == (nlink_t)rt->threads_n + 1 + others + 2;
}

static bool events_may_come(const gos__runtime *rt)
{
    for (uint32_t i = 0; i < rt->made; i++)
        if (gos__load_relaxed(&rt->workers[i]->timers.first) != INT64_MAX || gos__queue_length(rt->workers[i]))
            return true;
    return gos__load_relaxed(&rt->shared_n) || gos__load_relaxed(&rt->returning_n) ||
           gos__load_relaxed(&gos__netpoll_waits) || gos__load_relaxed(&gos__lot_n) ||
           gos__load_relaxed(&rt->procs_requests) || gos__lot_is_left() || gos__deadline_first() != INT64_MAX ||
           gos__load_relaxed(&gos__signals_wanted);
}

static void look_for_life(const gos__task *task, void *arg)
{
    uint32_t state = gos__load_relaxed(&task->state), why = gos__load_relaxed(&task->why);
    bool waits_for_tasks = gos__is_parked((uint8_t)state) && why != GOS_WAIT_NONE && why != GOS_WAIT_SLEEP &&
                           why != GOS_WAIT_FD;
    if (state != GOS_FREE && !waits_for_tasks)
        *(bool *)arg = true;
}

static bool any_alive(gos__runtime *rt)
{
    /* Inside a call, most often; seen without a look at every task. */
    if (rt->threads_n != rt->procs + gos__load_relaxed(&rt->spares_n) && !gos__pin_any(rt))
        return true;
    bool alive = false;
    gos__stacks_walk(look_for_life, &alive);
    return alive;
}

int64_t gos__deadlock_look(gos__runtime *rt, gos__stillness *still, int64_t now)
{
    uint64_t switches = 0;
    for (uint32_t i = 0; i < rt->made; i++)
        switches += gos__load_relaxed(&rt->workers[i]->tick);
    if (switches != still->switches)
        *still = (gos__stillness){ .switches = switches };
    gos__reap_threads(rt);
    bool waits = events_may_come(rt), is_alone = !waits && only_our_threads(rt);
    if (waits || (is_alone && any_alive(rt))) {
        still->looks = 0;
        return INT64_MAX; /* whatever happens wakes a worker */
    }
    if (!is_alone) {
        still->looks = 0;
        return now + THREADS_LOOK_NS;
    }
    gos__fence_seq();
    if (gos__load_relaxed(&rt->idle_n) < rt->procs || gos__load_acquire(&rt->done))
        return now;
    if (++still->looks < LOOKS)
        return now + LOOK_NS;
    gos__report_deadlock();
}
