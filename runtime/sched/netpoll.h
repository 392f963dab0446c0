/*
 * netpoll.h: tasks parked until descriptors are ready.
 *
 * Every descriptor number has a slot: a lock, a list of who waits, and a sequence number that is part of the tag of
 * its reports. Registrations are good for one report and renewed at every park, since nobody tells us when libc
 * closes a descriptor by itself (fclose): what the kernel says about the number when it is renewed is the truth.
 * A task that is woken tries its call again, so a needless wake-up does no harm, and every rule here is about not
 * losing one:
 *   - a slot's registration asks for all that its waiters want; under the slot's lock they change together;
 *   - one waiter is woken for each direction reported, and the registration is renewed for the others;
 *   - a number that has to be registered anew although somebody waits for it was closed: those waiters end.
 *
 * A wait may be for several descriptors and have a deadline: `state` decides who ends it, once.
 *
 *     ARMING -> WAITING     by the waiting task's own thread, last: from here on the task may run elsewhere
 *     ARMING -> ended       by an event that came so soon: the thread finds it and does not park
 *     WAITING -> ended      by an event, a close or the deadline: who does it makes the task ready
 *
 * Lock order: slot, then deadlines.
 */
#ifndef GOS_SCHED_NETPOLL_H
#define GOS_SCHED_NETPOLL_H

#include "arch/state.h"
#include "os/os.h"

typedef struct gos__fd_wait gos__fd_wait;

/* One descriptor of a wait. */
typedef struct gos__fd_record {
    struct gos__fd_record *next, *prev;
    gos__fd_wait *wait;
    int32_t fd;
    uint32_t events; /* 0: not in its slot's list */
} gos__fd_record;

enum gos__fd_state { GOS_FD_ARMING, GOS_FD_WAITING, GOS_FD_READY, GOS_FD_CLOSED, GOS_FD_LATE };

/* Lies in a frame of the task that waits. */
struct gos__fd_wait {
    gos__task *task;
    int64_t deadline; /* INT64_MAX: none */
    gos__fd_record *records;
    uint32_t n;
    uint32_t state;
    uint32_t at;      /* its place among the deadlines, from 1; 0: none */
};

/* How many tasks wait for descriptors. 0: polling is pointless. */
extern uint32_t gos__netpoll_waits;

/* When gos__netpoll was last called. */
extern int64_t gos__netpoll_last;

/* Parks until a descriptor is ready or the deadline is over. 0: try the call again; -ETIMEDOUT; -EBADF: closed; other
 * errors: it cannot be waited for (-EPERM: always ready). A parking stub of arch/entry_x86_64.S. */
int gos__fd_park(gos__fd_wait *wait);
gos__task *gos__fd_park_c(gos__fd_wait *wait, void *b, void *c, gos__task *self);

/* Undoes what is left of a wait with several records or a deadline, after gos__fd_park. */
void gos__fd_done(gos__fd_wait *wait);
void gos__fd_done_c(gos__fd_wait *wait);

/* Room for the records of a wait for n descriptors; NULL: no memory. */
gos__fd_record *gos__fd_alloc(size_t n);
gos__fd_record *gos__fd_alloc_c(size_t n);
void gos__fd_free(gos__fd_record *records);
void gos__fd_free_c(gos__fd_record *records);

/* Before a descriptor is closed: its waits end with -EBADF. 1: gos__fd_closed must follow; 0: it need not; -EBADF: it
 * is one of the runtime's own, which stay open. */
int gos__fd_closing(int fd);
int gos__fd_closing_c(int fd);
void gos__fd_closed(int fd);
void gos__fd_closed_c(int fd);

/* Readies the tasks whose descriptors are ready, or whose deadline is over, without waiting. */
void gos__netpoll(void);

/* Whether tasks wait and no thread sleeps as the poller. */
bool gos__netpoll_alone(void);

/* Sleeping as the poller. begin takes the role; false: another has it, or nobody waits. end gives it back and delivers
 * what the sleep brought; is_lost: this thread lost its worker meanwhile. */
typedef struct gos__netpoll_batch {
    int n;
    gos__poll_event events[64];
} gos__netpoll_batch;
bool gos__netpoll_begin(gos__netpoll_batch *batch);
void gos__netpoll_sleep(gos__netpoll_batch *batch, int64_t deadline);
void gos__netpoll_end(gos__netpoll_batch *batch, bool is_lost);

/* Ends this thread's sleep if it is the poller. */
void gos__netpoll_wake(gos__thread *thread);

/* Forgets every waiter: the run is over. */
void gos__netpoll_close(void);

#endif
