/*
 * chan.c: channels: a lock, a ring of elements, and two lists of parked tasks, of which at most one is not empty (but
 * for a select that would both send and receive).
 */
#include "sync/chan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sync/sync.h"

/* Words, the usual elements, without a call. */
static inline void copy_bytes(size_t size, void *to, const void *from)
{
    if (gos__likely(size == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else if (size)
        memcpy(to, from, size);
}

static inline void copy(const gos_chan *chan, void *to, const void *from)
{
    copy_bytes(chan->elem_size, to, from);
}

static void *slot(gos_chan *chan, size_t index)
{
    return chan->ring + (index < chan->capacity ? index : index - chan->capacity) * chan->elem_size;
}

static inline bool is_own(const gos__waiter *waiter)
{
    return (uintptr_t)waiter == (uintptr_t)waiter->task + offsetof(gos__task, waiter); /* an outsider names no task */
}

/* Who watches a channel and has been served is met like a waiter. */
enum { IS_WATCHER = 1 };

static gos__waiter *watcher_of(gos_chan *chan)
{
    return (gos__waiter *)((uintptr_t)chan + IS_WATCHER);
}

/* The first waiter that still waits: one of a select may have been served by another channel. */
static inline gos__waiter *dequeue(gos__waiter **last)
{
    while (*last) {
        gos__waiter *waiter = (*last)->next;
        gos__chan_remove(last, waiter);
        if (gos__likely(is_own(waiter)) || gos__select_win(waiter))
            return waiter;
    }
    return NULL;
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
    /* Words pass a biased channel at the door, where no decision is drawn. */
    return worker->bias_credit > 0 && !gos__is_seeded() ? worker->tag : 0;
}

/* To the next line, from what malloc gives; aligned_alloc costs several times as much. */
enum { MOST_SHIFT = GOS_CHAN_LINE - _Alignof(max_align_t) };

gos_chan *gos__chan_new(size_t elem_size, size_t capacity)
{
    size_t bytes;
    if (__builtin_mul_overflow(elem_size, capacity, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = capacity ? offsetof(gos_chan, ring) + bytes : GOS_CHAN_LINE;
    char *memory = malloc(bytes + MOST_SHIFT);
    if (!memory)
        return NULL;
    uintptr_t shift = -(uintptr_t)memory % GOS_CHAN_LINE;
    gos_chan *chan = (gos_chan *)(memory + shift);
    memset(chan, 0, GOS_CHAN_LINE);
    chan->shift = (uint8_t)shift;
    if (capacity)
        chan->head = 0;
    chan->elem_size = elem_size;
    chan->capacity = capacity;
    chan->bias = bias_for_new();
    return chan;
}

gos_chan *gos__chan_new_shared(size_t elem_size, size_t capacity)
{
    gos_chan *chan = gos__chan_new(elem_size, capacity);
    if (chan)
        chan->bias = 0;
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
    if (chan && gos__unlikely(gos__load_acquire(&chan->watch))) /* pairs with the end of watching */
        gos__chan_await_unwatched(chan);
    if (chan && CHECKS >= 1 && gos__load_relaxed(&gos__rt)) /* after a run: those that ended with it are still there */
        gos__require(!chan->senders && !chan->receivers,
                     "gos_chan_free: tasks are parked in the channel");
    if (chan)
        free((char *)chan - chan->shift);
}

static void require_chan(const gos_chan *chan, const char *what)
{
    gos__require(chan != NULL, "%s: the channel is NULL", what);
}

/* gos__chan_put; `ours`: the channel is biased to this thread's worker, and so not watched. */
static inline int put(gos_chan *chan, bool ours, const void *elem, gos__waiter **met)
{
    if (chan->closed)
        return -EPIPE;
    if (!ours && gos__unlikely(gos__chan_is(chan, GOS_WATCHED))) {
        uint64_t word = 0;
        copy(chan, &word, elem);
        gos__store_relaxed(&chan->word, word);
        gos__chan_claim(chan);
        *met = watcher_of(chan);
        return 0;
    }
    gos__waiter *receiver = dequeue(&chan->receivers);
    if (receiver) {
        copy(chan, receiver->elem, elem);
        *met = receiver;
        return 0;
    }
    size_t len = chan->len;
    if (len == chan->capacity)
        return -EAGAIN;
    copy(chan, slot(chan, chan->head + len), elem);
    gos__store_relaxed(&chan->len, len + 1);
    return 0;
}

static inline int get(gos_chan *chan, bool ours, void *elem, gos__waiter **met)
{
    if (!ours && gos__unlikely(gos__chan_is(chan, GOS_OFFERED))) {
        uint64_t word = gos__load_relaxed(&chan->word);
        copy(chan, elem, &word);
        gos__chan_claim(chan);
        *met = watcher_of(chan);
        return 0;
    }
    gos__waiter *sender = dequeue(&chan->senders);
    size_t len = chan->len;
    if (!len && !sender)
        return chan->closed ? -EPIPE : -EAGAIN;
    *met = sender;
    if (!len) {
        copy(chan, elem, sender->elem);
        return 0;
    }
    copy(chan, elem, slot(chan, chan->head));
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    if (sender)
        copy(chan, slot(chan, chan->head + len - 1), sender->elem);
    else
        gos__store_relaxed(&chan->len, len - 1);
    return 0;
}

int gos__chan_put(gos_chan *chan, const void *elem, gos__waiter **met)
{
    return put(chan, false, elem, met);
}

int gos__chan_get(gos_chan *chan, void *elem, gos__waiter **met)
{
    return get(chan, false, elem, met);
}

void gos__chan_met(gos__waiter *met, int result, bool hand_over)
{
    if (gos__unlikely((uintptr_t)met & IS_WATCHER)) {
        gos__chan_answer((gos_chan *)((uintptr_t)met - IS_WATCHER), GOS_WATCH_SERVED);
        return;
    }
    gos__task *task = met->task;
    if (gos__likely(is_own(met)))
        task->result = result;
    else
        gos__select_end(met, result);
    if (gos__likely(task != NULL))
        gos__ready(task, hand_over);
}

__attribute__((always_inline)) /* as small as it is but for the probe, whose text the compiler counts */
static inline void enlist(gos_chan *chan, gos__waiter **last, void *elem, enum gos__wait why, gos__task *self)
{
    self->waiter.elem = elem;
    gos__waits_for(self, why, chan);
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    gos__chan_append(last, &self->waiter);
}

static inline gos__task *park_in(gos_chan *chan, gos__waiter **last, void *elem, enum gos__wait why, gos__task *self)
{
    gos__waiter *later = *last;
    enlist(chan, last, elem, why, self);
    if (gos__unlikely(gos__load_relaxed(&self->pinned) & GOS_PIN_DEPTH) && gos__self.has_spun && later)
        gos__store_relaxed(last, later); /* they came while it watched */
    gos__chan_unlock(chan);
    gos__task *next = gos__park_at_once(self);
    return gos__likely(next != NULL) ? next : gos__park(self);
}

/* Without the lock, if somebody watches. */
static inline bool send_to_watcher(gos_chan *chan, const void *elem)
{
    uint32_t watch = gos__load_relaxed(&chan->watch);
    if (gos__likely(watch % GOS_WATCH_STATES != GOS_WATCHED))
        return false;
    uint64_t word = 0;
    copy(chan, &word, elem);
    return gos__chan_serve(chan, watch, &word);
}

static inline bool recv_from_watcher(gos_chan *chan, void *elem)
{
    uint32_t watch = gos__load_relaxed(&chan->watch);
    size_t size = chan->elem_size;
    uint64_t word;
    if (gos__likely(watch % GOS_WATCH_STATES != GOS_OFFERED) || !gos__chan_serve(chan, watch, &word))
        return false;
    copy_bytes(size, elem, &word); /* the channel may be gone */
    return true;
}

/* As gos__chan_met, for what is usual. */
static inline bool meet_at_once(gos__waiter *met)
{
    if (gos__unlikely((uintptr_t)met & IS_WATCHER || !is_own(met)))
        return false;
    met->task->result = 0;
    return gos__likely(gos__ready_in_front(met->task));
}

/* Takes the lock, if it takes one. True: the channel is biased to this thread's worker. */
static inline bool lock(gos_chan *chan)
{
    if (gos__likely(gos__chan_is_ours(chan)))
        return true;
    gos__chan_lock(chan);
    return false;
}

/* What a call says that has moved its element, or cannot. -EAGAIN: the lock is still held. */
static inline int end(gos_chan *chan, bool ours, int result, gos__waiter *met)
{
    if (result == -EAGAIN)
        return result;
    if (!ours)
        gos__chan_unlock(chan);
    if (met && !meet_at_once(met))
        gos__chan_met(met, 0, true);
    return result;
}

static inline int try_send(gos_chan *chan, const void *elem)
{
    gos__waiter *met = NULL;
    if (gos__unlikely(!gos__chan_is_ours(chan)) && send_to_watcher(chan, elem))
        return 0;
    bool ours = lock(chan);
    int result = put(chan, ours, elem, &met);
    return end(chan, ours, result, met);
}

static inline int try_recv(gos_chan *chan, void *elem)
{
    gos__waiter *met = NULL;
    if (gos__unlikely(!gos__chan_is_ours(chan)) && recv_from_watcher(chan, elem))
        return 0;
    bool ours = lock(chan);
    int result = get(chan, ours, elem, &met);
    return end(chan, ours, result, met);
}

static inline bool is_pinned(void)
{
    return gos__unlikely(gos__load_relaxed(&gos__self.task->pinned) & GOS_PIN_DEPTH);
}

/* What gos__chan_watch says. */
static GOS_NOINLINE int send_pinned(gos_chan *chan, const void *elem)
{
    uint64_t word = 0;
    if (chan->elem_size <= sizeof word)
        copy(chan, &word, elem);
    return gos__chan_watch(chan, GOS_OFFERED, &word);
}

static GOS_NOINLINE int recv_pinned(gos_chan *chan, void *elem)
{
    uint64_t word = 0;
    size_t size = chan->elem_size;
    int result = gos__chan_watch(chan, GOS_WATCHED, &word);
    if (!result)
        copy_bytes(size, elem, &word); /* the channel may be gone */
    return result;
}

int gos__chan_send(gos_chan *chan, const void *elem)
{
    require_chan(chan, "gos_chan_send");
    int result = is_pinned() ? send_pinned(chan, elem) : -EBUSY;
    if (gos__likely(result == -EBUSY))
        result = try_send(chan, elem);
    return result == -EAGAIN ? GOS_MUST_PARK : result;
}

int gos__chan_recv(gos_chan *chan, void *elem)
{
    require_chan(chan, "gos_chan_recv");
    int result = is_pinned() ? recv_pinned(chan, elem) : -EBUSY;
    if (gos__likely(result == -EBUSY))
        result = try_recv(chan, elem);
    return result == -EAGAIN ? GOS_MUST_PARK : result;
}

gos__task *gos__chan_send_parks(gos_chan *chan, const void *elem, void *unused, gos__task *self)
{
    (void)unused;
    return park_in(chan, &chan->senders, (void *)(uintptr_t)elem, GOS_WAIT_SEND, self);
}

gos__task *gos__chan_recv_parks(gos_chan *chan, void *elem, void *unused, gos__task *self)
{
    (void)unused;
    return park_in(chan, &chan->receivers, elem, GOS_WAIT_RECV, self);
}

int gos__chan_try_send(gos_chan *chan, const void *elem)
{
    require_chan(chan, "gos_chan_try_send");
    int result = try_send(chan, elem);
    if (result == -EAGAIN)
        gos__chan_unlock(chan);
    return result;
}

int gos__chan_try_recv(gos_chan *chan, void *elem)
{
    require_chan(chan, "gos_chan_try_recv");
    int result = try_recv(chan, elem);
    if (result == -EAGAIN)
        gos__chan_unlock(chan);
    return result;
}

int gos__chan_close(gos_chan *chan)
{
    require_chan(chan, "gos_chan_close");
    gos__chan_lock(chan);
    bool again = chan->closed, watched = gos__chan_is(chan, GOS_WATCHED) || gos__chan_is(chan, GOS_OFFERED);
    gos__store_relaxed(&chan->closed, (uint16_t)1);
    if (watched)
        gos__chan_claim(chan);
    gos__waiter *next = NULL, **last = &next, *waiter;
    while ((waiter = dequeue(&chan->receivers)) || (waiter = dequeue(&chan->senders))) {
        *last = waiter;
        last = &waiter->next;
    }
    *last = NULL;
    gos__chan_unlock(chan);
    if (watched)
        gos__chan_answer(chan, GOS_WATCH_SHUT);
    while (next) {
        waiter = next;
        next = waiter->next;
        gos__chan_met(waiter, -EPIPE, false);
    }
    return again ? -EPIPE : 0;
}

static void keep_outsiders(gos__waiter **last)
{
    gos__waiter *kept = NULL;
    while (*last) {
        gos__waiter *waiter = (*last)->next;
        gos__chan_remove(last, waiter);
        if (!waiter->task)
            gos__chan_append(&kept, waiter);
    }
    gos__store_relaxed(last, kept);
}

void gos__chan_forget_tasks(gos_chan *chan)
{
    gos__chan_lock(chan);
    keep_outsiders(&chan->senders);
    keep_outsiders(&chan->receivers);
    gos__chan_unlock(chan);
}

void gos__chan_renew(gos_chan *chan)
{
    gos__store_relaxed(&chan->senders, NULL);
    gos__store_relaxed(&chan->receivers, NULL);
    gos__store_relaxed(&chan->lock, 0u);
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
