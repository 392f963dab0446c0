/* netpoll.c: the slots of descriptors, their waiters, the deadlines of waits, and polling. Rules: netpoll.h. */
#include "sched/netpoll.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/task.h"
#include "sched/worker.h"

/* Slots come in blocks that are never moved or freed. A descriptor beyond the last block cannot be waited for. */
enum { BLOCK = 1024, BLOCKS = 4096 };

typedef struct slot {
    gos__spin lock;
    uint32_t seq;     /* changes when the descriptor is closed */
    gos__fd_record *first, *last;
    uint32_t closing; /* threads inside close */
    bool known;       /* the kernel is likely to have a registration */
} slot;

static slot *blocks[BLOCKS];
static gos__spin table_lock; /* adding a block, opening and closing `poll` */
static gos__poll poll = { .fd = -1, .bell = -1 };

uint32_t gos__netpoll_waits;
int64_t gos__netpoll_last;

static uint32_t taken;      /* 1: somebody has the role of the poller: */
static gos__thread *poller; /* who sleeps, or is about to, in the kernel's wait for descriptors */

/* Waits with a deadline: a binary heap. */
static gos__spin deadlines_lock;
static gos__fd_wait **deadlines; /* from 1 */
static uint32_t deadlines_n, deadlines_room;
static int64_t first_deadline = INT64_MAX; /* read without the lock */
static int64_t poller_until;               /* when the poller's sleep ends */

/* ---- the deadlines; under their lock ---- */

static void place(uint32_t at, gos__fd_wait *wait)
{
    deadlines[at] = wait;
    wait->at = at;
}

static void sift(uint32_t at, gos__fd_wait *wait)
{
    for (; at > 1 && deadlines[at / 2]->deadline > wait->deadline; at /= 2)
        place(at, deadlines[at / 2]);
    for (uint32_t child; (child = 2 * at) <= deadlines_n; at = child) {
        if (child < deadlines_n && deadlines[child + 1]->deadline < deadlines[child]->deadline)
            child++;
        if (deadlines[child]->deadline >= wait->deadline)
            break;
        place(at, deadlines[child]);
    }
    place(at, wait);
}

static void note_first(void)
{
    gos__store_relaxed(&first_deadline, deadlines_n ? deadlines[1]->deadline : INT64_MAX);
}

static void deadline_take(gos__fd_wait *wait)
{
    uint32_t at = wait->at;
    gos__fd_wait *last = deadlines[deadlines_n--];
    if (last != wait)
        sift(at, last);
    wait->at = 0;
    note_first();
}

static int deadline_add(gos__fd_wait *wait)
{
    gos__spin_lock(&deadlines_lock);
    if (deadlines_n + 1 >= deadlines_room) {
        uint32_t room = deadlines_room ? 2 * deadlines_room : 64;
        gos__fd_wait **grown = realloc(deadlines, room * sizeof(gos__fd_wait *));
        if (!grown) {
            gos__spin_unlock(&deadlines_lock);
            return -ENOMEM;
        }
        deadlines = grown;
        deadlines_room = room;
    }
    sift(++deadlines_n, wait);
    note_first();
    gos__spin_unlock(&deadlines_lock);
    gos__fence_seq(); /* partner: gos__netpoll_sleep, which writes poller_until and then reads first_deadline */
    if (wait->deadline < gos__load_relaxed(&poller_until) && gos__load_relaxed(&poller))
        gos__poll_ring(&poll);
    return 0;
}

/* ---- ending waits ---- */

static int32_t result_of(uint32_t state)
{
    return state == GOS_FD_CLOSED ? -EBADF : state == GOS_FD_LATE ? -ETIMEDOUT : 0;
}

/* Ends a wait unless somebody else did; its task joins *woken if it is parked. Under the lock by which `wait` was
 * found, so that it is still there. */
static void end_wait(gos__fd_wait *wait, enum gos__fd_state how, gos__task **woken)
{
    for (;;) {
        uint32_t before = gos__load_acquire(&wait->state);
        if (before >= GOS_FD_READY)
            return;
        gos__task *task = wait->task;
        if (!gos__cas_seq(&wait->state, before, how)) /* seq: releases nothing; orders with the arming thread's own */
            continue;
        if (before == GOS_FD_WAITING) {
            task->result = result_of(how);
            task->next = *woken;
            *woken = task;
        }
        return;
    }
}

