/* inject.h: what stands between the runtime and what it calls, in programs linked with the archive in which these
 * calls have other names (Makefile: FAULT_LIB). What fails, and when, is in the environment: inject.c. */
#ifndef TESTS_FAULT_INJECT_H
#define TESTS_FAULT_INJECT_H

/* From here on nothing fails by our hand, child processes included. */
void fault_end(void);

/* What the runtime has and has not given back: allocations, bytes of mappings, threads. */
typedef struct fault_held {
    long allocations, mapped, threads;
} fault_held;
fault_held fault_held_now(void);

#endif
