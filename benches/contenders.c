/* The registry: every contender of the suite, in the order in which lists and figures show them. */
#include "baselines/baselines.h"

extern const contender contender_gossamer, contender_gossamer_fixed;   /* workload_gossamer.c */

#define ENTRY(id) &contender_##id,
const contender *const contenders[] = { &contender_gossamer, &contender_gossamer_fixed, BASELINES(ENTRY) NULL };
