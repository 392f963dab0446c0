/* The case of many timers: what it costs to start them and have them fire. */
#include "workload_timers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 1000 };   /* of n, how late they were */

static bool run(sheet *s, const options *opt, timers_work *w)
{
    observer_start(opt->cap_seconds);
    int error = opt->who->run(opt->threads, timers_main, w);
    observer_end();
    if (error != 0) return sheet_fail(s, "could not run: %s", strerror(-error));
    s->units_made = w->fired;
    s->ops = w->fired;
    if (w->error != 0) return sheet_fail(s, "only %llu could be started", (unsigned long long)w->started);
    uint64_t made = opt->who->made() - 1;
    if (w->fired != w->n || made != w->n)
        return sheet_fail(s, "%llu of %llu fired, on %llu units", (unsigned long long)w->fired,
                          (unsigned long long)w->n, (unsigned long long)made);
    return true;
}

static void write_rows(sheet *s, const timers_work *w)
{
    int64_t late[KEPT];
    uint64_t every = w->n < KEPT ? 1 : w->n / KEPT, kept = 0;
    for (uint64_t i = 0; i < w->n && kept < KEPT; i += every) late[kept++] = w->due[i];
    row_write(s, 0, "ns_per_op", (double)(w->end - w->begin) / (double)w->n);
    row_write_samples(s, 0, "late_ns", late, kept);
    row_write(s, 0, "fired_early", (double)w->early);
    row_write(s, 0, "units", (double)w->fired);
}

bool case_timers(const options *opt)
{
    bool objects = opt->variant != NULL && strcmp(opt->variant, "timer") == 0;
    if (!objects && (opt->variant == NULL || strcmp(opt->variant, "sleep") != 0))
        usage_error("--case=timers --variant: use timer or sleep");
    sheet s = sheet_new(opt, opt->variant);
    s.units_asked = opt->n;
    bool offered = objects ? opt->who->timer_new != NULL : opt->who->sleep != NULL && opt->who->spawn != NULL;
    if (!sheet_offers(&s, opt, offered, "ns_per_op")) return true;
    if (opt->threads == 1) pin_to_one_cpu();
    timers_work w = { .who = opt->who, .n = opt->n, .objects = objects, .random = opt->seed };
    w.due = malloc(opt->n * sizeof *w.due);
    w.timers = malloc(opt->n * sizeof *w.timers);
    bool ok = w.due != NULL && w.timers != NULL;
    if (ok) { /* the suite's own: touched before anything is weighed */
        memset(w.due, 1, opt->n * sizeof *w.due);
        memset(w.timers, 1, opt->n * sizeof *w.timers);
        ok = run(&s, opt, &w);
    } else {
        sheet_fail(&s, "no memory for the timers' times");
    }
    if (ok) write_rows(&s, &w);
    else row_write(&s, 0, "ns_per_op", NAN);
    free(w.due);
    free(w.timers);
    return ok;
}
