/*
 * The cases of stacks in use: `depth`, bytes of units that have touched their stacks; `descent`, the time of going down
 * and up; `burst`, resident memory over time while many units recurse and come back.
 */
#include "gbench.h"
#include "workload_depth.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void say_depth(sheet *s, uint64_t bytes)
{
    snprintf(s->extra, sizeof s->extra, "\"depth\": %llu", (unsigned long long)bytes);
}

/* The calls that touch `bytes` of stack; at least one where something is to be touched. */
static uint64_t calls_for(uint64_t bytes)
{
    uint64_t frame = depth_frame();
    if (bytes == 0 || frame == 0) return 0;
    return bytes < frame ? 1 : bytes / frame;
}

static bool prepare(sheet *s, const options *opt, uint64_t bytes, bool offered, const char *metric)
{
    say_depth(s, bytes);
    if (!sheet_offers(s, opt, offered, metric)) return false;
    opt->who->stack_room(bytes);
    return true;
}

static bool counts_agree(sheet *s, const contender *who, uint64_t spawned, uint64_t calls, uint64_t wanted)
{
    uint64_t made = who->made();
    if (made != spawned + 1)
        return sheet_fail(s, "spawned %llu units and the first, but the contender says that it made %llu",
                          (unsigned long long)spawned, (unsigned long long)made);
    if (calls != wanted)
        return sheet_fail(s, "the units made %llu calls instead of %llu", (unsigned long long)calls,
                          (unsigned long long)wanted);
    return true;
}

/* Less than before counts as none. */
static double more(uint64_t after, uint64_t before) { return after > before ? (double)(after - before) : 0; }

/* ---- depth ------------------------------------------------------------------------------------------------------- */

bool case_depth(const options *opt)
{
    const contender *who = opt->who;
    bool after = opt->variant != NULL && strcmp(opt->variant, "after") == 0;
    sheet s = sheet_new(opt, after ? "after" : "at");
    s.units_asked = opt->n;
    if (!prepare(&s, opt, opt->depth, who->gate_new != NULL && who->stack_room != NULL, "rss_bytes")) return true;
    depth_work w = { .who = who, .asked = opt->n, .calls = calls_for(opt->depth), .after = after };
    observer_start(opt->cap_seconds);
    observer_ask(OBSERVER_STOP, 0);
    int error = who->run(opt->threads, depth_main, &w);
    observer_end();
    s.units_made = w.spawned;
    bool ok = error == 0 ? !w.no_memory || sheet_fail(&s, "no memory for a gate or latch")
                         : sheet_fail(&s, "could not run: %s", strerror(-error));
    ok = ok && counts_agree(&s, who, w.spawned, w.reached, w.calls * w.spawned);
    if (ok && w.stopped) {
        s.status = "stopped";
        snprintf(s.why, sizeof s.why, "%s", the_observer.why);
    }
    if (!ok) {
        row_write(&s, 0, "rss_bytes", NAN);
        return false;
    }
    row_write(&s, 0, "units", (double)s.units_made);
    return true;
}

/* ---- descent ----------------------------------------------------------------------------------------------------- */

enum { WARM_CALLS = 200000 };

/* What reading the clock twice takes: it is inside every time taken here. */
static int64_t clock_cost(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 1000; i++) {
        int64_t begin = clock_ns(), cost = clock_ns() - begin;
        if (cost < least) least = cost;
    }
    return least;
}

bool case_descent(const options *opt)
{
    const contender *who = opt->who;
    sheet s = sheet_new(opt, "first");
    s.units_asked = 1;
    if (!prepare(&s, opt, opt->depth, who->stack_room != NULL, "ns_per_op")) return true;
    descent d = { .who = who, .calls = calls_for(opt->depth), .samples = opt->reps };
    d.times = WARM_CALLS / (d.calls + 1) + 1;
    d.warm_ns = calloc((size_t)opt->reps, sizeof *d.warm_ns);
    if (d.warm_ns == NULL) return sheet_fail(&s, "no memory for %d samples", opt->reps);
    uint64_t each = d.calls + 1;   /* the outermost call counts as well */
    int64_t clock = clock_cost();
    int error = who->run(opt->threads, descent_main, &d);
    s.units_made = d.spawned;
    s.n = s.ops = each;
    bool ok = error == 0 && d.error == 0;
    if (!ok) sheet_fail(&s, "could not run: %s", strerror(error != 0 ? -error : -d.error));
    ok = ok && counts_agree(&s, who, d.spawned, d.made, d.calls * (1 + d.times * (uint64_t)d.samples));
    double first = ok ? more((uint64_t)d.first_ns, (uint64_t)clock) : NAN;
    row_write(&s, 0, "ns_per_op", first / (double)each);
    s.variant = "warm";
    s.ops = each * d.times;
    for (int i = 0; ok && i < d.samples; i++)
        row_write(&s, i, "ns_per_op", more((uint64_t)d.warm_ns[i], (uint64_t)clock) / (double)(each * d.times));
    free(d.warm_ns);
    return ok;
}