/* has_worker: this thread may use its worker's queue, if it has one; else it keeps the run from ending. */
static void ready_all(gos__task *woken, bool has_worker)
{
    while (woken) {
        gos__task *next = woken->next;
        gos__add_relaxed(&gos__netpoll_waits, -1u);
        if (has_worker) {
            gos__ready(woken, false);
        } else {
            woken->state = GOS_READY;
            gos__shared_push(woken, woken, 1);
            gos__wake_one(NULL);
        }
        woken = next;
    }
}

/* ---- slots ---- */

static slot *slot_of(int fd, bool create)
{
    if (fd < 0 || fd / BLOCK >= BLOCKS)
        return NULL;
    slot *block = gos__load_acquire(&blocks[fd / BLOCK]); /* pairs with the release below */
    if (!block && create) {
        gos__spin_lock(&table_lock);
        block = blocks[fd / BLOCK];
        if (!block) {
            block = calloc(BLOCK, sizeof *block);
            gos__store_release(&blocks[fd / BLOCK], block);
        }
        gos__spin_unlock(&table_lock);
    }
    return block ? &block[fd % BLOCK] : NULL;
}

static void link_in(slot *slot, gos__fd_record *record)
{
    record->next = NULL;
    record->prev = slot->last;
    if (slot->last)
        slot->last->next = record;
    else
        slot->first = record;
    slot->last = record;
}

static void unlink_from(slot *slot, gos__fd_record *record)
{
    if (record->prev)
        record->prev->next = record->next;
    else
        slot->first = record->next;
    if (record->next)
        record->next->prev = record->prev;
    else
        slot->last = record->prev;
    record->events = 0;
}

/* Ends all waits on this slot but that of `spared`. */
static void end_all(slot *slot, enum gos__fd_state how, const gos__fd_record *spared, gos__task **woken)
{
    for (gos__fd_record *record = slot->first, *next; record; record = next) {
        next = record->next;
        if (record == spared)
            continue;
        unlink_from(slot, record);
        end_wait(record->wait, how, woken);
    }
}

/* Registers for all that is waited for; `added` is the record that was not there before, if any. */
static int renew(slot *slot, int fd, const gos__fd_record *added, gos__task **woken)
{
    uint32_t events = 0;
    for (const gos__fd_record *record = slot->first; record; record = record->next)
        events |= record->events;
    bool known = slot->known;
    int error = gos__poll_arm(&poll, fd, events, (uint64_t)slot->seq << 32 | (uint32_t)fd, &known);
    slot->known = !error;
    if (!error && !known && added && slot->first != slot->last)
        end_all(slot, GOS_FD_CLOSED, added, woken); /* they waited for a file that is there no more */
    return error;
}

static int arm(gos__fd_record *record, gos__fd_wait *wait)
{
    int fd = record->fd;
    slot *slot = slot_of(fd, true);
    uint32_t events = record->events | GOS_POLL_ALWAYS;
    record->events = 0;
    if (!slot)
        return fd < 0 ? -EBADF : -ENOMEM;
    gos__task *woken = NULL;
    gos__spin_lock(&slot->lock);
    int error = -EAGAIN;
    if (!slot->closing) {
        record->wait = wait;
        record->events = events;
        link_in(slot, record);
        error = renew(slot, fd, record, &woken);
        if (error)
            unlink_from(slot, record);
    }
    gos__spin_unlock(&slot->lock);
    ready_all(woken, true);
    return error;
}

static void report(uint64_t tag, uint32_t events, bool has_worker)
{
    int fd = (int)(uint32_t)tag;
    slot *slot = slot_of(fd, false);
    if (!slot)
        return;
    gos__task *woken = NULL;
    bool all = events & GOS_POLL_ALWAYS;
    gos__spin_lock(&slot->lock);
    gos__fd_record *record = slot->seq == (uint32_t)(tag >> 32) ? slot->first : NULL;
    bool renews = record;
    for (gos__fd_record *next; record && (all || events); record = next) {
        next = record->next;
        if (!all && !(record->events & events))
            continue;
        gos__task *before = woken;
        uint32_t wanted = record->events;
        unlink_from(slot, record);
        end_wait(record->wait, GOS_FD_READY, &woken);
        if (woken != before)
            events &= ~wanted; /* that direction has somebody to see to it */
    }
    if (renews && slot->first && renew(slot, fd, NULL, &woken))
        end_all(slot, GOS_FD_READY, NULL, &woken); /* trying again, they find out why */
    gos__spin_unlock(&slot->lock);
    ready_all(woken, has_worker);
}

