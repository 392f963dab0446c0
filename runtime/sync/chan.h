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
    gos__spin lock;
    uint32_t bias; /* `tag` of a worker; 0: none, the lock counts */
    uint32_t closed;
    size_t elem_size, capacity;
    size_t len, head; /* elements in the ring, and the oldest one's index */
    gos__list senders, receivers;
    unsigned char ring[];
};

/* Takes the bias away, or finds that it is this worker's. No channel is locked. */
void gos__chan_revoke(gos_chan *chan);

/* Whether this thread holds the worker that the channel is biased to. */
static inline bool gos__chan_is_ours(const gos_chan *chan)
{
    uint32_t bias = gos__load_relaxed(&chan->bias);
    return bias && gos__self.worker && gos__self.worker->tag == bias;
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
}

static inline void gos__chan_unlock(gos_chan *chan)
{
    if (gos__unlikely(!gos__load_relaxed(&chan->bias)))
        gos__spin_unlock(&chan->lock);
}

/* Moves one element in or out, if that is possible at once: 0, -EPIPE or -EAGAIN. *met is who waited on the other
 * side, for gos__chan_met. The lock is held. */
int gos__chan_put(gos_chan *chan, const void *elem, gos__waiter **met);
int gos__chan_get(gos_chan *chan, void *elem, gos__waiter **met);

/* Ends the wait of a waiter whom a put or get took out of its list; no channel is locked any more. */
void gos__chan_met(gos__waiter *met, int result, bool hand_over);

/* ---- select.c: waiters that are not their task's own belong to a select ---- */

/* Decides, under the channel's lock, for the select of a waiter that has just been taken out of its list; false:
 * another channel was first. */
bool gos__select_win(gos__waiter *waiter);

/* Takes the select that was won out of its other channels and sets its task's result. */
void gos__select_end(gos__waiter *waiter, int result);

#endif