/* ---- burst ------------------------------------------------------------------------------------------------------- */

enum { SAMPLES = 4000, PERIOD_MS = 40, KEPT = 16 << 10, UNITS_IN_WAVE = 500 };

static const char *const phase_names[] = { "spawn", "shallow", "burst", "after", "second", "deep", "over" };

typedef struct sample { int64_t at; uint64_t rss; int phase; } sample;

static struct {
    sample samples[SAMPLES];
    int n, over;
    burst_work *work;
    pthread_t thread;
} sampler;

static void *watch(void *unused)
{
    (void)unused;
    const struct timespec pause = { 0, PERIOD_MS * 1000000L };
    while (!__atomic_load_n(&sampler.over, __ATOMIC_ACQUIRE) && sampler.n < SAMPLES) {
        sample *s = &sampler.samples[sampler.n];
        s->phase = __atomic_load_n(&sampler.work->phase, __ATOMIC_ACQUIRE);
        s->rss = proc_number("/proc/self/status", "VmRSS:", 0) << 10;
        s->at = clock_ns();
        /* Of which phase a figure is that was read while one ended nobody knows. */
        if (s->phase != __atomic_load_n(&sampler.work->phase, __ATOMIC_ACQUIRE)) continue;
        sampler.n++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void burst_rows(sheet *s, uint64_t before, uint64_t depth)
{
    int64_t begin = sampler.samples[0].at;
    for (int i = 0; i < sampler.n; i++) {
        const sample *at = &sampler.samples[i];
        if (at->phase == BURST_OVER) break;
        s->variant = phase_names[at->phase];
        snprintf(s->extra, sizeof s->extra, "\"depth\": %llu, \"at_ms\": %.1f", (unsigned long long)depth,
                 (double)(at->at - begin) * 1e-6);
        row_write(s, i, "rss_bytes", more(at->rss, before));
    }
}

bool case_burst(const options *opt)
{
    const contender *who = opt->who;
    sheet s = sheet_new(opt, "");
    s.units_asked = opt->n;
    uint64_t bytes = opt->depth;
    if (!prepare(&s, opt, bytes + KEPT, who->gate_new != NULL && who->stack_room != NULL, "rss_bytes")) return true;
    uint64_t room = memory_left();
    if (room / 4 * 3 < (bytes + KEPT) * opt->n / 2) {
        s.status = "not-run";
        snprintf(s.why, sizeof s.why, "%.1f GiB of memory are left: too little for who keeps what it touched",
                 (double)room / (1 << 30));
        row_write(&s, 0, "rss_bytes", NAN);
        return true;
    }
    burst_work w = { .who = who, .asked = opt->n, .wave = UNITS_IN_WAVE, .deep_calls = calls_for(bytes),
                     .kept_calls = calls_for(KEPT),
                     .hold_ms = { [BURST_SHALLOW] = 400, [BURST_AFTER] = 1500, [BURST_DEEP] = 2500 } };
    uint64_t before = proc_number("/proc/self/status", "VmRSS:", 0) << 10;
    sampler.work = &w;
    if (pthread_create(&sampler.thread, NULL, watch, NULL) != 0) return sheet_fail(&s, "no thread for the sampler");
    int error = who->run(opt->threads, burst_main, &w);
    __atomic_store_n(&sampler.over, 1, __ATOMIC_RELEASE);
    pthread_join(sampler.thread, NULL);
    s.units_made = w.spawned;
    uint64_t halves = (opt->n / UNITS_IN_WAVE * UNITS_IN_WAVE + opt->n % UNITS_IN_WAVE + 1) / 2;
    bool ok = error == 0 && !w.no_memory;
    if (!ok) sheet_fail(&s, "could not run: %s", error != 0 ? strerror(-error) : "no memory for gates and latches");
    ok = ok && counts_agree(&s, who, w.spawned, w.reached,
                            opt->n * w.deep_calls + halves * (w.deep_calls + w.kept_calls));
    if (ok) burst_rows(&s, before, bytes);
    else row_write(&s, 0, "rss_bytes", NAN);
    return ok;
}
