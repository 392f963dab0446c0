/*
 * gosbench: measures one case of one contender and writes rows. scripts/bench.py drives it; by hand, for example:
 *
 *   gosbench --list
 *   gosbench --case=memory --contender=pthread --n=1000
 *   gosbench --case=handover --contender=gossamer --threads=2 --reps=5
 *   gosbench --callgrind-loop=shallow --variant=checked --n=1000      (under valgrind --tool=callgrind)
 *   gosbench --topology=topology.xml
 */
#include "bench.h"
#include "gbench.h"

#include <getopt.h>
#include <hwloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct bench_case {
    const char *name, *meaning;
    bool (*run)(const options *opt);
    bool of_contender;   /* measures a contender; otherwise --contender has no place */
    bool needs_n;
} bench_case;

static const bench_case cases[] = {
    { "memory", "bytes of n parked units: RSS, page tables, kernel stacks; --n", case_memory, true, true },
    { "spawn", "spawn, run and end n units, the first time (cold) and later (warm); --n", case_spawn, true, true },
    { "yield", "two units on one thread yield to each other", case_yield, true, false },
    { "handover", "two units pass a word on one thread (same) or two (across); --threads", case_handover, true, false },
    { "progress", "what others get done while n units block in raw calls; --n", case_progress, true, false },
    { "handoff", "from a blocking call until another runs; --variant=first, raw, hint or posix", case_handoff, true,
      false },
    { "lateness", "how long sleeps take; --variant=own or posix, also -busy or -hogs", case_lateness, true, false },
    { "wakeup", "from when an event is due until a unit runs, n a second; --variant=pipe, chan, pipe-busy or chan-busy",
      case_wakeup, true, false },
    { "scale", "programs of many units; --variant=skynet, skynet-chan, ring, fan or tree; --threads", case_scale, true,
      false },
    { "sync", "words and locks; --variant=recv, select, buffered, mutex, crowd or held; --threads", case_sync, true,
      false },
    { "timers", "start n timers and have them fire; --variant=timer or sleep; --n", case_timers, true, true },
    { "check", "calls with and without stack checks, in time", case_check, false, false },
    { "depth", "bytes of n units parked --variant=at a depth of --depth bytes or after it", case_depth, true,
      true },
    { "descent", "time of recursing --depth bytes down and up", case_descent, true, false },
    { "burst", "memory over time: n units recurse --depth bytes and come back, twice", case_burst, true, true },
    { "bound", "what the machine allows: raw switch, swapcontext, futex, pipe, call, clock", case_bound, false, false },
};
enum { CASES = sizeof cases / sizeof cases[0] };

void usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("gosbench: ", stderr);
    vfprintf(stderr, format, args);
    putc('\n', stderr);
    va_end(args);
    exit(2);
}

static const char *joined_names(bool of_cases)
{
    static char text[512];
    text[0] = '\0';
    for (int i = 0; of_cases ? i < CASES : contenders[i] != NULL; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%s", i == 0 ? "" : ", ",
                 of_cases ? cases[i].name : contenders[i]->name);
    }
    return text;
}

static const bench_case *case_named(const char *name)
{
    for (int i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, name) == 0) return &cases[i];
    usage_error("no case '%s': use one of %s", name, joined_names(true));
}

static const contender *contender_named(const char *name)
{
    for (int i = 0; contenders[i] != NULL; i++)
        if (strcmp(contenders[i]->name, name) == 0) return contenders[i];
    usage_error("no contender '%s': use one of %s", name, joined_names(false));
}

/* Tab-separated, for scripts: "contender", name, threads at most (0: any), label, what it isolates; "case", name,
 * meaning. */
static void list(void)
{
    for (int i = 0; contenders[i] != NULL; i++)
        printf("contender\t%s\t%d\t%s\t%s\n", contenders[i]->name, contenders[i]->max_threads, contenders[i]->label,
               contenders[i]->isolates);
    for (int i = 0; i < CASES; i++) printf("case\t%s\t%s\n", cases[i].name, cases[i].meaning);
}

/* The machine as hwloc sees it. */
static bool write_topology(const char *path)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0) return false;
    bool ok = hwloc_topology_load(topology) == 0 && hwloc_topology_export_xml(topology, path, 0) == 0;
    hwloc_topology_destroy(topology);
    if (!ok) fprintf(stderr, "gosbench: cannot write the topology to '%s'\n", path);
    return ok;
}

/* ---- options --------------------------------------------------------------------------------------------------- */

/* Whole numbers, also as 1e6. */
static uint64_t number(const char *option, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most) || value != floor(value))
        usage_error("--%s=%s: use a whole number from %.0f to %.0f", option, text, least, most);
    return (uint64_t)value;
}

enum { CASE, CONTENDER, N, THREADS, REPS, LAUNCH, CAP, SEED, DEPTH, JSON, ROWS, LIST, LOOP, VARIANT,
       TOPOLOGY, EVENTS, SLOW, LOCKSTEP, ANCHOR, HELP };

