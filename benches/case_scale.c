/* The case `scale`: programs of many units on 1 to all threads; the result proves the work. */
#define _GNU_SOURCE
#include "gbench.h"
#include "scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RING_TOKENS = 16 };   /* as in workload_scale.c */

static uint64_t sum_below(uint64_t n) { return n * (n - 1) / 2; }
static uint64_t sum_to(uint64_t n) { return n * (n + 1) / 2; }
static uint64_t all_hops(uint64_t n) { return n / RING_TOKENS * RING_TOKENS; }

static uint64_t fib(uint64_t n)
{
    uint64_t a = 0, b = 1;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

static const struct program {
    const char *name;
    void (*round)(scale *s);
    uint64_t (*expected)(uint64_t n);
    uint64_t n, few;   /* by default; for contenders whose unit is a thread of the kernel */
    bool powers;       /* n must be a power of ten */
} programs[] = {
    { "skynet", skynet_round, sum_below, 1000000, 1000, true },
    { "skynet-chan", skynet_chan_round, sum_below, 1000000, 1000, true },
    { "ring", ring_round, all_hops, 200000, 4000, false },
    { "fan", fan_round, sum_to, 100000, 500, false },
    { "tree", tree_round, fib, 25, 12, false },
};
enum { PROGRAMS = sizeof programs / sizeof programs[0] };

static const struct program *program_named(const char *name)
{
    for (int i = 0; name != NULL && i < PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0) return &programs[i];
    usage_error("--case=scale --variant: use skynet, skynet-chan, ring, fan or tree");
}

static bool is_power_of_ten(uint64_t n)
{
    while (n > 1 && n % 10 == 0) n /= 10;
    return n == 1;
}

static double sample(sheet *s, const options *opt, const struct program *p)
{
    scale run = { .who = opt->who, .n = s->n, .round = p->round };
    int error = opt->who->run(opt->threads, scale_main, &run);
    uint64_t made = opt->who->made() - 1, expected = p->expected(s->n);
    s->units_asked = run.spawned;
    s->units_made = made;
    s->ops = run.ops;
    if (error != 0) sheet_fail(s, "could not run: %s", strerror(-error));
    else if (run.failed > 0) sheet_fail(s, "%llu units were refused", (unsigned long long)run.failed);
    else if (run.result != expected)
        sheet_fail(s, "the result is %llu, not %llu", (unsigned long long)run.result, (unsigned long long)expected);
    else if (made != run.spawned)
        sheet_fail(s, "spawned %llu units, but the contender says that it made %llu", (unsigned long long)run.spawned,
                   (unsigned long long)made);
    else return (double)(run.end - run.begin) / (double)run.ops;
    return NAN;
}

bool case_scale(const options *opt)
{
    const struct program *p = program_named(opt->variant);
    const contender *who = opt->who;
    sheet s = sheet_new(opt, p->name);
    if (s.n == 0) s.n = strncmp(who->name, "pthread", 7) == 0 ? p->few : p->n;
    if (p->powers && !is_power_of_ten(s.n)) usage_error("--case=scale --variant=%s: --n is a power of ten", p->name);
    if (!sheet_offers(&s, opt, who->latch_init != NULL && who->chan_new != NULL, "ns_per_op")) return true;
    if (opt->threads == 1) pin_to_one_cpu();
    for (int rep = 0; rep < opt->reps; rep++) {
        double ns = sample(&s, opt, p);
        row_write(&s, rep, "ns_per_op", ns);
        if (isnan(ns)) return false;
    }
    return true;
}
