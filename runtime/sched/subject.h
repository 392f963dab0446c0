/* subject.h: what a parked task waits on. */
#ifndef GOS_SCHED_SUBJECT_H
#define GOS_SCHED_SUBJECT_H

#include "arch/state.h"

typedef struct gos__subject {
    uintptr_t address; /* 0: none */
    int descriptor;    /* -1: none */
} gos__subject;

/* Of a task whose `why` is this; of a call of the C library, what is noted on the task's own stack. Right while the
 * task stays parked, and harmless if it does not. */
void gos__subject_of(const gos__task *task, uint8_t why, gos__subject *subject);

#endif
