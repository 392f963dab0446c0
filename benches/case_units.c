/* The cases whose work is done by a contender's units: memory, spawn, yield, handover. */
#define _GNU_SOURCE
#include "gbench.h"
#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_NS = 10000000, PILOT_OPS = 1000, LEAST_OPS = 1000 };

/* One row to be measured `reps` times. */
typedef struct series {
    sheet sheet;
    const options *opt;
    void (*main)(void *);
    workload work;        /* as every repetition starts */
    unsigned sides;       /* operations are counted on this many units; 0: the operation is the unit itself */
    bool observed;        /* spawning may meet a limit */
    int rep;
    double line_ns, over_line;    /* of the last repetition: medians of its batches */
} series;

/* Runs the workload once and compares what the contender and the units say with what was asked for. */
static bool run(series *q, workload *w)
{
    sheet *s = &q->sheet;
    const contender *who = q->opt->who;
    *w = q->work;
    int error = who->run(q->opt->threads, q->main, w);
    if (error != 0) return sheet_fail(s, "could not run: %s", strerror(-error));
    if (w->no_memory) return sheet_fail(s, "no memory for a gate, latch or channel");
    uint64_t made = who->made();
    s->units_made = w->spawned;
    if (made != w->spawned + 1)
        return sheet_fail(s, "spawned %llu units and the first, but the contender says that it made %llu",
                          (unsigned long long)w->spawned, (unsigned long long)made);
    if (w->ran != w->spawned)
        return sheet_fail(s, "%llu of %llu units did their work", (unsigned long long)w->ran,
                          (unsigned long long)w->spawned);
    if (w->errors != 0) return sheet_fail(s, "%llu words came over wrong", (unsigned long long)w->errors);
    if (w->stopped) {
        s->status = "stopped";
        snprintf(s->why, sizeof s->why, "%s", the_observer.why);
    } else if (w->warm_up) {
        s->units_asked = s->units_made;   /* as many rounds as the warm-up took */
    } else if (w->spawned != s->units_asked) {
        return sheet_fail(s, "made %llu of %llu units and gave no reason", (unsigned long long)w->spawned,
                          (unsigned long long)s->units_asked);
    }
    return true;
}

static workload work_of(const options *opt)
{
    return (workload){ .who = opt->who, .asked = opt->n, .slow = opt->slow };
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static void memory_once(gb_state *state, void *arg)
{
    series *q = arg;
    workload w;
    while (gb_keep_running(state, 1)) {
        int64_t begin = clock_ns();
        observer_start(q->opt->cap_seconds);
        observer_ask(OBSERVER_STOP, 0);   /* with the observer's thread, and its pages touched */
        bool ok = run(q, &w);
        observer_end();
        gb_set_seconds(state, (double)(clock_ns() - begin) * 1e-9);
        if (ok && w.unsettled != NULL) {
            q->sheet.status = "not-run";
            snprintf(q->sheet.why, sizeof q->sheet.why, "%s", w.unsettled);
            ok = false;
        }
        if (ok) {
            row_write(&q->sheet, 0, "units", (double)q->sheet.units_made);
            gb_counter(state, "units", (double)q->sheet.units_made);
        } else {
            row_write(&q->sheet, 0, "rss_bytes", NAN);
            gb_skip(state, q->sheet.why);
        }
    }
}

bool case_memory(const options *opt)
{
    series q = { sheet_new(opt, ""), opt, memory_main, work_of(opt), 0, false, 0, NAN, NAN };
    q.sheet.units_asked = opt->n;
    if (!sheet_offers(&q.sheet, opt, opt->who->gate_new != NULL, "rss_bytes")) return true;
    gb_register("memory", memory_once, &q, 1, 1);
    gb_run();
    return strcmp(q.sheet.status, "failed") != 0;
}

/* ---- times ----------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Of an odd number of values, which it puts in order. */
static double median_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

/* Nanoseconds an operation of one run; NaN when there is no time to give. */
static double sample(series *q, uint64_t *ops)
{
    workload w;
    if (!run(q, &w) || w.stopped) return NAN;
    *ops = q->sides == 0 ? w.asked : w.ops;
    if (w.apart) {
        q->line_ns = median_of(w.line_ns, LINE_BATCHES);
        q->over_line = median_of(w.over_line, LINE_BATCHES);
    }
    q->sheet.ops = *ops;
    if (*ops == 0) {
        sheet_fail(&q->sheet, "the units counted no operation");
        return NAN;
    }
    return (double)(w.end - w.begin) / (double)*ops;
}

static void timed_rep(gb_state *state, void *arg)
{
    series *q = arg;
    while (gb_keep_running(state, (int64_t)q->sheet.n)) {
        uint64_t ops = 0;
        if (!turn_comes(q->opt)) {
            gb_skip(state, "no further repetition was wanted");
            return;
        }
        if (q->observed) observer_start(q->opt->cap_seconds);
        double ns = sample(q, &ops);
        if (q->observed) observer_end();
        row_write(&q->sheet, q->rep, "ns_per_op", ns);
        if (q->work.apart && !isnan(ns)) {
            row_write(&q->sheet, q->rep, "line_ns", q->line_ns);
            row_write(&q->sheet, q->rep, "over_line", q->over_line);
        }
        q->rep++;
        if (isnan(ns)) gb_skip(state, q->sheet.why);
        else gb_set_seconds(state, ns * (double)q->sheet.n * 1e-9);
        gb_counter(state, "ops", (double)ops);
    }
}

static void add_series(series *q, int reps)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s/%s", q->sheet.case_name, q->sheet.contender, q->sheet.variant);
    gb_register(name, timed_rep, q, (int64_t)q->sheet.n, reps);
}

