/*
 * watch.c: what the monitor notes at intervals for an operator: a line about the scheduler (GOS_DEBUG=schedtrace=ms),
 * and samples of who waits where (GOS_DEBUG=contention=FILE).
 *
 * The profile costs nothing where tasks wait: every few milliseconds some stacks, evenly spread over all, are looked at
 * as a dump looks at them, and each parked task stands for as many as lie between two of these, for the time since the
 * look before. So every wait is met as often as it is long.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/env.h"
#include "debug/inspect.h"
#include "debug/symbols.h"
#include "sched/task.h"
#include "sched/trace.h"

enum { SAMPLES = 64, TEXT = 8 << 20 };
#define SAMPLE_NS 5000000

typedef struct counts {
    int64_t switches, steals, wakes, handoffs;
    int64_t waits[GOS_STATS_WAITS];
} counts;

static struct {
    int64_t line_at, sample_at, sampled;
    counts before;
    gos__groups *waits; /* NULL: no profile */
    gos__rng rng;
    int file;           /* of the profile; -1: not open yet */
} watch = { .file = -1 };

/* ---- a line about the scheduler ---- */

static counts count(const gos__runtime *rt)
{
    counts all = { .handoffs = rt->handoffs };
    for (uint32_t i = 0; i < rt->made; i++) {
        const gos__worker *worker = rt->workers[i];
        all.switches += gos__load_relaxed(&worker->tick);
        all.steals += gos__load_relaxed(&worker->steals);
        all.wakes += gos__load_relaxed(&worker->wakes);
        gos__waits_add(worker, all.waits);
    }
    return all;
}

static void print_line(const gos__runtime *rt, int64_t now)
{
    counts all = count(rt);
    int64_t waits[GOS_STATS_WAITS];
    for (int i = 0; i < GOS_STATS_WAITS; i++)
        waits[i] = all.waits[i] - watch.before.waits[i];
    char queues[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < rt->procs && used < sizeof queues - 12; i++)
        used += (size_t)snprintf(queues + used, sizeof queues - used, "%s%u", i ? " " : "",
                                 gos__queue_length(rt->workers[i]));
    gos__warn("sched %lld ms: workers %u (idle %u, searching %u), threads %u (spare %u, returning %u), tasks %ld, "
              "shared %u, queues [%s]; since the last: switches %lld, steals %lld, wake-ups %lld, hand-offs %lld, "
              "ready for less than %lld ns (half of them), %lld ns (99 %%)",
              (long long)((now - rt->began) / 1000000), rt->procs, gos__load_relaxed(&rt->idle_n),
              gos__load_relaxed(&rt->searching), rt->threads_n, gos__load_relaxed(&rt->spares_n),
              gos__load_relaxed(&rt->returning_n), gos__tasks_of(rt), gos__load_relaxed(&rt->shared_n), queues,
              (long long)(uint32_t)(all.switches - watch.before.switches),
              (long long)(all.steals - watch.before.steals), (long long)(all.wakes - watch.before.wakes),
              (long long)(all.handoffs - watch.before.handoffs), (long long)gos__waits_below(waits, 50),
              (long long)gos__waits_below(waits, 99));
    watch.before = all;
}

/* ---- who waits where ---- */

static void sample(int64_t now)
{
    int64_t since = watch.sampled ? now - watch.sampled : 0;
    watch.sampled = now;
    if (since > 0)
        gos__groups_add_some(watch.waits, &watch.rng, SAMPLES, since / 1000);
}

static void add_name(gos__text *text, const gos__symbol *symbol, uintptr_t address)
{
    if (*symbol->function)
        gos__text_add(text, "%s;", symbol->function);
    else
        gos__text_add(text, "%#lx;", (unsigned long)address);
}

/* The functions from the outermost in, the reason, and microseconds. */
static void add_stack(gos__text *text, const gos__group *it)
{
    gos__symbol symbol;
    gos__symbol_find((uintptr_t)it->entry, &symbol);
    add_name(text, &symbol, (uintptr_t)it->entry);
    uint32_t outermost = it->backtrace.n;
    for (uint32_t i = outermost; i-- > 0;) {
        gos__symbol_find(it->backtrace.at[i] - 1, &symbol);
        bool is_entry = i + 1 == outermost && it->backtrace.at[i] - 1 - symbol.offset == (uintptr_t)it->entry;
        if (!is_entry)
            add_name(text, &symbol, it->backtrace.at[i] - 1);
    }
    gos__text_add(text, "[%s] %ld\n", gos__wait_name(it->why), it->count);
}

static void write_profile(void)
{
    gos__group **sorted;
    gos__text text;
    long all, others;
    size_t n = gos__groups_sort(watch.waits, &sorted, &all, &others);
    gos__text_open(&text, TEXT);
    for (size_t i = 0; i < n; i++)
        if (sorted[i]->state == GOS_PARKED)
            add_stack(&text, sorted[i]);
    if (others)
        gos__text_add(&text, "others;[waiting] %ld\n", others);
    gos__text_write(&text, watch.file);
    if (!text.start || text.error)
        gos__warn("contention=%.300s: cannot be written: %s", gos__env_get()->contention,
                  text.start ? strerror(text.error) : "no memory");
    gos__text_close(&text);
}

/* ---- when ---- */

void gos__watch_begin(void)
{
    const gos__env *env = gos__env_get();
    watch.line_at = env->schedtrace_ms ? 0 : INT64_MAX;
    watch.sample_at = INT64_MAX;
    watch.before = (counts){ .switches = 0 };
    watch.sampled = 0;
    watch.waits = NULL;
    if (!env->contention)
        return;
    int how = O_WRONLY | O_CREAT | O_CLOEXEC | (watch.file == -1 ? O_TRUNC : O_APPEND);
    watch.file = (int)syscall(SYS_openat, AT_FDCWD, env->contention, how, 0666);
    if (watch.file < 0)
        gos__die("GOS_DEBUG: contention=%.300s: cannot be written: %s", env->contention, strerror(errno));
    watch.file = gos__fd_high(watch.file);
    watch.waits = gos__groups_open(true, false, NULL);
    if (watch.waits) {
        watch.sample_at = 0;
    } else {
        gos__warn("contention=%.300s: cannot be written: no memory", env->contention);
        gos__fd_close(watch.file);
    }
}

int64_t gos__watch(gos__runtime *rt, int64_t now)
{
    if (now >= watch.line_at) {
        if (watch.line_at)
            print_line(rt, now);
        watch.line_at = now + gos__env_get()->schedtrace_ms * 1000000;
    }
    if (now >= watch.sample_at) {
        sample(now);
        watch.sample_at = now + SAMPLE_NS;
    }
    return watch.line_at < watch.sample_at ? watch.line_at : watch.sample_at;
}

void gos__watch_end(void)
{
    if (!watch.waits)
        return;
    write_profile();
    gos__groups_close(watch.waits);
    watch.waits = NULL;
    gos__fd_close(watch.file);
}
