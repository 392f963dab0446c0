/*
 * san.h: what address and thread sanitizer are told about tasks; nothing at all in other builds.
 *
 * Both keep a picture of the stack that a thread is on: bounds and dead frames (address), a stack of calls and a
 * clock (thread). It is changed wherever the stack is, so that runtime code, on the system stack, belongs to the
 * thread and not to the task that called it, which may go on elsewhere before that code is done:
 *
 *     task A calls          gos__san_enter    A -> thread      then C code on the system stack
 *     goes on as A or B     gos__san_resume   thread -> A, B   then code of the task
 *     leaves its run        gos__san_leave    if need be: __morestack's C code is left to count as the task's
 *
 * Thread sanitizer takes each change for an order: A before the thread's code, and that before B. This is so, though
 * it hides races between tasks that happen to share a thread. What it cannot see is assembly: the owner's side of the
 * biased worker lock (sched/worker.h) is said here, O3 and O5, each beside the instruction that does it.
 *
 * POSIX calls are made here and not by libc, so neither sees them by itself: what is read or written through a pointer,
 * and that what one thread wrote comes before what another has read, is said beside the system call.
 *
 * What a task that waits has on its stack is no leak: address sanitizer looks there, too. One that has ended, by itself
 * or with its run, holds nothing any more.
 *
 * A child process that goes on as a program (sched/fork.c) cannot do so under thread sanitizer, which starts no threads
 * in the child of a program that had some, and says so. One that calls exec can.
 */
#ifndef GOS_ARCH_SAN_H
#define GOS_ARCH_SAN_H

#include "arch/state.h"

#if GOS_SAN
/* On the system stack, from the doors (arch/entry_x86_64.S). */
void gos__san_enter(void);
void gos__san_holds(void);
void gos__san_resume(gos__task *task);
void gos__san_leave(void);

/* A task that is about to get its first context, and one that has ended. Neither runs. */
void gos__san_begin(gos__task *task);
void gos__san_end(gos__task *task);

/* One that is about to end other than by returning from its function. */
void gos__san_amid(gos__task *task);

/* Memory of stacks that goes back to the kernel; and before that each task that may be on it. */
void gos__san_forget(uintptr_t start, uintptr_t end);
#else
static inline void gos__san_begin(gos__task *task)
{
    (void)task;
}
static inline void gos__san_end(gos__task *task)
{
    (void)task;
}
static inline void gos__san_amid(gos__task *task)
{
    (void)task;
}
static inline void gos__san_forget(uintptr_t start, uintptr_t end)
{
    (void)start, (void)end;
}
#endif
#endif