static const struct option long_options[] = {
    { "case", required_argument, NULL, CASE },
    { "contender", required_argument, NULL, CONTENDER },
    { "n", required_argument, NULL, N },
    { "threads", required_argument, NULL, THREADS },
    { "reps", required_argument, NULL, REPS },
    { "launch", required_argument, NULL, LAUNCH },
    { "cap", required_argument, NULL, CAP },
    { "seed", required_argument, NULL, SEED },
    { "depth", required_argument, NULL, DEPTH },
    { "json", required_argument, NULL, JSON },
    { "rows", required_argument, NULL, ROWS },
    { "list", no_argument, NULL, LIST },
    { "callgrind-loop", required_argument, NULL, LOOP },
    { "variant", required_argument, NULL, VARIANT },
    { "topology", required_argument, NULL, TOPOLOGY },
    { "events", required_argument, NULL, EVENTS },
    { "slow", required_argument, NULL, SLOW },
    { "lockstep", no_argument, NULL, LOCKSTEP },
    { "anchor", no_argument, NULL, ANCHOR },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

static void help(void)
{
    puts("usage: gosbench --case=CASE [--contender=NAME] [--n=N] [--threads=T] [--reps=R] [--launch=L]\n"
         "                [--cap=SECONDS] [--seed=S] [--depth=BYTES] [--variant=V] [--json=FILE] [--rows=FILE]\n"
         "                [--lockstep]     (a repetition for each line of standard input)\n"
         "                [--slow=PERCENT]     (yield, handover, spawn: slower by that, to see whether it shows)\n"
         "       gosbench --anchor     (times a loop of arithmetic for each line of standard input)\n"
         "       gosbench --events=COUNT --n=RATE [--seed=S]     (words to standard output, each at its time)\n"
         "       gosbench --list | --topology=FILE | --callgrind-loop=LOOP --variant=plain|checked --n=ROUNDS\n"
         "cases:");
    for (int i = 0; i < CASES; i++) printf("  %-9s %s\n", cases[i].name, cases[i].meaning);
    printf("contenders: %s\n", joined_names(false));
}

typedef struct command {
    options opt;
    bool list, anchor;
    const char *loop, *topology;
    uint64_t events;
} command;

static void take(command *c, int option, const char *value)
{
    options *o = &c->opt;
    switch (option) {
    case CASE: o->case_name = case_named(value)->name; break;
    case CONTENDER: o->who = contender_named(value); break;
    case N: o->n = number("n", value, 0, 1e9); break;
    case THREADS: o->threads = (int)number("threads", value, 1, 256); break;
    case REPS: o->reps = (int)number("reps", value, 1, 10001); break;
    case LAUNCH: o->launch = (int)number("launch", value, 0, 1e6); break;
    case CAP: o->cap_seconds = (int)number("cap", value, 1, 86400); break;
    case SEED: o->seed = number("seed", value, 0, 1e15); break;
    case DEPTH: o->depth = number("depth", value, 0, 1 << 30); break;
    case JSON: o->json = value; break;
    case ROWS: o->rows = value; break;
    case LIST: c->list = true; break;
    case LOOP: c->loop = value; break;
    case VARIANT: o->variant = value; break;
    case TOPOLOGY: c->topology = value; break;
    case EVENTS: c->events = number("events", value, 1, 1e9); break;
    case SLOW: o->slow = (int)number("slow", value, 0, 100); break;
    case LOCKSTEP: o->lockstep = true; break;
    case ANCHOR: c->anchor = true; break;
    case HELP: help(); exit(0);
    default: usage_error("bad option in '%s': gosbench --help lists what there is", value);
    }
}

static command parse(int argc, char **argv)
{
    command c = { .opt = { .threads = 1, .reps = 5, .cap_seconds = 60, .seed = 1 } };
    opterr = 0;
    for (;;) {
        const char *word = optind < argc ? argv[optind] : "";
        int option = getopt_long(argc, argv, "", long_options, NULL);
        if (option < 0) break;
        take(&c, option, option == '?' ? word : optarg);
    }
    if (optind < argc) usage_error("'%s' is no option: gosbench --help lists what there is", argv[optind]);
    return c;
}

static void run_loop(const command *c)
{
    if (c->opt.variant == NULL || (strcmp(c->opt.variant, "plain") != 0 && strcmp(c->opt.variant, "checked") != 0))
        usage_error("--callgrind-loop needs --variant=plain or --variant=checked");
    if (c->opt.n == 0) usage_error("--callgrind-loop needs --n, the number of rounds");
    if (!check_loop(c->loop, c->opt.variant, c->opt.n))
        usage_error("no loop '%s': use one of shallow, deep, deep256, fib", c->loop);
}

/* Opens a file to write now, so that a path which cannot be written is known before anything is measured. */
static void must_be_writable(const char *option, const char *path)
{
    FILE *f = path != NULL ? fopen(path, "a") : NULL;
    if (path != NULL && f == NULL) usage_error("--%s=%s: %m", option, path);
    if (f != NULL) fclose(f);
}

int main(int argc, char **argv)
{
    command c = parse(argc, argv);
    const options *opt = &c.opt;
    if (c.list) {
        list();
        return 0;
    }
    if (c.anchor) {
        anchor_serve();
        return 0;
    }
    if (c.topology != NULL) return write_topology(c.topology) ? 0 : 1;
    if (c.loop != NULL) {
        run_loop(&c);
        return 0;
    }
    if (c.events != 0) {
        event_source(STDOUT_FILENO, c.events, (double)opt->n, opt->seed);
        return 0;
    }
    if (opt->case_name == NULL) usage_error("nothing to do: give --case, one of %s", joined_names(true));
    const bench_case *what = case_named(opt->case_name);
    if (what->of_contender && opt->who == NULL)
        usage_error("--case=%s needs --contender, one of %s", what->name, joined_names(false));
    if (!what->of_contender && opt->who != NULL)
        usage_error("--case=%s measures no contender: leave --contender out", what->name);
    if (what->needs_n && opt->n == 0) usage_error("--case=%s needs --n", what->name);
    must_be_writable("rows", opt->rows);
    must_be_writable("json", opt->json);
    rows_to(opt->rows);
    gb_start(opt->json);
    return what->run(opt) ? 0 : 1;
}
