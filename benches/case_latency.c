/* The cases whose result is a distribution of times: handoff, lateness, wakeup. */
#define _GNU_SOURCE
#include "block.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HANDOFFS = 301, EVENTS = 800, EVENTS_A_SECOND = 2000, WARM_EVENTS = 50 };

static void fill_sheet(sheet *s, const blocking *b)
{
    s->units_asked = b->spawned;
    s->units_made = b->ran;
    s->ops = b->n;
}

/* Runs the units; false: the row has failed. */
static bool run(sheet *s, const options *opt, blocking *b, void (*main)(void *))
{
    b->who = opt->who;
    int error = opt->who->run(opt->threads, main, b);
    if (error != 0) return sheet_fail(s, "could not run: %s", strerror(-error));
    fill_sheet(s, b);
    if (opt->who->made() != b->spawned + 1 || b->ran != b->spawned || b->error != 0)
        return sheet_fail(s, "%llu units spawned, %llu made, %llu did their work: %s", (unsigned long long)b->spawned,
                          (unsigned long long)opt->who->made() - 1, (unsigned long long)b->ran, strerror(b->error));
    return true;
}

static bool finish(sheet *s, bool ok, const char *metric)
{
    if (!ok) row_write(s, 0, metric, NAN);
    return ok;
}

/* ---- handoff ------------------------------------------------------------------------------------------------- */

/* On one worker: from the entry into a call until another ready unit runs. */
bool case_handoff(const options *opt)
{
    static int64_t samples[HANDOFFS];
    const char *variant = opt->variant != NULL ? opt->variant : "raw";
    blocking b = { .samples = samples, .n = opt->n ? opt->n : HANDOFFS, .random = opt->seed, .kind = BLOCK_RAW };
    if (strcmp(variant, "hint") == 0) b.kind = BLOCK_HINT;
    else if (strcmp(variant, "posix") == 0) b.kind = BLOCK_POSIX;
    else if (strcmp(variant, "first") == 0) b.kind = BLOCK_FIRST;
    else if (strcmp(variant, "raw") != 0) usage_error("--case=handoff --variant: use first, raw, hint or posix");
    if (b.n > HANDOFFS) b.n = HANDOFFS;
    sheet s = sheet_new(opt, variant);
    s.n = b.n;
    const contender *who = opt->who;
    if (who->max_threads == 1 || who->yield == NULL) {
        s.status = "not-run";
        snprintf(s.why, sizeof s.why, "%s", who->yield == NULL ? who->lacks :
                 "its only thread is in the call, so that nobody else runs until it returns");
        row_write(&s, 0, "latency_ns", NAN);
        return true;
    }
    if (b.kind == BLOCK_HINT && who->block_begin == NULL) {
        s.status = "not-run";
        snprintf(s.why, sizeof s.why, "has no hints");
        row_write(&s, 0, "latency_ns", NAN);
        return true;
    }
    pin_to_one_cpu();
    bool ok = true;
    for (int rep = 0; rep < opt->reps && ok; rep++) {
        b.spawned = b.ran = 0;
        b.armed = 0;
        if (pipe(b.fd) != 0) return sheet_fail(&s, "no pipe: %m");
        ok = run(&s, opt, &b, handoff_main);
        close(b.fd[0]);
        close(b.fd[1]);
        if (ok) row_write_samples(&s, rep, "latency_ns", samples, b.n);
    }
    return finish(&s, ok, "latency_ns");
}

/* ---- lateness ------------------------------------------------------------------------------------------------ */

static const struct { int64_t ns; uint64_t times; } sleeps[] = {
    { 50000, 201 }, { 100000, 201 }, { 1000000, 101 }, { 10000000, 21 },
};

enum { HOGS = 1000, HOGS_SLEEP_NS = 1000000 };

/* How long a sleep takes; -busy: while a unit for each thread computes and yields; -hogs: while a thousand compute and
 * do not. */
bool case_lateness(const options *opt)
{
    static int64_t samples[201];
    const char *variant = opt->variant != NULL ? opt->variant : "posix";
    bool own = strncmp(variant, "own", 3) == 0;
    bool busy = strstr(variant, "-busy") != NULL, hogs = strstr(variant, "-hogs") != NULL;
    if (!own && strncmp(variant, "posix", 5) != 0)
        usage_error("--case=lateness --variant: use own or posix, each also with -busy or -hogs");
    sheet s = sheet_new(opt, variant);
    if (!sheet_offers(&s, opt, opt->who->yield != NULL && opt->who->max_threads != 1, "sleep_ns")) return true;
    if (own && opt->who->sleep == NULL) {
        s.status = "not-run";
        snprintf(s.why, sizeof s.why, "sleeps by nanosleep only");
        row_write(&s, 0, "sleep_ns", NAN);
        return true;
    }
    bool ok = true;
    for (int rep = 0; rep < opt->reps; rep++) {
        for (size_t i = 0; i < sizeof sleeps / sizeof sleeps[0] && ok; i++) {
            if (hogs && sleeps[i].ns != HOGS_SLEEP_NS) continue;
            blocking b = { .samples = samples, .n = sleeps[i].times, .sleep_ns = sleeps[i].ns, .hogs = hogs ? HOGS : 0,
                           .kind = own ? BLOCK_OWN : BLOCK_POSIX, .working = busy ? (unsigned)opt->threads : 0 };
            s.n = (uint64_t)sleeps[i].ns;
            ok = run(&s, opt, &b, lateness_main);
            if (ok) row_write_samples(&s, rep, "sleep_ns", samples, b.n);
        }
    }
    return finish(&s, ok, "sleep_ns");
}

