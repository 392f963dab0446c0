/* The registry: every contender of the suite, in the order in which lists and figures show them. */
#include "baselines/baselines.h"

/* workload_gossamer.c */
extern const contender contender_gossamer, contender_gossamer_cold, contender_gossamer_fixed;

#define ENTRY(id) &contender_##id,
const contender *const contenders[] = { &contender_gossamer, &contender_gossamer_cold,
                                        &contender_gossamer_fixed, BASELINES(ENTRY) NULL };
