/*
 * netpoll.h: tasks parked until descriptors are ready.
 *
 * Every descriptor number has a slot: a lock, a list of who waits, and a sequence number that is part of the tag of
 * its reports. Registrations are good for one report and renewed at every park, since nobody tells us when libc
 * closes a descriptor by itself (fclose): what the kernel says about the number when it is renewed is the truth. Those
 * of sockets that one task reads are kept: slot.h.
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
 * Lock order: slot, then deadlines or the list of slot.c.
 */
#ifndef GOS_SCHED_NETPOLL_H
#define GOS_SCHED_NETPOLL_H

#include "arch/state.h"
#include "os/os.h"

typedef struct gos__fd_wait gos__fd_wait;
typedef struct gos__fd_slot gos__fd_slot; /* slot.h */

/* A descriptor as it was seen before a call (slot.h, R1). */
typedef struct gos__fd_look {
    gos__fd_slot *slot; /* NULL: nothing is known of it */
    uint32_t word, facts;
} gos__fd_look;

/* One descriptor of a wait. */
typedef struct gos__fd_record {
    struct gos__fd_record *next, *prev;
    gos__fd_wait *wait;
    int32_t fd;
    uint32_t events; /* 0: not in its slot's list */
} gos__fd_record;

enum gos__fd_state {
    GOS_FD_ARMING, GOS_FD_WAITING, GOS_FD_READY, GOS_FD_CLOSED, GOS_FD_LATE, GOS_FD_INTERRUPTED
};

/* Lies in a frame of the task that waits. */
struct gos__fd_wait {
    gos__task *task;
    int64_t deadline; /* INT64_MAX: none */
    gos__fd_record *records;
    uint32_t n;
    uint32_t state;
    uint32_t at;      /* its place among the deadlines, from 1; 0: none */
    uint8_t is_listed; /* 1: sched/lot.c has begun it: `task` and `state` are set, and it may have ended already */
    uint8_t why;       /* then: enum gos__wait */
    uint32_t round;   /* of the looks at waits that rest on trust; 0: does not, or was looked at */
    uint32_t seen;    /* interrupt.h, and: */
    uint8_t interrupts; /* not 0: gos__fd_done is owed */
    bool timed;       /* gos__fd_done is owed, since somebody may hold this by its deadline */
    bool is_far;      /* the deadline need not be known before the wait is looked at */
    bool found_facts; /* the socket blocks and has this time limit */
    int64_t limit;
    const gos__fd_look *look; /* of a socket whose registration may be kept; NULL: it may not */
};

/* How many tasks wait for descriptors. 0: polling is pointless. */
extern uint32_t gos__netpoll_waits;

/* 1: in a child process whose task has not come to the runtime yet (fork.c). */
extern uint32_t gos__fork_pending;

/* When gos__netpoll was last called. */
extern int64_t gos__netpoll_last;

/* Parks until a descriptor is ready or the deadline is over. 0: try the call again; -ETIMEDOUT; -EINTR; -EBADF: closed;
 * other errors: it cannot be waited for (-EPERM: always ready). A parking stub of arch/entry_x86_64.S. */
int gos__fd_park(gos__fd_wait *wait);
gos__task *gos__fd_park_c(gos__fd_wait *wait, void *b, void *c, gos__task *self);

/* Undoes what is left of a wait with several records or a deadline, after gos__fd_park. */
void gos__fd_done(gos__fd_wait *wait);
void gos__fd_done_c(gos__fd_wait *wait);

/* fd has just been made by a call that we saw: whatever was known of the number is not true any more. */
void gos__fd_born(int fd);
void gos__fd_born_c(int fd);

/* The same, and it is an open file that has another number as well. */
void gos__fd_duplicated(int fd);
void gos__fd_duplicated_c(int fd);

/* Whether calls on fd block, or for how long, may have changed. */
void gos__fd_changed(int fd);
void gos__fd_changed_c(int fd);

/* ---- wait.c ---- */

/* Ends a wait unless somebody else did (false); its task joins *woken if it is parked. Under the lock by which `wait`
 * was found, so that it is still there. */
bool gos__fd_end(gos__fd_wait *wait, enum gos__fd_state how, gos__task **woken);

/* has_worker: this thread may use its worker's queue, if it has one; else it keeps the run from ending. */
void gos__fd_ready_all(gos__task *woken, bool has_worker);

/* What the waiting call gives in this state. */
int32_t gos__fd_result(uint32_t state);

int gos__deadline_add(gos__fd_wait *wait);
void gos__deadline_drop(gos__fd_wait *wait);
int64_t gos__deadline_first(void); /* INT64_MAX: none */
void gos__deadlines_expire(bool has_worker);
void gos__deadlines_forget(void);

/* ---- netpoll.c ---- */

/* Room for the records of a wait for n descriptors; NULL: no memory. */
gos__fd_record *gos__fd_alloc(size_t n);
gos__fd_record *gos__fd_alloc_c(size_t n);
void gos__fd_free(gos__fd_record *records);
void gos__fd_free_c(gos__fd_record *records);

/* Before a descriptor is closed: its waits end with -EBADF. 1: gos__fd_closed must follow; 0: it need not; -EBADF: it
 * is one of the runtime's own, which stay open. */
int gos__fd_closing(int fd);
int gos__fd_closing_c(int fd);

/* Beyond every number that anybody waited for. */
unsigned gos__fd_known_end(void);

/* close_range of all in it but the runtime's own; the waits of those that are closed end. 0 or -errno. */
long gos__fd_close_range(unsigned first, unsigned last, int flags);
long gos__fd_close_range_c(unsigned first, unsigned last, int flags);

/* Marks a descriptor as the runtime's own, or no more. */
void gos__fd_own(int fd, bool is_own);
void gos__fd_closed(int fd);
void gos__fd_closed_c(int fd);

/* Readies the tasks whose descriptors are ready, or whose deadline is over, without waiting. */
void gos__netpoll(void);

/* Whether tasks wait and no thread sleeps as the poller. */
bool gos__netpoll_alone(void);

/* The poller, if one sleeps, is to be up again in so many nanoseconds. */
void gos__netpoll_hurry(int64_t ns);

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

/* In a child process: forgets the parent's waiters and its share in the parent's descriptors. */
void gos__netpoll_forked(void);

/* Forgets every waiter: the run is over. */
void gos__netpoll_close(void);

#endif
