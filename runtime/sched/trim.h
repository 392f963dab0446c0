/* trim.h: the monitor gives memory of stacks back to the kernel, a little at a time. */
#ifndef GOS_SCHED_TRIM_H
#define GOS_SCHED_TRIM_H

#include <stdbool.h>
#include <stdint.h>

struct gos__runtime;

/* When a monitor begins. */
void gos__trim_begin(void);

/* A look, and a step of what there is to do. `idle`: all workers are. Returns when the next is due (gos__clock_ns);
 * INT64_MAX: not before a worker has run again. */
int64_t gos__trim(struct gos__runtime *rt, int64_t now, bool idle);

#endif
