/*
 * chan.c: channels: a lock, a ring of elements, and two lists of parked tasks, of which at most one is not empty (but
 * for a select that would both send and receive).
 */
#include "sync/chan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "sync/sync.h"

/* Words, the usual elements, without a call. */
static inline void copy(const gos_chan *chan, void *to, const void *from)
{
    if (gos__likely(chan->elem_size == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else if (chan->elem_size)
        memcpy(to, from, chan->elem_size);
}

static void *slot(gos_chan *chan, size_t index)
{
    return chan->ring + (index < chan->capacity ? index : index - chan->capacity) * chan->elem_size;
}

static inline bool is_own(const gos__waiter *waiter)
{
    return waiter == &waiter->task->waiter;
}

/* The first waiter that still waits: one of a select may have been served by another channel. */
static inline gos__waiter *dequeue(gos__list *list)
{
    gos__waiter *waiter;
    do {
        waiter = gos__list_take_first(list);
    } while (waiter && gos__unlikely(!is_own(waiter)) && !gos__select_win(waiter));
    return waiter;
}

/* A worker's credit for biased channels: one for each it makes, up to the most; each one revoked costs the loss. */
enum { BIAS_CREDIT = 64, BIAS_LOSS = 8 };

static uint32_t bias_for_new(void)
{
    gos__worker *worker = gos__self.worker;
    if (!worker)
        return 0;
    if (worker->bias_credit < BIAS_CREDIT)
        worker->bias_credit++;
    return worker->bias_credit > 0 ? worker->tag : 0;
}

gos_chan *gos__chan_new(size_t elem_size, size_t capacity)
{
    size_t bytes;
    if (__builtin_mul_overflow(elem_size, capacity, &bytes) || __builtin_add_overflow(bytes, sizeof(gos_chan), &bytes))
        return NULL;
    gos_chan *chan = malloc(bytes);
    if (chan)
        *chan = (gos_chan){ .elem_size = elem_size, .capacity = capacity, .bias = bias_for_new() };
    return chan;
}

/* Under the lock of the worker that a channel is biased to, or when that worker is no more. */
static void unbias(gos_chan *chan, gos__worker *worker)
{
    gos__store_release(&chan->bias, 0u); /* pairs with the acquire in gos__chan_lock */
    if (worker)
        worker->bias_credit -= BIAS_LOSS;
}

static void try_revoke(gos_chan *chan, uint32_t bias)
{
    gos__runtime *rt = gos__rt;
    gos__worker *worker = NULL;
    for (uint32_t i = 0; rt && i < gos__load_acquire(&rt->made) && !worker; i++)
        worker = rt->workers[i]->tag == bias ? rt->workers[i] : NULL;
    if (!worker) { /* of a former run */
        unbias(chan, NULL);
    } else if (gos__worker_lock(worker)) {
        if (gos__load_relaxed(&chan->bias) == bias)
            unbias(chan, worker);
        gos__worker_unlock(worker);
    }
}

void gos__chan_revoke(gos_chan *chan)
{
    uint32_t bias;
    while ((bias = gos__load_acquire(&chan->bias)) && !gos__chan_is_ours(chan)) {
        if (gos__self.worker) {
            try_revoke(chan, bias);
            if (gos__load_relaxed(&chan->bias))
                gos__let_others_in(); /* it may be waiting for us */
        } else {
            gos__spin_lock(&gos__rt_lock); /* the workers do not go meanwhile */
            try_revoke(chan, bias);
            gos__spin_unlock(&gos__rt_lock);
        }
    }
}

void gos__chan_free(gos_chan *chan)
{
    if (chan && CHECKS >= 1 && gos__load_relaxed(&gos__rt)) /* after a run: those that ended with it are still there */
        gos__require(!chan->senders.gos__first && !chan->receivers.gos__first,
                     "gos_chan_free: tasks are parked in the channel");
    free(chan);
}

static void require_chan(const gos_chan *chan, const char *what)
{
    gos__require(chan != NULL, "%s: the channel is NULL", what);
}

int gos__chan_put(gos_chan *chan, const void *elem, gos__waiter **met)
{
    if (chan->closed)
        return -EPIPE;
    gos__waiter *receiver = dequeue(&chan->receivers);
    if (receiver) {
        copy(chan, receiver->elem, elem);
        *met = receiver;
        return 0;
    }
    if (chan->len == chan->capacity)
        return -EAGAIN;
    copy(chan, slot(chan, chan->head + chan->len), elem);
    chan->len++;
    return 0;
}

int gos__chan_get(gos_chan *chan, void *elem, gos__waiter **met)
{
    gos__waiter *sender = dequeue(&chan->senders);
    if (!chan->len && !sender)
        return chan->closed ? -EPIPE : -EAGAIN;
    *met = sender;
    if (!chan->len) {
        copy(chan, elem, sender->elem);
        return 0;
    }
    copy(chan, elem, slot(chan, chan->head));
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    if (sender)
        copy(chan, slot(chan, chan->head + chan->len - 1), sender->elem);
    else
        chan->len--;
    return 0;
}

void gos__chan_met(gos__waiter *met, int result, bool hand_over)
{
    gos__task *task = met->task;
    if (gos__likely(is_own(met)))
        task->result = result;
    else
        gos__select_end(met, result);
    gos__ready(task, hand_over);
}

static gos__task *park_in(gos_chan *chan, gos__list *list, void *elem, enum gos__wait why, gos__task *self)
{
    self->waiter.elem = elem;
    gos__list_wait(list, self, why);
    gos__chan_unlock(chan);
    return gos__park(self);
}

gos__task *gos__chan_send(gos_chan *chan, const void *elem, void *unused, gos__task *self)
{
    (void)unused;
    require_chan(chan, "gos_chan_send");
    gos__waiter *met = NULL;
    gos__chan_lock(chan);
    int result = gos__chan_put(chan, elem, &met);
    if (result == -EAGAIN)
        return park_in(chan, &chan->senders, (void *)(uintptr_t)elem, GOS_WAIT_SEND, self);
    gos__chan_unlock(chan);
    if (met)
        gos__chan_met(met, 0, true);
    self->result = result;
    return self;
}

gos__task *gos__chan_recv(gos_chan *chan, void *elem, void *unused, gos__task *self)
{
    (void)unused;
    require_chan(chan, "gos_chan_recv");
    gos__waiter *met = NULL;
    gos__chan_lock(chan);
    int result = gos__chan_get(chan, elem, &met);
    if (result == -EAGAIN)
        return park_in(chan, &chan->receivers, elem, GOS_WAIT_RECV, self);
    gos__chan_unlock(chan);
    if (met)
        gos__chan_met(met, 0, true);
    self->result = result;
    return self;
}

int gos__chan_try_send(gos_chan *chan, const void *elem)
{
    require_chan(chan, "gos_chan_try_send");
    gos__waiter *met = NULL;
    gos__chan_lock(chan);
    int result = gos__chan_put(chan, elem, &met);
    gos__chan_unlock(chan);
    if (met)
        gos__chan_met(met, 0, true);
    return result;
}

int gos__chan_try_recv(gos_chan *chan, void *elem)
{
    require_chan(chan, "gos_chan_try_recv");
    gos__waiter *met = NULL;
    gos__chan_lock(chan);
    int result = gos__chan_get(chan, elem, &met);
    gos__chan_unlock(chan);
    if (met)
        gos__chan_met(met, 0, true);
    return result;
}

int gos__chan_close(gos_chan *chan)
{
    require_chan(chan, "gos_chan_close");
    gos__chan_lock(chan);
    bool again = chan->closed;
    chan->closed = 1;
    gos__waiter *first = NULL, *waiter;
    while ((waiter = dequeue(&chan->receivers)) || (waiter = dequeue(&chan->senders))) {
        waiter->prev = first;
        first = waiter;
    }
    /* In the order in which they came. */
    gos__waiter *next = NULL;
    for (waiter = first; waiter; waiter = waiter->prev) {
        waiter->next = next;
        next = waiter;
    }
    gos__chan_unlock(chan);
    while (next) {
        waiter = next;
        next = waiter->next;
        gos__chan_met(waiter, -EPIPE, false);
    }
    return again ? -EPIPE : 0;
}

size_t gos__chan_len(gos_chan *chan)
{
    require_chan(chan, "gos_chan_len");
    gos__chan_lock(chan);
    size_t len = chan->len;
    gos__chan_unlock(chan);
    return len;
}

size_t gos__chan_cap(gos_chan *chan)
{
    require_chan(chan, "gos_chan_cap");
    return chan->capacity;
}
