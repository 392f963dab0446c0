/* The case `sync`: channels beyond a plain hand-over, and locks. */
#include "sync.h"

#include <math.h>
#include <string.h>

static bool has_channels(const contender *who) { return who->chan_new != NULL; }
static bool has_select(const contender *who) { return who->chan_recv_either != NULL; }
static bool has_mutex(const contender *who) { return who->mutex_new != NULL; }

static const struct program {
    const char *name;
    void (*main)(sync_work *s);
    bool (*offered)(const contender *who);
    uint64_t n, few;   /* by default; for contenders whose unit is a thread of the kernel */
    uint64_t step;     /* n is a multiple of it */
} programs[] = {
    { "recv", sync_recv, has_channels, 400000, 4000, 2 },
    { "select", sync_select, has_select, 200000, 4000, 2 },
    { "buffered", sync_buffered, has_channels, 1000000, 100000, 1 },
    { "mutex", sync_mutex, has_mutex, 500000, 500000, 1 },
    { "crowd", sync_crowd, has_mutex, 400000, 400000, CROWD },
    { "held", sync_held, has_mutex, 50000, 5000, CROWD },
};
enum { PROGRAMS = sizeof programs / sizeof programs[0] };

static const struct program *program_named(const char *name)
{
    for (int i = 0; name != NULL && i < PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0) return &programs[i];
    usage_error("--case=sync --variant: use recv, select, buffered, mutex, crowd or held");
}

/* Nanoseconds an operation; NaN: it failed. */
static double sample(sheet *s, const options *opt, const struct program *p)
{
    sync_work work = { .who = opt->who, .n = s->n, .main = p->main };
    int error = opt->who->run(opt->threads, sync_main, &work);
    s->units_made = opt->who->made() - 1;
    s->units_asked = work.spawned;
    s->ops = work.done;
    if (error != 0) sheet_fail(s, "could not run: %s", strerror(-error));
    else if (work.no_memory) sheet_fail(s, "no memory for a channel, lock, gate or latch");
    else if (work.done != s->n)
        sheet_fail(s, "%llu of %llu operations were done", (unsigned long long)work.done, (unsigned long long)s->n);
    else if (s->units_made != work.spawned)
        sheet_fail(s, "spawned %llu units, but the contender says that it made %llu",
                   (unsigned long long)work.spawned, (unsigned long long)s->units_made);
    else return (double)(work.end - work.begin) / (double)s->n;
    return NAN;
}

bool case_sync(const options *opt)
{
    const struct program *p = program_named(opt->variant);
    sheet s = sheet_new(opt, p->name);
    if (!sheet_offers(&s, opt, p->offered(opt->who), "ns_per_op")) return true;
    if (opt->threads == 1) pin_to_one_cpu();
    if (s.n == 0) s.n = strncmp(opt->who->name, "pthread", 7) == 0 ? p->few : p->n;
    if (s.n % p->step != 0) usage_error("--case=sync --variant=%s: --n is a multiple of %d", p->name, (int)p->step);
    sample(&s, opt, p);   /* a warm-up */
    for (int rep = 0; rep < opt->reps; rep++) {
        double ns = strcmp(s.status, "failed") == 0 ? NAN : sample(&s, opt, p);
        row_write(&s, rep, "ns_per_op", ns);
        if (isnan(ns)) return false;
    }
    return true;
}
