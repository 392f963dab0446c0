/*
 * gate.h: what the files of the gate's bench program share. The program runs epochs of one row when it is told to, so
 * that scripts/perf_check.py can let two builds take turns: docs/PERF-GATE.md has the line protocol.
 */
#ifndef GATE_H
#define GATE_H

#include <stdint.h>

/* Kinds. single: one worker, pinned, decides. noisy: the same, but where the process lies in memory moves it by more
 * than the gate's limit, so it advises. multi: several workers, advises. anchor: none of our code, shows what the
 * machine did. */
typedef struct gate_row {
    const char *name, *kind, *meaning;
    void (*prepare)(void);              /* once, before the first epoch; NULL: nothing to do */
    uint64_t (*run)(uint64_t ops);      /* does about `ops` operations and returns how many were done and counted */
} gate_row;

/* Both end with an entry without a name. */
extern const gate_row task_rows[];      /* rows.c: run by the main task */
extern const gate_row anchor_rows[];    /* anchors.c: run by the process' first thread, without a runtime */

/* Takes a while that grows with `rounds` and with nothing else: the slowdown that the gate injects to test itself. */
void burn(uint64_t rounds);

/* parked.c: parks n tasks and writes what they cost as one line of "name=value" words. */
void answer_parked(uint64_t n);

/* One line about what went wrong, exit status 1. */
_Noreturn void gate_fail(const char *what);

#endif
