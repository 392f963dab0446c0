/* stats.c: the counters that workers keep, added up. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "debug/inspect.h"
#include "sched/task.h"
#include "sched/trace.h"
#include "stack/cold.h"

static void add_worker(gos_stats *to, const gos__worker *worker)
{
    to->tasks_started += gos__load_relaxed(&worker->spawned);
    to->steals += gos__load_relaxed(&worker->steals);
    to->tasks_stolen += gos__load_relaxed(&worker->stolen_tasks);
    to->wakeups += gos__load_relaxed(&worker->wakes);
    to->region_borrows += gos__load_relaxed(&worker->stacks.borrows);
    to->large_borrows += gos__load_relaxed(&worker->stacks.large_borrows);
    to->limit_extensions += gos__load_relaxed(&worker->stacks.extensions);
    to->larger_nurseries += gos__load_relaxed(&worker->sizing.larger);
    to->sizes_raised += gos__load_relaxed(&worker->sizing.raised);
    to->sizes_lowered += gos__load_relaxed(&worker->sizing.lowered);
    gos__waits_add(worker, to->waits);
}

static void add_cold(gos_stats *to, const gos__cold *cold)
{
    to->cold_pages = gos__load_relaxed(&cold->pages_away);
    to->cold_bytes = gos__load_relaxed(&cold->bytes);
    to->cold_packed = gos__load_relaxed(&cold->taken);
    to->cold_put_back = gos__load_relaxed(&cold->put_back);
}

int gos__stats_read(gos_stats *stats)
{
    gos__require(stats != NULL, "gos_stats_read: stats is NULL");
    memset(stats, 0, sizeof *stats);
    bool is_foreign = !gos__self.worker; /* then the run might end meanwhile */
    if (is_foreign)
        gos__spin_lock(&gos__rt_lock);
    gos__runtime *rt = gos__rt;
    if (rt) {
        stats->tasks_live = gos__tasks_of(rt);
        stats->tasks_started = gos__load_relaxed(&rt->foreign_spawned);
        stats->larger_nurseries = gos__load_relaxed(&rt->foreign_larger);
        for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
            add_worker(stats, rt->workers[i]);
        stats->workers = gos__load_relaxed(&rt->procs);
        stats->threads = gos__load_relaxed(&rt->threads_n);
        stats->threads_peak = gos__load_relaxed(&rt->threads_peak);
        stats->handoffs = gos__load_relaxed(&rt->handoffs);
        stats->abandoned = gos__load_relaxed(&rt->abandoned);
        stats->stack_bytes = gos__stacks_bytes();
        if (gos__cold_now)
            add_cold(stats, gos__cold_now);
    }
    if (is_foreign)
        gos__spin_unlock(&gos__rt_lock);
    return rt ? 0 : -EPERM;
}
