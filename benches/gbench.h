/*
 * gbench.h: Google Benchmark behind eight C functions; gbench.cc is the only C++ of the harness.
 *
 * The library does what it is good for: it calls a registered function once a repetition, keeps counters and
 * writes its JSON. It takes no times: the harness reads the clock around the work and hands the seconds over
 * (manual time), because the library's own timers see only the calling thread while units run on any. A gb_state is
 * touched by the harness' main thread alone, never from inside a unit.
 *
 * Statistics are not taken from its JSON but from the raw samples in rows.jsonl: Debian's 1.7.1 gives wrong medians
 * for even repetition counts and divides real time by the thread count.
 */
#ifndef GBENCH_H
#define GBENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gb_state gb_state;

/* Starts the library: its output goes to json_file (NULL: nowhere), nothing to the terminal. Call first. */
void gb_start(const char *json_file);

/* A key and value for the JSON's context. */
void gb_context(const char *key, const char *value);

/* Registers fn(state, arg), to be called once for each of `repetitions` with `iterations` operations to do. */
void gb_register(const char *name, void (*fn)(gb_state *state, void *arg), void *arg, int64_t iterations,
                 int repetitions);

/* True while the repetition has iterations left; takes `n` of them. After false the function returns. */
bool gb_keep_running(gb_state *state, int64_t n);

/* The time that the batch just done took. */
void gb_set_seconds(gb_state *state, double seconds);

/* A named figure beside the time of this repetition. */
void gb_counter(gb_state *state, const char *name, double value);

/* Ends the repetition as an error; gb_keep_running is false from now on. */
void gb_skip(gb_state *state, const char *why);

/* Runs all that is registered and returns how many there were. */
int gb_run(void);

#ifdef __cplusplus
}
#endif
#endif
