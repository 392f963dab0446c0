/* timer.c: a binary heap of sleepers for each worker. */
#include <stdlib.h>

#include "os/os.h"
#include "sched/worker.h"

bool gos__timer_add(gos__worker *worker, int64_t when, gos__task *task)
{
    if (worker->timers_n == worker->timers_room) {
        uint32_t room = worker->timers_room ? worker->timers_room * 2 : 64;
        gos__timer *grown = realloc(worker->timers, room * sizeof *grown);
        if (!grown)
            return false;
        worker->timers = grown;
        worker->timers_room = room;
    }
    uint32_t at = worker->timers_n++;
    while (at && worker->timers[(at - 1) / 2].when > when) {
        worker->timers[at] = worker->timers[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    worker->timers[at] = (gos__timer){ .when = when, .task = task };
    return true;
}

static gos__task *take_first(gos__worker *worker)
{
    gos__task *task = worker->timers[0].task;
    gos__timer last = worker->timers[--worker->timers_n];
    uint32_t at = 0, n = worker->timers_n;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && worker->timers[child + 1].when < worker->timers[child].when)
            child++;
        if (worker->timers[child].when >= last.when)
            break;
        worker->timers[at] = worker->timers[child];
        at = child;
    }
    if (n)
        worker->timers[at] = last;
    return task;
}

int64_t gos__timers_run(gos__worker *worker)
{
    if (!worker->timers_n)
        return INT64_MAX;
    int64_t now = gos__clock_ns();
    while (worker->timers_n && worker->timers[0].when <= now) {
        gos__task *task = take_first(worker);
        task->state = GOS_READY;
        gos__push_back(worker, task);
    }
    return worker->timers_n ? worker->timers[0].when : INT64_MAX;
}