/* ---- wakeup -------------------------------------------------------------------------------------------------- */

/* splitmix64, as a number above 0 and at most 1. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11 | 1) * 0x1p-53;
}

typedef struct source {
    const options *opt;
    blocking *b;
    uint64_t n;
    double rate;
} source;

static void emit(uint64_t n, double rate, uint64_t seed, void (*send)(void *, int64_t), void *to)
{
    int64_t due = clock_ns() + 1000000;
    for (uint64_t i = 0; i < n; i++) {
        due += (int64_t)(-log(uniform(&seed)) * 1e9 / rate);
        while (clock_ns() < due) bench_relax();
        send(to, due);   /* late ones too, with the time at which they were due */
    }
}

static void send_to_pipe(void *fd, int64_t due)
{
    if (write(*(int *)fd, &due, sizeof due) != sizeof due) _exit(1);
}

static void send_to_chan(void *blocking_of, int64_t due)
{
    blocking *b = blocking_of;
    b->who->post(b->chan, &due);
}

void event_source(int fd, uint64_t n, double rate, uint64_t seed)
{
    pin_to_other_cpu();
    emit(n, rate, seed, send_to_pipe, &fd);
}

static void *source_thread(void *arg)
{
    source *e = arg;
    pin_to_other_cpu();
    while (!__atomic_load_n(&e->b->armed, __ATOMIC_ACQUIRE)) bench_relax();
    emit(e->n, e->rate, e->opt->seed, send_to_chan, e->b);
    return NULL;
}

/* The events come from a process of their own. */
static bool woken_by_pipe(sheet *s, const source *e)
{
    blocking *b = e->b;
    if (pipe(b->fd) != 0) return sheet_fail(s, "no pipe: %m");
    pid_t child = fork();
    if (child == 0) {
        event_source(b->fd[1], e->n, e->rate, e->opt->seed);
        _exit(0);
    }
    bool ok = child > 0 ? run(s, e->opt, b, wakeup_main) : sheet_fail(s, "no process for the events: %m");
    if (child > 0) waitpid(child, NULL, 0);
    close(b->fd[0]);
    close(b->fd[1]);
    return ok;
}

static bool woken_by_channel(sheet *s, source *e)
{
    blocking *b = e->b;
    pthread_t thread;
    b->chan = e->opt->who->chan_new(e->n);
    if (b->chan == NULL || pthread_create(&thread, NULL, source_thread, e) != 0)
        return sheet_fail(s, "no channel or thread for the events");
    bool ok = run(s, e->opt, b, wakeup_main);
    pthread_join(thread, NULL);
    e->opt->who->chan_free(b->chan);
    return ok;
}

bool case_wakeup(const options *opt)
{
    static int64_t samples[EVENTS + WARM_EVENTS];
    const char *variant = opt->variant != NULL ? opt->variant : "pipe";
    bool chan = strncmp(variant, "chan", 4) == 0;
    if (!chan && strncmp(variant, "pipe", 4) != 0)
        usage_error("--case=wakeup --variant: use pipe, chan, pipe-busy or chan-busy");
    sheet s = sheet_new(opt, variant);
    if (s.n == 0) s.n = EVENTS_A_SECOND;
    bool can = opt->who->yield != NULL && (!chan || opt->who->post != NULL) && opt->who->max_threads != 1;
    if (!sheet_offers(&s, opt, can, "latency_ns") || !sheet_has_two_cpus(&s, "latency_ns")) return true;
    bool ok = true;
    pin_to_one_cpu();
    for (int rep = 0; rep < opt->reps && ok; rep++) {
        blocking b = { .samples = samples, .n = EVENTS + WARM_EVENTS };
        b.working = strstr(variant, "-busy") != NULL ? 1 : 0;
        source e = { .opt = opt, .b = &b, .n = b.n, .rate = (double)s.n };
        ok = chan ? woken_by_channel(&s, &e) : woken_by_pipe(&s, &e);
        if (ok) row_write_samples(&s, rep, "latency_ns", samples + WARM_EVENTS, EVENTS);
    }
    return finish(&s, ok, "latency_ns");
}
