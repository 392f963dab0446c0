/* cold.h: compaction of tasks that have been parked for long (GOS_DEBUG=cold), behind the beginning, the forks and the
 * end of a run. How and why it is safe: stack/cold.h. */
#ifndef GOS_SCHED_COLD_H
#define GOS_SCHED_COLD_H

#include <stdbool.h>

/* Starts it if it is asked for; says why when it cannot be had, which does no harm. */
void gos__cold_start(void);

/* `abandoned`: threads are still on the run's stacks, so what is packed stays to be had. */
void gos__cold_end(bool abandoned);

/* Around a fork. In the child first of all, since anything may be packed. */
void gos__cold_before_fork(void);
void gos__cold_after_fork(void);
void gos__cold_in_child(void);

/* Whether this is one of the descriptors that it needs, in a child process too. */
bool gos__cold_uses(int fd);

#endif
