/*
 * task.h: the C side of the public functions about tasks; arch/entry_x86_64.S calls these on the system stack. Those
 * with a `self` return the task to go on with; what the public function returns is self->result.
 */
#ifndef GOS_SCHED_TASK_H
#define GOS_SCHED_TASK_H

#include "arch/state.h"

struct gos__runtime;

gos__task *gos__go(void (*fn)(void *), void *arg, uintptr_t by, gos__task *self); /* by: gos__creator_at */
gos__task *gos__yield(void *a, void *b, void *c, gos__task *self);
gos__task *gos__preempted(void *a, void *b, void *c, gos__task *self);
gos__task *gos__exit(void *a, void *b, void *c, gos__task *self);
gos__task *gos__exit_asked(void *a, void *b, void *c, gos__task *self); /* by gos_exit */
gos__task *gos__main_returned(intptr_t result, void *b, void *c, gos__task *self);
gos__task *gos__sleep(int64_t ns, void *b, void *c, gos__task *self);
gos__task *gos__procs(intptr_t n, void *b, void *c, gos__task *self);
int gos__go_foreign(void (*fn)(void *), void *arg, uintptr_t by);
int gos__procs_foreign(int n);
uint32_t gos__procs_setting(void); /* how many workers a run begins with */
void gos__pin(void);
void gos__unpin(void);
void gos__block_begin(void);
void gos__block_end(void);
long gos__ntasks(void);
long gos__tasks_of(const struct gos__runtime *rt); /* the caller keeps the run from ending */
int64_t gos__now(void);
_Noreturn void gos__outside(const char *name);

#endif
