/*
 * chan.h: what a channel is, for chan.c and select.c.
 *
 * Biased channels
 *   A channel begins biased to the worker that made it: code of that worker's thread inside the runtime may use it
 *   without a lock, since nobody else holds the worker then (sched/worker.h, biased worker lock). Anybody else first
 *   takes the bias away for good, holding the worker, and uses the spin lock from then on. That spares two locked
 *   instructions a hand-over between tasks of one worker, and costs about a microsecond once where they are not. A
 *   worker whose channels often lose their bias makes unbiased ones.
 */
#ifndef GOS_SYNC_CHAN_H
#define GOS_SYNC_CHAN_H

#include <string.h>

#include "base/spin.h"
#include "sched/worker.h"
#include "sync/list.h"

struct gos_chan {
    /* One cache line, so that a hand-over between workers moves one. */
    gos__spin lock;
    uint32_t watch; /* who watches it and how far that is: watch.c; 0: nobody */
    uint64_t word;  /* the element for who watches */
    uint32_t bias;  /* `tag` of a worker; 0: none, the lock counts */
    uint16_t closed;
    uint8_t user;  /* index of the worker that was the last to use it under the lock */
    uint8_t shift; /* bytes from where its memory begins */
    uint64_t elem_size;
    size_t capacity;
    size_t len;                       /* elements in the ring */
    gos__waiter *senders, *receivers; /* the last of each, whose `next` is the first: a circle; NULL: nobody */

    size_t head; /* the oldest element's index; where the capacity is 0 the memory ends above */
    unsigned char ring[];
};

_Static_assert(GOS_MAX_PROCS - 1 <= UINT8_MAX, "channel: user");
_Static_assert(offsetof(gos_chan, bias) == GOS_CHAN_BIAS, "channel: bias");
_Static_assert(offsetof(gos_chan, closed) == GOS_CHAN_CLOSED, "channel: closed");
_Static_assert(offsetof(gos_chan, elem_size) == GOS_CHAN_ELEM_SIZE, "channel: elem_size");
_Static_assert(offsetof(gos_chan, capacity) == GOS_CHAN_CAPACITY, "channel: capacity");
_Static_assert(offsetof(gos_chan, len) == GOS_CHAN_LEN, "channel: len");
_Static_assert(offsetof(gos_chan, senders) == GOS_CHAN_SENDERS, "channel: senders");
_Static_assert(offsetof(gos_chan, receivers) == GOS_CHAN_RECEIVERS, "channel: receivers");
_Static_assert(offsetof(gos_chan, head) == GOS_CHAN_HEAD, "channel: head");
_Static_assert(offsetof(gos_chan, ring) == GOS_CHAN_RING, "channel: ring");

/* ---- parked tasks, first in first out; watch.c looks whether there are any without the lock ---- */

static inline void gos__chan_append(gos__waiter **last, gos__waiter *waiter)
{
    gos__waiter *former = *last;
    waiter->prev = former ? former : waiter;
    waiter->next = former ? former->next : waiter;
    waiter->prev->next = waiter->next->prev = waiter;
    gos__store_relaxed(last, waiter);
}

static inline void gos__chan_remove(gos__waiter **last, gos__waiter *waiter)
{
    gos__waiter *before = waiter->prev, *after = waiter->next;
    if (before == waiter) {
        gos__store_relaxed(last, NULL);
        return;
    }
    before->next = after;
    after->prev = before;
    if (*last == waiter)
        gos__store_relaxed(last, before);
}

/* Takes the bias away, or finds that it is this worker's. No channel is locked. */
void gos__chan_revoke(gos_chan *chan);

/* Whether this thread holds the worker that the channel is biased to. */
static inline bool gos__chan_is_ours(const gos_chan *chan)
{
    uint32_t bias = gos__load_relaxed(&chan->bias);
    return bias && gos__self.worker && gos__self.worker->tag == bias;
}

/* For sched/gather.c; the lock is held. */
static inline void gos__chan_is_used(gos_chan *chan)
{
    gos__worker *worker = gos__self.worker;
    if (gos__unlikely(!worker))
        return;
    gos__gathering *own = &worker->gathering;
    gos__store_relaxed(&own->uses, own->uses + 1);
    if (gos__unlikely(chan->user != worker->index))
        chan->user = gos__gather_crossing(worker, chan->user);
}

