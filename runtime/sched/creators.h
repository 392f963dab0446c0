/*
 * creators.h: where each task was started: only with GOS_DEBUG=creators, since a task has no byte for it. A table by
 * the tasks' addresses, which are used again; 32 to 64 bytes for each task that ever lived at once.
 */
#ifndef GOS_SCHED_CREATORS_H
#define GOS_SCHED_CREATORS_H

#include "arch/state.h"

/* The address after the call that started it; 0: not by a task. Without memory nothing is noted. */
void gos__creator_note(const gos__task *task, uintptr_t at);

/* 0: not known. */
uintptr_t gos__creator_of(const gos__task *task);

/* At the end of a run. */
void gos__creators_forget(void);

#endif