/* ---- what tasks do ---- */

/* On a signal stack or one that the program switched to by itself a task cannot park. */
static bool on_own_stack(const gos__task *task)
{
    uintptr_t sp = (uintptr_t)task->sp;
    if (task->kind == GOS_NURSERY && sp < (uintptr_t)task && sp >= (uintptr_t)task + GOS_TASK_SIZE - GOS_NURSERY_SIZE)
        return true;
    for (const gos__region *region = task->region; region; region = region->prev)
        if (sp >= region->bottom && sp < (uintptr_t)region)
            return true;
    return false;
}

static int open_poll(void)
{
    int error = 0;
    gos__spin_lock(&table_lock);
    gos__poll opened;
    if (poll.fd < 0 && !(error = gos__poll_open(&opened))) {
        poll.bell = opened.bell;
        gos__store_release(&poll.fd, opened.fd);
    }
    gos__spin_unlock(&table_lock);
    return error;
}

gos__task *gos__fd_park_c(gos__fd_wait *wait, void *b, void *c, gos__task *self)
{
    int error = 0;
    if (!on_own_stack(self))
        error = -ENOTSUP;
    else if (gos__unlikely(gos__load_acquire(&poll.fd) < 0))
        error = open_poll();
    if (error) {
        self->result = error;
        return self;
    }
    wait->task = self;
    wait->at = 0;
    self->why = GOS_WAIT_FD;
    self->state = GOS_PARKED;
    gos__store_release(&wait->state, (uint32_t)GOS_FD_ARMING);
    gos__add_seq(&gos__netpoll_waits, 1u); /* seq: before the look of a worker that goes idle, as S2 */
    uint32_t armed = 0;
    while (!error && armed < wait->n)
        error = arm(&wait->records[armed++], wait);
    if (!error && wait->deadline != INT64_MAX)
        error = deadline_add(wait);
    if (!error && gos__cas_seq(&wait->state, GOS_FD_ARMING, GOS_FD_WAITING)) /* seq: releases `task` and its state */
        return gos__park(self);

    gos__add_relaxed(&gos__netpoll_waits, -1u);
    uint32_t n = wait->n;
    wait->n = armed;
    gos__fd_done_c(wait);
    wait->n = n;
    self->state = GOS_RUNNING;
    self->result = error ? error : result_of(wait->state);
    if (error == -EAGAIN) { /* somebody is just closing this number: then it is another file, or none */
        self->result = 0;
        return gos__yield(NULL, b, c, self);
    }
    return self;
}

void gos__fd_done_c(gos__fd_wait *wait)
{
    gos__spin_lock(&deadlines_lock);
    if (wait->at)
        deadline_take(wait);
    gos__spin_unlock(&deadlines_lock);
    for (uint32_t i = 0; i < wait->n; i++) {
        gos__fd_record *record = &wait->records[i];
        slot *slot = slot_of(record->fd, false);
        if (!slot)
            continue;
        gos__spin_lock(&slot->lock);
        if (record->events)
            unlink_from(slot, record);
        gos__spin_unlock(&slot->lock);
    }
}

gos__fd_record *gos__fd_alloc_c(size_t n)
{
    return calloc(n, sizeof(gos__fd_record));
}

void gos__fd_free_c(gos__fd_record *records)
{
    free(records);
}

/* Locks the slot; true: and gos__rt_lock before it, since a thread that is no worker's is about to make tasks ready,
 * and the run must not end under it. Not when nobody waits: the runtime itself closes files while it holds that. */
static bool lock_to_end(slot *slot)
{
    bool foreign = !gos__self.worker && gos__load_relaxed(&slot->first);
    for (;; foreign = true) {
        if (foreign)
            gos__spin_lock(&gos__rt_lock);
        gos__spin_lock(&slot->lock);
        if (foreign || gos__self.worker || !slot->first)
            return foreign;
        gos__spin_unlock(&slot->lock);
    }
}

