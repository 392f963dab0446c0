/*
 * sync.h: the C side of the public functions about channels and synchronisation; arch/entry_x86_64.S and sync_x86_64.S
 * call these on the system stack. Those with a `self` return the task to go on with; the public function returns
 * self->result.
 *
 * Everywhere: a task puts itself into a wait list under that list's lock, its context long saved, releases the lock
 * and parks; who takes it out under the lock makes it ready after releasing it. Elements are copied by the side that
 * arrives second, straight from or to the stack of the parked one, which stays where it is.
 */
#ifndef GOS_SYNC_SYNC_H
#define GOS_SYNC_SYNC_H

#include <stdbool.h>

#include "arch/state.h"
#include "include/gossamer.h"
#include "include/gossamer/context.h"

gos_chan *gos__chan_new(size_t elem_size, size_t capacity);
void gos__chan_free(gos_chan *chan);

/* One that is biased to no worker: to use it is never to wait for another. */
gos_chan *gos__chan_new_shared(size_t elem_size, size_t capacity);

/* 0, -EPIPE, or GOS_MUST_PARK: the channel is locked, and goes to the other function, which unlocks it. */
int gos__chan_send(gos_chan *chan, const void *elem);
int gos__chan_recv(gos_chan *chan, void *elem);
gos__task *gos__chan_send_parks(gos_chan *chan, const void *elem, void *unused, gos__task *self);
gos__task *gos__chan_recv_parks(gos_chan *chan, void *elem, void *unused, gos__task *self);
int gos__chan_try_send(gos_chan *chan, const void *elem);
int gos__chan_try_recv(gos_chan *chan, void *elem);
int gos__chan_close(gos_chan *chan);
size_t gos__chan_len(gos_chan *chan);
size_t gos__chan_cap(gos_chan *chan);
/* The result, or GOS_MUST_PARK: none is ready, or there are too many to look without preparations. */
int gos__select(gos_case *cases, size_t n, int64_t timeout);
gos__task *gos__select_parks(gos_case *cases, size_t n, int64_t timeout, gos__task *self);

/* From outside tasks, as all that follow with such a name: blocks the thread. */
int gos__select_outside(gos_case *cases, size_t n, int64_t timeout);

/* Behind gos_chan_send_until and recv_until, and from outside without a deadline too: the case, whose result is the
 * call's where this gives 0, lies in the door's frame. */
gos__task *gos__chan_until(gos_case *one, int64_t deadline, void *c, gos__task *self);
int gos__chan_until_outside(gos_case *one, int64_t deadline);

/* What the door of gos_mutex_lock keeps in its frame from one try to the next. */
typedef struct gos__mutex_wait {
    int64_t deadline;
    int64_t since; /* when it began to wait; 0: it has not been woken yet */
} gos__mutex_wait;

/* Result GOS_AGAIN: it was woken, and calls again. From outside tasks, as all that follow with that name: blocks. */
gos__task *gos__mutex_lock(gos_mutex *mutex, gos__mutex_wait *wait, void *c, gos__task *self);
int gos__mutex_lock_outside(gos_mutex *mutex, gos__mutex_wait *wait);
int gos__mutex_trylock(gos_mutex *mutex);
void gos__mutex_unlock(gos_mutex *mutex);
/* For a condition: whether anybody has it; locks its mutex, `elem`, for one that waited there, or queues it, so that
 * its call ends with `result`. */
bool gos__mutex_is_locked(const gos_mutex *mutex);
void gos__mutex_lock_for(gos__waiter *waiter, int32_t result);

gos__task *gos__rwmutex_rlock(gos_rwmutex *mutex, int64_t deadline, void *c, gos__task *self);
gos__task *gos__rwmutex_lock(gos_rwmutex *mutex, int64_t deadline, void *c, gos__task *self);
int gos__rwmutex_rlock_outside(gos_rwmutex *mutex, int64_t deadline);
int gos__rwmutex_lock_outside(gos_rwmutex *mutex, int64_t deadline);
int gos__rwmutex_tryrlock(gos_rwmutex *mutex);
int gos__rwmutex_trylock(gos_rwmutex *mutex);
void gos__rwmutex_runlock(gos_rwmutex *mutex);
void gos__rwmutex_unlock(gos_rwmutex *mutex);

gos__task *gos__cond_wait(gos_cond *cond, gos_mutex *mutex, int64_t deadline, gos__task *self);
int gos__cond_wait_outside(gos_cond *cond, gos_mutex *mutex, int64_t deadline);
void gos__cond_signal(gos_cond *cond);
void gos__cond_broadcast(gos_cond *cond);

gos__task *gos__sem_acquire(gos_sem *sem, intptr_t n, int64_t deadline, gos__task *self);
int gos__sem_acquire_outside(gos_sem *sem, long n, int64_t deadline);
int gos__sem_tryacquire(gos_sem *sem, long n);
void gos__sem_release(gos_sem *sem, long n);

void gos__waitgroup_turn(gos_waitgroup *group, int64_t now); /* its count has come to what somebody must see to */
void gos__waitgroup_add(gos_waitgroup *group, long n);
void gos__waitgroup_done(gos_waitgroup *group);
gos__task *gos__waitgroup_wait(gos_waitgroup *group, int64_t deadline, void *c, gos__task *self);
int gos__waitgroup_wait_outside(gos_waitgroup *group, int64_t deadline);

/* Result 1: run fn and then leave; 0: it has run. */
gos__task *gos__once_enter(gos_once *once, void (*fn)(void *), int64_t deadline, gos__task *self);
int gos__once_enter_outside(gos_once *once, void (*fn)(void *), int64_t deadline);
void gos__once_leave(gos_once *once);

gos_context *gos__context_new(gos_context *parent, int64_t deadline);
int gos__context_cancel(gos_context *context, int cause);
int gos__context_cause(gos_context *context);
gos_chan *gos__context_done(gos_context *context);
int64_t gos__context_deadline(gos_context *context);
void gos__context_free(gos_context *context);

gos_ticker *gos__ticker_new(int64_t period);
gos_chan *gos__ticker_chan(gos_ticker *ticker);
void gos__ticker_free(gos_ticker *ticker);

_Static_assert(offsetof(gos_once, gos__state) == 0, "gos_once_do reads it");
_Static_assert(offsetof(gos_mutex, gos__word) == 0, "gos_mutex_lock changes it");
_Static_assert(offsetof(gos_waitgroup, gos__spin) == GOS_GROUP_SPIN, "gos_waitgroup_wait reads it");

#endif