static bool succeeded(const series *q) { return strcmp(q->sheet.status, "failed") != 0; }

bool case_spawn(const options *opt)
{
    series cold = { sheet_new(opt, "cold"), opt, spawn_main, work_of(opt), 0, true, 0, NAN, NAN };
    cold.sheet.units_asked = opt->n;
    if (!sheet_offers(&cold.sheet, opt, opt->who->latch_new != NULL, "ns_per_op")) return true;
    cold.work.marks = malloc(opt->n);
    if (cold.work.marks == NULL) return sheet_fail(&cold.sheet, "no memory for %llu marks", (unsigned long long)opt->n);
    series warm = cold;
    warm.sheet.variant = "warm";
    warm.work.warm_up = true;
    add_series(&cold, 1);
    add_series(&warm, opt->reps);
    if (opt->threads == 1) pin_to_one_cpu();
    gb_run();
    free(cold.work.marks);
    return succeeded(&cold) && succeeded(&warm);
}

/* As many operations as take about SAMPLE_NS, measured by a short run that is thrown away. */
static bool calibrate(series *q)
{
    uint64_t ops = 0;
    q->work.asked = PILOT_OPS;
    double ns = sample(q, &ops);
    if (isnan(ns)) return false;
    double wanted = SAMPLE_NS / (ns * (double)ops / PILOT_OPS);
    q->work.asked = wanted < LEAST_OPS ? LEAST_OPS : (uint64_t)wanted;
    return true;
}

/* Two units pass control to each other `n` times each. */
static bool case_pair(const options *opt, const char *variant, void (*main)(void *), bool offered)
{
    series q = { sheet_new(opt, variant), opt, main, work_of(opt), 2, false, 0, NAN, NAN };
    q.work.apart = strcmp(variant, "pinned") == 0;
    q.sheet.units_asked = 2;
    if (!sheet_offers(&q.sheet, opt, offered, "ns_per_op")) return true;
    if (q.work.apart && !sheet_has_two_cpus(&q.sheet, "ns_per_op")) return true;
    if (opt->threads == 1) pin_to_one_cpu();
    if (opt->n == 0 && !calibrate(&q)) {
        row_write(&q.sheet, 0, "ns_per_op", NAN);
        return false;
    }
    q.sheet.n = q.work.asked * q.sides;
    add_series(&q, opt->reps);
    gb_run();
    return succeeded(&q);
}

bool case_yield(const options *opt) { return case_pair(opt, "", yield_main, opt->who->yield != NULL); }

bool case_handover(const options *opt)
{
    bool apart = opt->variant != NULL && strcmp(opt->variant, "pinned") == 0;
    const char *variant = apart ? "pinned" : opt->threads == 1 ? "same" : "across";
    bool offered = opt->who->chan_new != NULL && (!apart || opt->who->max_threads == 1 || opt->who->pin != NULL);
    return case_pair(opt, variant, handover_main, offered);
}
