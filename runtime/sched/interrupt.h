/*
 * interrupt.h: a signal handler that has run ends the wait that the main task is in, with EINTR, as it ends that of a
 * program's first thread. On whichever thread the kernel ran it; the other tasks are threads that the signal did not go
 * to.
 *
 *     handler                                    main task, in a call that can be interrupted
 *     H1  the program's own                      M1  seen = count, as the call begins
 *     H2  count + 1 (seq)                        M2  publishes its wait (seq), under the lock
 *     H3  is a wait published? then wakes        M3  count is not `seen`? takes the wait back, ends with EINTR
 *         the monitor                            M4  parks
 *
 *     monitor, under the lock
 *     A1  a wait is published, and count is not what it has seen: takes it back, ends it with EINTR
 *
 * Either H3 sees M2 or M3 sees H2. In a call that blocks its thread there is no wait to take back; there it is that
 * thread on which the handler must run, so one that the kernel began elsewhere sends its signal on (gos__main_blocks).
 *
 * There are two counts: of all handlers, and of those that were installed without
 * SA_RESTART, which alone end the waits that signal(7) lists as restarted.
 */
#ifndef GOS_SCHED_INTERRUPT_H
#define GOS_SCHED_INTERRUPT_H

#include "sched/netpoll.h"

/* gos__fd_wait.interrupts: which handlers end it. */
enum gos__interrupts { GOS_BY_NONE, GOS_BY_UNRESTARTED, GOS_BY_ANY };

/* Indexed by these, from GOS_BY_UNRESTARTED. */
extern uint32_t gos__handled[3];

/* The task that runs the function given to gos_run, or, in a child process, the one that called fork. NULL: none. */
extern const gos__task *gos__main_task;
extern void (*gos__main_entry)(void *);

void gos__main_is(const gos__task *task);

/* The thread that the main task blocks in a call that a handler ends; 0: none. Read in handlers. A signal that comes
 * when the call is just over, or not quite begun, finds that thread all the same: so it is with a program's own. */
extern int32_t gos__main_blocks;
extern uint64_t gos__main_mask; /* the signals that it does not take meanwhile; written before the other */

/* A task's header is used again when main has ended by gos_exit. */
static inline bool gos__is_main(const gos__task *task)
{
    return task == gos__main_task && gos__entry_of(task) == gos__main_entry;
}

/* H2, H3: of a handler that has returned. Safe in handlers. */
void gos__signal_handled(bool restarts);

/* M2, M3; false: end with EINTR. */
bool gos__interrupt_publish(gos__fd_wait *wait);

/* The wait is over, however it ended. */
void gos__interrupt_withdraw(gos__fd_wait *wait);

/* On the monitor: is there something to do; A1. */
bool gos__interrupt_is_due(void);
void gos__interrupt_attend(void);

/* ---- signals for channels (io/plain_notify.c) ---- */

/* A bit each, bit 0 for number 1: which ones some channel wants, so that they may come at any time. */
extern uint64_t gos__signals_wanted;

/* Who sends them; set before the first is wanted. */
extern void (*gos__signals_send)(uint64_t arrived);

/* In a handler: the monitor shall send this one. */
void gos__signal_arrived(int number);

/* On the monitor: whether any are to be sent; sends them. */
bool gos__signals_are_due(void);
void gos__signals_attend(void);

/* The run is over; or this is a child process. */
void gos__interrupt_forget(void);

#endif
