/*
 * bench.h: what the files of gosbench share. One process measures one case of one contender; scripts/bench.py starts
 * the processes, draws their order and keeps the rows (results/README.md says what a row holds).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "baselines/contender.h"

/* Between two looks at a word that another thread will change. */
static inline void bench_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* ---- main.c: the command line ----------------------------------------------------------------------------- */

typedef struct options {
    const char *case_name;
    const contender *who;   /* NULL for the cases `check` and `bound`, which measure no contender */
    uint64_t n;             /* units, or operations a sample; 0: chosen so that a sample takes about 20 ms */
    int threads;            /* OS threads given to the contender */
    int reps, launch;
    int cap_seconds;        /* spawning stops after this long */
    uint64_t depth;         /* bytes of stack to touch: the cases of workload_depth.h */
    const char *variant;    /* of a case that measures one variation a process; NULL: not given */
    uint64_t seed;          /* draws the order of arms where a process has several */
    int slow;               /* per cent that samples of yield, handover and spawn are made slower by, on purpose */
    bool lockstep;          /* a repetition begins when standard input says so: turn_comes */
    const char *json, *rows;
} options;

/* One clear line about a wrong command line, exit code 2. */
_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The cases: each measures, writes its rows and returns false when a row failed. */
bool case_memory(const options *opt);
bool case_spawn(const options *opt);
bool case_yield(const options *opt);
bool case_handover(const options *opt);
bool case_check(const options *opt);
bool case_bound(const options *opt);
bool case_depth(const options *opt);
bool case_descent(const options *opt);
bool case_burst(const options *opt);
bool case_progress(const options *opt);
bool case_handoff(const options *opt);
bool case_lateness(const options *opt);
bool case_wakeup(const options *opt);
bool case_scale(const options *opt);
bool case_sync(const options *opt);
bool case_timers(const options *opt);

/* Writes n words to a descriptor, each at the time that it names (clock_ns), Poisson with `rate` words a second. Runs
 * on the lowest CPU and never sleeps. */
void event_source(int fd, uint64_t n, double rate, uint64_t seed);

/* For callgrind: runs `rounds` rounds of one check loop and says how many calls that was; false: no such loop. */
bool check_loop(const char *variant, const char *build, uint64_t rounds);

/* ---- rows.c: lines of rows.jsonl -------------------------------------------------------------------------- */

/* What the rows of one measurement share. */
typedef struct sheet {
    const char *case_name, *contender, *variant;
    uint64_t n;
    int threads, launch;
    uint64_t units_asked, units_made;
    uint64_t ops;           /* operations proved by the workload's own counters; 0: none counted */
    const char *status;     /* ok, stopped, not-run, failed */
    char why[768];
    char extra[64];         /* further fields of the row as JSON, "": none */
} sheet;

/* Where rows go; NULL is standard output. The file appears with the first row. */
void rows_to(const char *path);

/* Appends a row. A NaN value becomes null. */
void row_write(const sheet *s, int rep, const char *metric, double value);

/* A distribution in nanoseconds: its median as the value, all samples beside it, in their
 * order. */
void row_write_samples(const sheet *s, int rep, const char *metric, const int64_t *samples, size_t n);

/* Marks the sheet as failed (the first reason stays), says so on standard error, and returns false. */
bool sheet_fail(sheet *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A sheet filled from the options; contender "raw" when there is none. */
sheet sheet_new(const options *opt, const char *variant);

/* True when the contender offers the operations; otherwise writes a not-run row. */
bool sheet_offers(sheet *s, const options *opt, bool offered, const char *metric);

/* True when the process may use two CPUs; otherwise writes a not-run row. */
bool sheet_has_two_cpus(sheet *s, const char *metric);

/* ---- proc.c: what the kernel says about this process -------------------------------------------------------- */

/* Lines of a file. This and the next: static buffers, one caller at a time (the observer, or main while there is
 * none). */
uint64_t proc_lines(const char *path);

/* A number from a /proc or /sys file: the one behind `key` (NULL: the first of the file), UINT64_MAX for "max", or
 * `fallback`. */
uint64_t proc_number(const char *path, const char *key, uint64_t fallback);

/* Says on standard output that memory may be read now, and waits for a line, or the end, of standard input
 * (results/README.md, memory). */
void stop_for_reading(void);

/* ---- limits.c ----------------------------------------------------------------------------------------------- */

/* Bytes that this process may still use: the least of MemAvailable and what its cgroups have left. */
uint64_t memory_left(void);

/* Puts into `why` what ended the spawning: errno in words and the limit that is nearest to being used up. */
void limits_explain(int error, char *why, size_t size);

/* ---- turn.c -------------------------------------------------------------------------------------------------- */

/* Before a repetition: says "ready" on standard output and waits for a line on standard input, where the process is one
 * of several that take turns; true at once where it is not. False: no more repetitions are wanted. */
bool turn_comes(const options *opt);

/* Writes the nanoseconds of the anchor loop for each line read, until standard input ends. */
void anchor_serve(void);

/* ---- clock ------------------------------------------------------------------------------------------------------ */

/* Monotonic nanoseconds. */
int64_t clock_ns(void);

/* Binds the process to the highest CPU it may use: contenders with one thread are compared on one CPU. */
void pin_to_one_cpu(void);

/* Binds the calling thread to the lowest CPU that the process could use when it started. */
void pin_to_other_cpu(void);

/* Whether that is another one: a side that spins would have the CPU of the side that is measured. */
bool has_two_cpus(void);

#endif
