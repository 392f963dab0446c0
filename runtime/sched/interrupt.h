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
 * Either H3 sees M2 or M3 sees H2. There are two counts: of all handlers, and of those that were installed without
 * SA_RESTART, which alone end the waits that signal(7) lists as restarted.
 *
 * A call that blocks the main task's thread is no wait that could be taken back. To end it that thread gets a signal of
 * its own, the nudge, whose handler does nothing:
 *
 *     handler                                    main task
 *     N1  the program's own                      B1  blocks = its thread (release)
 *     N2  senders + 1 (seq), all signals held    B2  the call
 *     N3  blocks is set? sends it the nudge      B3  blocks = 0 (seq)
 *     N4  senders - 1 (seq)                      B4  waits until there are no senders; a system call, in which all
 *                                                    nudges arrive, so that they end no call of another task
 *
 * One that comes before the call has begun ends nothing: as the program's own would not, had it come then. It is
 * SIGURG, since that does nothing where there is no handler, so that few programs have one (Go preempts by it for the
 * same reasons: its proposal 24543).
 */
#ifndef GOS_SCHED_INTERRUPT_H
#define GOS_SCHED_INTERRUPT_H

#include <signal.h>
#include <sys/syscall.h>

#include "arch/syscall.h"
#include "sched/netpoll.h"

/* gos__fd_wait.interrupts: which handlers end it. */
enum gos__interrupts { GOS_BY_NONE, GOS_BY_UNRESTARTED, GOS_BY_ANY };

/* Indexed by these, from GOS_BY_UNRESTARTED. */
extern uint32_t gos__handled[3];

/* The task that runs the function given to gos_run, or, in a child process, the one that called fork. NULL: none. */
extern const gos__task *gos__main_task;
extern void (*gos__main_entry)(void *);

void gos__main_is(const gos__task *task);

/* A task's header is used again when main has ended by gos_exit. */
static inline bool gos__is_main(const gos__task *task)
{
    return task == gos__main_task && gos__entry_of(task) == gos__main_entry;
}

/* H2, H3: of a handler that has returned. Safe in handlers. */
void gos__signal_handled(bool restarts);

/* M2, M3; false: end with EINTR. */
bool gos__interrupt_publish(gos__fd_wait *wait);

/* B1 to B4, on the thread itself: it may be nudged from here, by what handlers (enum gos__interrupts); no more. In
 * line: no prologue, at which the task could change threads, may be between them and the call. The former ones are
 * given back, since a handler of the program's own may block within the call. */
typedef struct gos__nudged {
    int32_t thread; /* 0: none */
    uint32_t by;
} gos__nudged;
extern gos__nudged gos__nudged_main;
extern uint32_t gos__nudgers;
enum { GOS_NUDGE = SIGURG };

static inline gos__nudged gos__nudge_from_here(int32_t thread, enum gos__interrupts by)
{
    gos__nudged former = gos__nudged_main;
    gos__store_relaxed(&gos__nudged_main.by, (uint32_t)by);
    gos__store_release(&gos__nudged_main.thread, thread); /* B1 */
    return former;
}

static inline void gos__nudge_no_more(gos__nudged former)
{
    gos__exchange_seq(&gos__nudged_main.thread, former.thread); /* B3, seq: before B4; partner: nudge (N2, N3) */
    gos__store_relaxed(&gos__nudged_main.by, former.by);
    while (gos__load_acquire(&gos__nudgers)) /* B4 */
        gos__syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    gos__syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* In a handler: whether this is a nudge. */
bool gos__is_nudge(int number, const siginfo_t *info);

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
