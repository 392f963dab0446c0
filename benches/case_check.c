/*
 * The case `check`: what the stack check costs a call. The same code without and with checks in one process, in epochs
 * of about a millisecond, ABBA or BAAB as the seed says. Both arms do the same number of operations in every epoch.
 */
#include "check_calls.h"
#include "gbench.h"
#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EPOCH_NS = 1000000 };

typedef struct pair {
    const char *variant;
    const char *name[2];
    uint64_t (*arm[2])(uint64_t rounds);
    bool on_unit;               /* run on a unit of gossamer, on its small stack */
} pair;

typedef struct comparison {
    const pair *pair;
    const options *opt;
    sheet sheet[2];             /* of each arm */
    block block;
    uint64_t random;
    int rep;
} comparison;

static const contender *gossamer(void)
{
    for (int i = 0; contenders[i] != NULL; i++)
        if (strcmp(contenders[i]->name, "gossamer") == 0) return contenders[i];
    return NULL;
}

static bool run_block(comparison *c)
{
    if (!c->pair->on_unit) {
        block_run(&c->block);
        return true;
    }
    c->block.who = gossamer();
    if (c->block.who == NULL) return sheet_fail(&c->sheet[1], "there is no contender 'gossamer' to run it on");
    int error = c->block.who->run(1, block_on_unit, &c->block);
    if (error == 0) error = -c->block.error;
    if (error == 0) return true;
    return sheet_fail(&c->sheet[1], "could not run: %s", strerror(-error));
}

/* Rounds such that the slower arm's epoch takes about EPOCH_NS. Serves as warm-up too. */
static bool calibrate(comparison *c)
{
    static const unsigned char abba[BLOCK_EPOCHS] = { 0, 1, 1, 0 };
    memcpy(c->block.order, abba, sizeof abba);
    for (c->block.rounds = 4;; c->block.rounds *= 2) {
        if (!run_block(c)) return false;
        int64_t slowest = 1;
        for (int i = 0; i < BLOCK_EPOCHS; i++)
            if (c->block.ns[i] > slowest) slowest = c->block.ns[i];
        if (slowest < EPOCH_NS / 8) continue;
        c->block.rounds = c->block.rounds * EPOCH_NS / (uint64_t)slowest + 1;
        return true;
    }
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void write_rows(comparison *c, gb_state *state)
{
    int seen[2] = { 0, 0 };
    double total[2] = { 0, 0 };
    for (int i = 0; i < BLOCK_EPOCHS; i++) {
        int arm = c->block.order[i];
        double ns = (double)c->block.ns[i] / (double)c->block.ops[i];
        c->sheet[arm].n = c->sheet[arm].ops = c->block.ops[i];
        row_write(&c->sheet[arm], 2 * c->rep + seen[arm]++, "ns_per_op", ns);
        total[arm] += ns / 2;
    }
    for (int arm = 0; arm < 2; arm++) gb_counter(state, c->pair->name[arm], total[arm]);
    c->rep++;
}

static void one_block(gb_state *state, void *arg)
{
    comparison *c = arg;
    while (gb_keep_running(state, BLOCK_EPOCHS)) {
        unsigned char first = draw(&c->random) & 1;
        for (int i = 0; i < BLOCK_EPOCHS; i++) c->block.order[i] = i == 0 || i == 3 ? first : !first;
        if (!run_block(c)) {
            gb_skip(state, c->sheet[1].why);
            return;
        }
        int64_t ns = 0;
        for (int i = 0; i < BLOCK_EPOCHS; i++) ns += c->block.ns[i];
        gb_set_seconds(state, (double)ns * 1e-9);
        write_rows(c, state);
    }
}

static void prepare(comparison *c, const pair *p, const options *opt)
{
    *c = (comparison){ .pair = p, .opt = opt, .random = opt->seed, .block.arm = { p->arm[0], p->arm[1] } };
    for (int arm = 0; arm < 2; arm++) {
        c->sheet[arm] = sheet_new(opt, p->variant);
        c->sheet[arm].contender = p->name[arm];
    }
    char name[64];
    snprintf(name, sizeof name, "check/%s", p->variant);
    if (calibrate(c)) gb_register(name, one_block, c, BLOCK_EPOCHS, opt->reps);
    else row_write(&c->sheet[1], 0, "ns_per_op", NAN);
}

bool case_check(const options *opt)
{
    const check_calls *p = &check_calls_plain, *k = &check_calls_checked;
    const pair pairs[] = {
        { "shallow", { p->build, k->build }, { p->shallow, k->shallow }, false },
        { "deep", { p->build, k->build }, { p->deep, k->deep }, false },
        { "deep256", { p->build, k->build }, { p->deep256, k->deep256 }, false },
        { "crossing", { p->build, k->build }, { crossing_on_large_stack, crossing_on_nursery }, true },
        { "aa", { "plain-a", "plain-b" }, { p->shallow, p->shallow }, false },
    };
    enum { PAIRS = sizeof pairs / sizeof pairs[0] };
    static comparison all[PAIRS];
    pin_to_one_cpu();
    bool ok = fib_layouts(opt);
    for (int i = 0; i < PAIRS; i++) prepare(&all[i], &pairs[i], opt);
    gb_run();
    for (int i = 0; i < PAIRS; i++) ok = ok && strcmp(all[i].sheet[1].status, "failed") != 0;
    return ok;
}

bool check_loop(const char *variant, const char *build, uint64_t rounds)
{
    const check_calls *calls = strcmp(build, "plain") == 0 ? &check_calls_plain : &check_calls_checked;
    const struct { const char *name; uint64_t (*loop)(uint64_t); } loops[] = {
        { "shallow", calls->shallow }, { "deep", calls->deep }, { "deep256", calls->deep256 },
    };
    if (strcmp(variant, "fib") == 0) {
        printf("%llu\n", (unsigned long long)fib_loop(build, rounds));
        return true;
    }
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        if (strcmp(loops[i].name, variant) != 0) continue;
        printf("%llu\n", (unsigned long long)loops[i].loop(rounds));
        return true;
    }
    return false;
}
