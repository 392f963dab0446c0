/* backtrace.h: where a task is: return addresses, innermost first. */
#ifndef GOS_DEBUG_BACKTRACE_H
#define GOS_DEBUG_BACKTRACE_H

#include <stdbool.h>

#include "stack/stack.h"

enum { GOS_FRAMES = 40 };

typedef struct gos__backtrace {
    uint32_t n;
    uintptr_t at[GOS_FRAMES];
} gos__backtrace;

/* Of the calling thread, without its innermost `skip` functions. */
void gos__backtrace_here(gos__backtrace *to, int skip);

/* Of a parked task that stays so meanwhile (sched/claim.h): by unwind information, as a debugger's. */
void gos__backtrace_of(const gos__task *task, gos__backtrace *to);

/* Of a task that is not running and may begin to: along the frame pointers, as far as they are kept. */
void gos__backtrace_by_frames(const gos__task *task, gos__backtrace *to);

#endif
