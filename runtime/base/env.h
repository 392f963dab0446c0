/* env.h: the environment variables, read once. Nonsense ends the program with one line and status 2. */
#ifndef GOS_BASE_ENV_H
#define GOS_BASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gos__env {
    int procs;        /* GOS_PROCS, 0: not given */
    bool seeded;      /* GOS_SEED is given: */
    uint64_t seed;    /* every scheduling decision is drawn from it (sched/seed.h) */
    int64_t maxstack; /* GOS_MAXSTACK, bytes */
    int64_t maxthreads; /* GOS_MAXTHREADS */
    int64_t maxmem;   /* GOS_MAXMEM, bytes, 0: not given */
    bool paged;       /* GOS_DEBUG=paged: every task on a paged stack */
    bool nobind;      /* GOS_DEBUG=nobind: workers are not bound to CPUs */
    int64_t cold_ms;  /* GOS_DEBUG=cold=ms: tasks parked for so long are packed; 0: not */
    int64_t trim_ms;  /* GOS_DEBUG=trim=MS: GOS_TRIM_MS; 0: no memory of stacks goes back while tasks live */
    int64_t schedtrace_ms;  /* GOS_DEBUG=schedtrace=ms: a line about the scheduler so often; 0: none */
    const char *contention; /* GOS_DEBUG=contention=FILE: where tasks wait, sampled; NULL: not */
    const char *trace;      /* GOS_DEBUG=trace=FILE: what workers do; NULL: not */
    bool flight;      /* GOS_DEBUG=flight: what workers did of late on standard error when the program ends by force */
    const char *flight_file; /* GOS_DEBUG=flight=FILE: in a file then; NULL: not */
    bool noflight;    /* GOS_DEBUG=noflight: nothing is recorded */
    bool clear;       /* GOS_DEBUG=clear: no task finds on its stacks what another left there */
    bool stats;       /* GOS_DEBUG=stats: counters on standard error when gos_run ends */
} gos__env;

const gos__env *gos__env_get(void);

/* A size in bytes with an optional k, m or g (powers of 1024); -1 when `text` is not one. */
int64_t gos__parse_size(const char *text);

#endif
