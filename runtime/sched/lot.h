/*
 * lot.h: waiting for what is none of ours: tasks that wait until something happens to an object of the C library, known
 * by its address (a pthread_mutex_t, a sem_t ...). The object holds the truth; here is only who looks at it again.
 *
 *     waiter                                     who changes the object
 *     W1  enlist under the object's address      C1  change it (a locked instruction, or a fence)
 *     W2  try; done? leave                       C2  nobody enlisted anywhere? done
 *     W3  park, unless woken since W1            C3  wake one who is enlisted for it, or all
 *     W4  leave, try, from W1 again
 *
 * Either W2 sees C1 or C2 sees W1, which is a full fence too. A parked waiter is woken once: by C3, its deadline or a
 * handler. Who was woken by C3 and does not need it wakes the next one; so does who gives up although C3 came, since a
 * handler was noticed between W2 and W3.
 *
 * Who may not take the runtime's locks (a signal handler above the runtime's own code, which sem_post may be called in)
 * leaves a word for the monitor, which wakes everybody: each looks again.
 */
#ifndef GOS_SCHED_LOT_H
#define GOS_SCHED_LOT_H

#include "base/compiler.h"
#include "sched/netpoll.h"

typedef struct gos__lot_wait gos__lot_wait;

/* Lies in a frame of who waits. */
struct gos__lot_wait {
    gos__fd_wait wait; /* without records */
    const void *key;
    gos__lot_wait *next, *prev;
    uint32_t queued;
    uint32_t futex;    /* 1: woken; of a thread that runs no task */
};

/* Other waiters for the same object, who are woken apart from those under its own address. */
static inline const void *gos__lot_second_key(const void *object)
{
    return (const char *)object + 1;
}

/* What a key is of: such objects are at even addresses. */
static inline uintptr_t gos__lot_object_of(const void *key)
{
    return (uintptr_t)key & ~(uintptr_t)1;
}

/* How many are enlisted. */
extern uint32_t gos__lot_n;

/* C2: whether there may be somebody to wake. */
static inline bool gos__lot_any(void)
{
    gos__fence_after_change(); /* C1; partner: W1 */
    return gos__unlikely(gos__load_relaxed(&gos__lot_n));
}

/* first: before those who wait for the same, since it was woken once already. why: enum gos__wait. */
void gos__lot_enlist(gos__lot_wait *wait, const void *key, int first, int why);
void gos__lot_enlist_c(gos__lot_wait *wait, const void *key, int first, int why);

/* 1: it was woken, or its deadline came; 0: it was still enlisted. */
int gos__lot_leave(gos__lot_wait *wait);
int gos__lot_leave_c(gos__lot_wait *wait);

/* Wakes one, or all, who wait for this; 0: there was none. From a task; from elsewhere. */
int gos__lot_wake_from(const void *key, int all);
int gos__lot_wake_task(const void *key, int all);
int gos__lot_wake_plain(const void *key, int all);

/* Whether somebody left that word; on the monitor: wakes all then. */
bool gos__lot_is_left(void);
void gos__lot_attend(void);

/* The run is over: its tasks wait for nothing any more. Under gos__rt_lock. */
void gos__lot_close(void);

/* In a child process: nobody waits. */
void gos__lot_forked(void);

#endif
