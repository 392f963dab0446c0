/*
 * The case `progress`: what other units get done while n units block in raw calls. A thread of the harness conducts:
 * it samples the work that is done, says when blocking begins, and ends the calls, whatever state the contender is in.
 */
#define _GNU_SOURCE
#include "block.h"
#include "gbench.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BIN_NS = 10000000, WARM_BINS = 10, BEFORE_BINS = 15, MOST_ENTERING_BINS = 150, PATIENCE_BINS = 100,
       SETTLING_BINS = 2, BLOCKED_BINS = 15,
       MOST_BINS = BEFORE_BINS + MOST_ENTERING_BINS + SETTLING_BINS + BLOCKED_BINS };

typedef struct conductor {
    blocking b;
    int64_t bin[MOST_BINS];    /* pieces of work a second, in each bin */
    int bins, blocked_from;    /* of them; the first with all units blocked */
    uint64_t entered;          /* units in their call by then */
} conductor;

static uint64_t work_done(const blocking *b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < b->working; i++) sum += __atomic_load_n(&b->work[i].n, __ATOMIC_RELAXED);
    return sum;
}

/* Samples a bin; where the clock was late, over the time that it really took. */
static void one_bin(conductor *c, bool keep)
{
    const struct timespec time = { .tv_nsec = BIN_NS };
    uint64_t before = work_done(&c->b);
    int64_t from = clock_ns();
    nanosleep(&time, NULL);
    uint64_t done = work_done(&c->b) - before;
    if (keep) c->bin[c->bins++] = (int64_t)((double)done * 1e9 / (double)(clock_ns() - from));
}

/* Until all have entered their call, or none did for a while: somebody holds the others up. */
static void wait_for_entries(conductor *c)
{
    uint64_t seen = 0;
    for (int i = 0, since = 0; i < MOST_ENTERING_BINS && since < PATIENCE_BINS; i++, since++) {
        one_bin(c, true);
        uint64_t entered = __atomic_load_n(&c->b.entered, __ATOMIC_RELAXED);
        if (entered == c->b.blockers) return;
        if (entered != seen) since = 0;
        seen = entered;
    }
}

static void *conduct(void *arg)
{
    conductor *c = arg;
    for (int i = 0; i < WARM_BINS; i++) one_bin(c, false);
    for (int i = 0; i < BEFORE_BINS; i++) one_bin(c, true);
    __atomic_store_n(&c->b.phase, PHASE_BLOCK, __ATOMIC_RELEASE);
    wait_for_entries(c);
    for (int i = 0; i < SETTLING_BINS; i++) one_bin(c, true);
    c->blocked_from = c->bins;
    c->entered = __atomic_load_n(&c->b.entered, __ATOMIC_RELAXED);
    for (int i = 0; i < BLOCKED_BINS; i++) one_bin(c, true);
    __atomic_store_n(&c->b.phase, PHASE_END, __ATOMIC_RELEASE);
    for (uint64_t i = 0; i < c->b.blockers; i++)
        if (write(c->b.fd[1], "", 1) != 1) abort();
    return NULL;
}

static double median_of(const int64_t *values, int n)
{
    int64_t copy[MOST_BINS];
    memcpy(copy, values, (size_t)n * sizeof *copy);
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && copy[j - 1] > copy[j]; j--) {
            int64_t swap = copy[j];
            copy[j] = copy[j - 1];
            copy[j - 1] = swap;
        }
    return ((double)copy[(n - 1) / 2] + (double)copy[n / 2]) / 2;
}

static bool judge(sheet *s, const options *opt, const conductor *c)
{
    const blocking *b = &c->b;
    s->units_asked = b->working + b->blockers;
    s->units_made = b->spawned;
    if (opt->who->made() != b->spawned + 1)
        return sheet_fail(s, "spawned %llu units and the first, but the contender says that it made %llu",
                          (unsigned long long)b->spawned, (unsigned long long)opt->who->made());
    if (b->ran != b->spawned || b->error != 0)
        return sheet_fail(s, "%llu of %llu units did their work: %s", (unsigned long long)b->ran,
                          (unsigned long long)s->units_asked, strerror(b->error));
    s->ops = work_done(b);
    return s->ops > 0 || sheet_fail(s, "no work was done");
}

static bool run(sheet *s, const options *opt, conductor *c, int rep)
{
    pthread_t thread;
    memset(c, 0, sizeof *c);
    c->b.who = opt->who;
    c->b.blockers = opt->n;
    c->b.working = 2 * (unsigned)opt->threads;
    if (pipe(c->b.fd) != 0 || pthread_create(&thread, NULL, conduct, c) != 0)
        return sheet_fail(s, "no pipe or thread for the harness: %m");
    int error = opt->who->run(opt->threads, progress_main, &c->b);
    pthread_join(thread, NULL);
    close(c->b.fd[0]);
    close(c->b.fd[1]);
    if (error != 0) return sheet_fail(s, "could not run: %s", strerror(-error));
    if (!judge(s, opt, c)) return false;
    row_write(s, rep, "work_before", median_of(c->bin, BEFORE_BINS));
    row_write(s, rep, "work_blocked", median_of(c->bin + c->blocked_from, BLOCKED_BINS));
    row_write(s, rep, "units_blocked", (double)c->entered);
    row_write(s, rep, "blocked_from_bin", c->blocked_from);
    row_write_samples(s, rep, "work_in_bin", c->bin, (size_t)c->bins);
    return true;
}

bool case_progress(const options *opt)
{
    static conductor c;
    sheet s = sheet_new(opt, "");
    bool can = opt->who->yield != NULL && 2 * opt->threads <= MOST_WORKING;
    if (!sheet_offers(&s, opt, can, "work_blocked")) return true;
    bool ok = true;
    for (int rep = 0; rep < opt->reps && ok; rep++) ok = run(&s, opt, &c, rep);
    if (!ok) row_write(&s, 0, "work_blocked", NAN);
    return ok;
}