static inline void gos__chan_lock(gos_chan *chan)
{
    if (gos__likely(gos__chan_is_ours(chan)))
        return;
    if (gos__unlikely(gos__load_acquire(&chan->bias))) { /* pairs with the release in revoke */
        gos__chan_revoke(chan);
        if (gos__chan_is_ours(chan))
            return;
    }
    gos__spin_lock(&chan->lock);
    gos__chan_is_used(chan);
}

static inline void gos__chan_unlock(gos_chan *chan)
{
    if (gos__unlikely(!gos__load_relaxed(&chan->bias)))
        gos__spin_unlock(&chan->lock);
}

/* ---- watch.c: a pinned task that waits and has not parked yet ---- */

enum gos__watch { GOS_WATCH_CLAIMED, GOS_WATCHED, GOS_OFFERED, GOS_WATCH_SERVED, GOS_WATCH_SHUT, GOS_WATCH_STATES };

/* For a pinned task that sends (GOS_OFFERED) or receives (GOS_WATCHED) *word. 0 or -EPIPE: it is done, and the channel
 * may be gone; -EAGAIN: it has watched in vain, holds the lock, and has the first place in the list; -EBUSY: it is for
 * who holds the lock to say. */
int gos__chan_watch(gos_chan *chan, uint32_t state, uint64_t *word);

/* Before its memory is given back. */
void gos__chan_await_unwatched(gos_chan *chan);

static inline bool gos__chan_is(const gos_chan *chan, uint32_t state)
{
    return gos__load_relaxed(&chan->watch) % GOS_WATCH_STATES == state;
}

/* N1: whoever waits in this state, which `watch` says, is served, *word put or taken; false: the lock is needed. */
static inline bool gos__chan_serve(gos_chan *chan, uint32_t watch, uint64_t *word)
{
    uint64_t before = gos__load_relaxed(&chan->word);
    uint32_t state = watch % GOS_WATCH_STATES;
    if (state == GOS_OFFERED)
        *word = before;
    uint64_t served = watch - state + GOS_WATCH_SERVED;
    return gos__cas128_seq(&chan->lock, (uint64_t)watch << 32, before, served << 32, *word); /* seq: pairs with M3 */
}

/* N2, holding the lock. */
static inline void gos__chan_claim(gos_chan *chan)
{
    uint32_t watch = gos__load_relaxed(&chan->watch);
    gos__store_relaxed(&chan->watch, watch - watch % GOS_WATCH_STATES + GOS_WATCH_CLAIMED);
}

/* N3; state: GOS_WATCH_SERVED or GOS_WATCH_SHUT. */
static inline void gos__chan_answer(gos_chan *chan, uint32_t state)
{
    gos__store_release(&chan->watch, gos__load_relaxed(&chan->watch) - GOS_WATCH_CLAIMED + state); /* pairs with M3 */
}

/* Moves one element in or out, if that is possible at once: 0, -EPIPE or -EAGAIN. *met is who waited on the other
 * side, for gos__chan_met. The lock is held. */
int gos__chan_put(gos_chan *chan, const void *elem, gos__waiter **met);
int gos__chan_get(gos_chan *chan, void *elem, gos__waiter **met);

/* At the end of a run: its tasks do not wait here any more; threads without a task do. */
void gos__chan_forget_tasks(gos_chan *chan);

/* In a child process: who was at it is not there, nor who waited in it. */
void gos__chan_renew(gos_chan *chan);

/* Ends the wait of a waiter whom a put or get took out of its list; no channel is locked any more. */
void gos__chan_met(gos__waiter *met, int result, bool hand_over);

/* ---- select.c: waiters that are not their task's own belong to a select ---- */

/* Decides, under the channel's lock, for the select of a waiter that has just been taken out of its list; false:
 * another channel was first. */
bool gos__select_win(gos__waiter *waiter);

/* Takes the select that was won out of its other channels and sets its task's result. */
void gos__select_end(gos__waiter *waiter, int result);

#endif
