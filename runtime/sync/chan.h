/* chan.h: what a channel is, for chan.c and select.c. */
#ifndef GOS_SYNC_CHAN_H
#define GOS_SYNC_CHAN_H

#include <string.h>

#include "base/spin.h"
#include "sched/worker.h"
#include "sync/list.h"

struct gos_chan {
    gos__spin lock;
    uint32_t closed;
    size_t elem_size, capacity;
    size_t len, head; /* elements in the ring, and the oldest one's index */
    gos__list senders, receivers;
    unsigned char ring[];
};

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