int gos__fd_closing_c(int fd)
{
    if (gos__load_acquire(&poll.fd) < 0)
        return 0;
    if (fd == poll.fd || fd == poll.bell)
        return -EBADF;
    slot *slot = slot_of(fd, false);
    if (!slot)
        return 0;
    gos__task *woken = NULL;
    bool foreign = lock_to_end(slot);
    slot->seq++;
    slot->closing++;
    end_all(slot, GOS_FD_CLOSED, NULL, &woken);
    if (slot->known)
        gos__poll_forget(&poll, fd);
    slot->known = false;
    gos__spin_unlock(&slot->lock);
    ready_all(woken, !foreign);
    if (foreign)
        gos__spin_unlock(&gos__rt_lock);
    return 1;
}

void gos__fd_closed_c(int fd)
{
    slot *slot = slot_of(fd, false);
    gos__spin_lock(&slot->lock);
    slot->closing--;
    gos__spin_unlock(&slot->lock);
}

/* ---- polling ---- */

static void expire(bool has_worker)
{
    if (gos__load_relaxed(&first_deadline) == INT64_MAX)
        return;
    int64_t now = gos__clock_ns();
    gos__task *woken = NULL;
    gos__spin_lock(&deadlines_lock);
    while (deadlines_n && deadlines[1]->deadline <= now) {
        gos__fd_wait *wait = deadlines[1];
        deadline_take(wait);
        end_wait(wait, GOS_FD_LATE, &woken);
    }
    gos__spin_unlock(&deadlines_lock);
    ready_all(woken, has_worker);
}

static void deliver(const gos__netpoll_batch *batch, bool has_worker)
{
    for (int i = 0; i < batch->n; i++)
        if (batch->events[i].tag != GOS_POLL_BELL)
            report(batch->events[i].tag, batch->events[i].events, has_worker);
    expire(has_worker);
}

void gos__netpoll(void)
{
    gos__netpoll_batch batch;
    if (gos__load_acquire(&poll.fd) < 0)
        return;
    gos__store_relaxed(&gos__netpoll_last, gos__clock_ns());
    batch.n = gos__poll_wait(&poll, batch.events, sizeof batch.events / sizeof *batch.events, 0);
    deliver(&batch, true);
}

bool gos__netpoll_alone(void)
{
    return gos__load_relaxed(&gos__netpoll_waits) && !gos__load_relaxed(&poller);
}

bool gos__netpoll_begin(gos__netpoll_batch *batch)
{
    batch->n = 0;
    if (!gos__load_relaxed(&gos__netpoll_waits) || gos__load_acquire(&poll.fd) < 0)
        return false;
    if (!gos__cas_seq(&taken, 0, 1)) /* seq: before this worker's idle bit, by which others find whom to wake */
        return false;
    gos__store_release(&poller, &gos__self);
    return true;
}

void gos__netpoll_sleep(gos__netpoll_batch *batch, int64_t deadline)
{
    gos__store_relaxed(&poller_until, deadline);
    gos__fence_seq(); /* partner: deadline_add */
    int64_t first = gos__load_relaxed(&first_deadline);
    if (first < deadline)
        deadline = first > 0 ? first : 1;
    batch->n = gos__poll_wait(&poll, batch->events, sizeof batch->events / sizeof *batch->events, deadline);
}

void gos__netpoll_end(gos__netpoll_batch *batch, bool is_lost)
{
    gos__store_relaxed(&poller_until, (int64_t)0);
    gos__store_release(&poller, NULL);
    gos__store_release(&taken, 0u);
    deliver(batch, !is_lost);
}

void gos__netpoll_wake(gos__thread *thread)
{
    if (gos__load_acquire(&poller) == thread)
        gos__poll_ring(&poll);
}

void gos__netpoll_close(void)
{
    gos__spin_lock(&table_lock);
    gos__poll_close(&poll);
    for (uint32_t i = 0; i < BLOCKS; i++)
        for (uint32_t k = 0; blocks[i] && k < BLOCK; k++) {
            slot *slot = &blocks[i][k];
            gos__spin_lock(&slot->lock);
            slot->seq++;
            slot->first = slot->last = NULL;
            slot->known = false;
            gos__spin_unlock(&slot->lock);
        }
    deadlines_n = 0;
    note_first();
    gos__netpoll_waits = 0;
    poller = NULL;
    taken = 0;
    gos__spin_unlock(&table_lock);
}
