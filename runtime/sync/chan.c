/* chan.c: channels: a lock, a ring of elements, and two lists of parked tasks, of which at most one is not empty. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sched/worker.h"
#include "sync/sync.h"

typedef struct wait_list {
    gos__task *first, *last;
} wait_list;

struct gos_chan {
    gos__spin lock;
    uint32_t closed;
    size_t elem_size, capacity;
    size_t len, head; /* elements in the ring, and the oldest one's index */
    wait_list senders, receivers;
    unsigned char ring[];
};

static void enqueue(wait_list *list, gos__task *task)
{
    task->next = NULL;
    if (list->first)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
}

static gos__task *dequeue(wait_list *list)
{
    gos__task *task = list->first;
    if (task)
        list->first = task->next;
    return task;
}

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

gos_chan *gos__chan_new(size_t elem_size, size_t capacity)
{
    size_t bytes;
    if (__builtin_mul_overflow(elem_size, capacity, &bytes) || __builtin_add_overflow(bytes, sizeof(gos_chan), &bytes))
        return NULL;
    gos_chan *chan = malloc(bytes);
    if (chan)
        *chan = (gos_chan){ .elem_size = elem_size, .capacity = capacity };
    return chan;
}

void gos__chan_free(gos_chan *chan)
{
    if (chan && CHECKS >= 1)
        gos__require(!chan->senders.first && !chan->receivers.first, "gos_chan_free: tasks are parked in the channel");
    free(chan);
}

static void require_chan(const gos_chan *chan, const char *what)
{
    gos__require(chan != NULL, "%s: the channel is NULL", what);
}

/* Moves one element in, if that is possible at once; *woken is the receiver to make ready. The lock is held. */
static int send_locked(gos_chan *chan, const void *elem, gos__task **woken)
{
    if (chan->closed)
        return -EPIPE;
    gos__task *receiver = dequeue(&chan->receivers);
    if (receiver) {
        copy(chan, receiver->waiter.elem, elem);
        receiver->result = 0;
        *woken = receiver;
        return 0;
    }
    if (chan->len == chan->capacity)
        return -EAGAIN;
    copy(chan, slot(chan, chan->head + chan->len), elem);
    chan->len++;
    return 0;
}

/* Moves one element out, if that is possible at once; *woken is the sender to make ready. The lock is held. */
static int recv_locked(gos_chan *chan, void *elem, gos__task **woken)
{
    gos__task *sender = dequeue(&chan->senders);
    if (!chan->len && !sender)
        return chan->closed ? -EPIPE : -EAGAIN;
    if (sender) {
        sender->result = 0;
        *woken = sender;
    }
    if (!chan->len) {
        copy(chan, elem, sender->waiter.elem);
        return 0;
    }
    copy(chan, elem, slot(chan, chan->head));
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    if (sender)
        copy(chan, slot(chan, chan->head + chan->len - 1), sender->waiter.elem);
    else
        chan->len--;
    return 0;
}

static gos__task *park_in(gos_chan *chan, wait_list *list, void *elem, enum gos__wait why, gos__task *self)
{
    self->waiter.elem = elem;
    self->why = (uint8_t)why;
    self->state = GOS_PARKED;
    enqueue(list, self);
    gos__spin_unlock(&chan->lock);
    return gos__park(self);
}

gos__task *gos__chan_send(gos_chan *chan, const void *elem, void *unused, gos__task *self)
{
    (void)unused;
    require_chan(chan, "gos_chan_send");
    gos__task *woken = NULL;
    gos__spin_lock(&chan->lock);
    int result = send_locked(chan, elem, &woken);
    if (result == -EAGAIN)
        return park_in(chan, &chan->senders, (void *)(uintptr_t)elem, GOS_WAIT_SEND, self);
    gos__spin_unlock(&chan->lock);
    if (woken)
        gos__ready(woken, true);
    self->result = result;
    return self;
}

gos__task *gos__chan_recv(gos_chan *chan, void *elem, void *unused, gos__task *self)
{
    (void)unused;
    require_chan(chan, "gos_chan_recv");
    gos__task *woken = NULL;
    gos__spin_lock(&chan->lock);
    int result = recv_locked(chan, elem, &woken);
    if (result == -EAGAIN)
        return park_in(chan, &chan->receivers, elem, GOS_WAIT_RECV, self);
    gos__spin_unlock(&chan->lock);
    if (woken)
        gos__ready(woken, true);
    self->result = result;
    return self;
}

int gos__chan_try_send(gos_chan *chan, const void *elem)
{
    require_chan(chan, "gos_chan_try_send");
    gos__task *woken = NULL;
    gos__spin_lock(&chan->lock);
    int result = send_locked(chan, elem, &woken);
    gos__spin_unlock(&chan->lock);
    if (woken)
        gos__ready(woken, true);
    return result;
}

int gos__chan_try_recv(gos_chan *chan, void *elem)
{
    require_chan(chan, "gos_chan_try_recv");
    gos__task *woken = NULL;
    gos__spin_lock(&chan->lock);
    int result = recv_locked(chan, elem, &woken);
    gos__spin_unlock(&chan->lock);
    if (woken)
        gos__ready(woken, true);
    return result;
}

int gos__chan_close(gos_chan *chan)
{
    require_chan(chan, "gos_chan_close");
    gos__spin_lock(&chan->lock);
    bool again = chan->closed;
    chan->closed = 1;
    /* One list is empty: receivers wait only when there is nothing, senders only when there is no room. */
    gos__task *task = chan->receivers.first ? chan->receivers.first : chan->senders.first;
    chan->receivers.first = NULL;
    chan->senders.first = NULL;
    gos__spin_unlock(&chan->lock);
    while (task) {
        gos__task *next = task->next;
        task->result = -EPIPE;
        gos__ready(task, false);
        task = next;
    }
    return again ? -EPIPE : 0;
}

size_t gos__chan_len(gos_chan *chan)
{
    require_chan(chan, "gos_chan_len");
    gos__spin_lock(&chan->lock);
    size_t len = chan->len;
    gos__spin_unlock(&chan->lock);
    return len;
}

size_t gos__chan_cap(gos_chan *chan)
{
    require_chan(chan, "gos_chan_cap");
    return chan->capacity;
}
