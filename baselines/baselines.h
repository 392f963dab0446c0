/* baselines.h: the contenders of this folder. X-macro: one line here registers one everywhere. */
#ifndef BASELINES_H
#define BASELINES_H

#include "contender.h"

#define BASELINES(X)                                                                                                   \
    X(pthread)                                                                                                         \
    X(pthread_min)                                                                                                     \
    X(pool)                                                                                                            \
    X(fixed)                                                                                                           \
    X(fixed_bare)                                                                                                      \
    X(ucontext)

#define BASELINES_DECLARE(id) extern const contender contender_##id;
BASELINES(BASELINES_DECLARE)
#undef BASELINES_DECLARE

#endif
