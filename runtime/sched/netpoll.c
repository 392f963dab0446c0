/* netpoll.c: the slots of descriptors, their waiters, and polling. Rules: netpoll.h. */
#include "sched/netpoll.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/claim.h"
#include "sched/interrupt.h"
#include "sched/slot.h"
#include "sched/task.h"
#include "sched/worker.h"

static gos__spin open_lock; /* opening and closing gos__fd_poll */

uint32_t gos__netpoll_waits;
int64_t gos__netpoll_last;

static uint32_t taken;      /* 1: somebody has the role of the poller: */
static gos__thread *poller; /* who sleeps, or is about to, in the kernel's wait for descriptors */

static int64_t poller_until; /* when the poller's sleep ends */

/* ---- slots ---- */

static void link_in(gos__fd_slot *slot, gos__fd_record *record)
{
    record->next = NULL;
    record->prev = slot->last;
    if (slot->last)
        slot->last->next = record;
    else
        gos__store_relaxed(&slot->first, record); /* lock_to_end looks before it has the lock */
    slot->last = record;
}

static void unlink_from(gos__fd_slot *slot, gos__fd_record *record)
{
    if (record->prev)
        record->prev->next = record->next;
    else
        gos__store_relaxed(&slot->first, record->next);
    if (record->next)
        record->next->prev = record->prev;
    else
        slot->last = record->prev;
    record->events = 0;
}

/* Ends all waits on this slot but that of `spared`. */
static void end_all(gos__fd_slot *slot, enum gos__fd_state how, const gos__fd_record *spared, gos__task **woken)
{
    for (gos__fd_record *record = slot->first, *next; record; record = next) {
        next = record->next;
        if (record == spared)
            continue;
        unlink_from(slot, record);
        gos__fd_end(record->wait, how, woken);
    }
}

/* Registers for all that is waited for; `added` is the record that was not there before, if any. */
static int renew(gos__fd_slot *slot, int fd, const gos__fd_record *added, gos__task **woken)
{
    uint32_t events = GOS_POLL_ONCE;
    for (const gos__fd_record *record = slot->first; record; record = record->next)
        events |= record->events;
    bool known = slot->known;
    gos__fd_happened(slot, GOS_FD_KEPT | GOS_FD_DRAINED, 0);
    int error = gos__poll_arm(&gos__fd_poll, fd, events, gos__fd_tag(slot), &known);
    slot->known = !error;
    if (!error && !known && added && slot->first != slot->last)
        end_all(slot, GOS_FD_CLOSED, added, woken); /* they waited for a file that is there no more */
    return error;
}

static int arm(gos__fd_record *record, gos__fd_wait *wait)
{
    int fd = record->fd;
    gos__fd_slot *slot = gos__fd_slot_make(fd);
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
        error = wait->look && wait->look->slot ? gos__fd_keep(slot, record, wait) : 1;
        if (error >= 0)
            link_in(slot, record);
        if (error == 1 && (error = renew(slot, fd, record, &woken)))
            unlink_from(slot, record);
        if (error)
            record->events = 0;
    }
    gos__spin_unlock(&slot->lock);
    gos__fd_ready_all(woken, true);
    return error;
}

static void report(uint64_t tag, uint32_t events, bool has_worker)
{
    int fd = (int)(uint32_t)tag;
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    if (!slot)
        return;
    gos__task *woken = NULL;
    bool all = events & GOS_POLL_ALWAYS;
    gos__spin_lock(&slot->lock);
    bool current = slot->seq == (uint32_t)(tag >> 32), kept = gos__load_relaxed(&slot->word) & GOS_FD_KEPT;
    if (current && kept)
        gos__fd_happened(slot, GOS_FD_DRAINED, events & (GOS_POLL_ENDS | GOS_POLL_ALWAYS) ? GOS_FD_ENDED : 0); /* E2 */
    gos__fd_record *record = current ? slot->first : NULL;
    bool renews = record && !kept;
    for (gos__fd_record *next; record && (all || events); record = next) {
        next = record->next;
        if (!all && !(record->events & events))
            continue;
        gos__task *before = woken;
        uint32_t wanted = record->events;
        unlink_from(slot, record);
        gos__fd_end(record->wait, GOS_FD_READY, &woken);
        if (woken != before)
            events &= ~wanted; /* that direction has somebody to see to it */
    }
    if (renews && slot->first && renew(slot, fd, NULL, &woken))
        end_all(slot, GOS_FD_READY, NULL, &woken); /* trying again, they find out why */
    gos__spin_unlock(&slot->lock);
    gos__fd_ready_all(woken, has_worker);
}

/* ---- what tasks do ---- */

static int add_deadline(gos__fd_wait *wait)
{
    wait->timed = true;
    int error = gos__deadline_add(wait);
    gos__fence_seq(); /* partner: gos__netpoll_sleep, which writes poller_until and then reads the first deadline */
    if (wait->deadline < gos__load_relaxed(&poller_until) && gos__load_relaxed(&poller))
        gos__poll_ring(&gos__fd_poll);
    return error;
}

/* On a signal stack or one that the program switched to by itself a task cannot park. */
static bool on_own_stack(const gos__task *task)
{
    uintptr_t sp = (uintptr_t)task->sp;
    if (gos__has_nursery(task) && sp < (uintptr_t)task && sp >= gos__nursery_low(task))
        return true;
    for (const gos__region *region = task->region; region; region = region->prev)
        if (sp >= region->bottom && sp < (uintptr_t)region)
            return true;
    return false;
}

static int open_poll(void)
{
    gos__poll opened;
    int error = gos__poll_open(&opened);
    if (error)
        return error;
    gos__fd_own(opened.fd, true);
    gos__fd_own(opened.bell, true);
    gos__spin_lock(&open_lock);
    bool is_first = gos__fd_poll.fd < 0;
    if (is_first) {
        gos__fd_poll.bell = opened.bell;
        gos__store_release(&gos__fd_poll.fd, opened.fd);
    }
    gos__spin_unlock(&open_lock);
    if (!is_first) { /* somebody was quicker */
        gos__fd_own(opened.fd, false);
        gos__fd_own(opened.bell, false);
        gos__poll_close(&opened);
    }
    return 0;
}

gos__task *gos__fd_park_c(gos__fd_wait *wait, void *b, void *c, gos__task *self)
{
    int error = 0;
    if (!on_own_stack(self))
        error = -ENOTSUP;
    else if (gos__unlikely(gos__load_acquire(&gos__fd_poll.fd) < 0))
        error = open_poll();
    if (error) {
        self->result = error;
        return self;
    }
    if (!wait->is_listed)
        wait->task = self; /* else whoever wakes from the list reads it already */
    wait->at = 0;
    gos__waits_for(self, wait->is_listed ? wait->why : GOS_WAIT_FD, wait);
    gos__store_release(&self->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    if (!wait->is_listed)
        gos__store_release(&wait->state, (uint32_t)GOS_FD_ARMING);
    gos__add_seq(&gos__netpoll_waits, 1u); /* seq: before the look of a worker that goes idle, as S2 */
    uint32_t armed = 0;
    while (!error && armed < wait->n)
        error = arm(&wait->records[armed++], wait);
    if (!error && wait->deadline != INT64_MAX && !(wait->is_far && wait->round))
        error = add_deadline(wait);
    if (!error && gos__unlikely(wait->interrupts) && !gos__interrupt_publish(wait))
        error = -EINTR;
    if (!error && gos__cas_seq(&wait->state, GOS_FD_ARMING, GOS_FD_WAITING)) /* seq: releases `task` and its state */
        return gos__park(self);

    gos__add_relaxed(&gos__netpoll_waits, -1u);
    uint32_t n = wait->n;
    wait->n = armed;
    gos__fd_done_c(wait);
    wait->n = n;
    gos__store_relaxed(&self->state, (uint8_t)GOS_RUNNING); /* R1 of claim.h */
    gos__claim_await(self);
    uint32_t ended = gos__load_acquire(&wait->state); /* pairs with gos__fd_end */
    self->result = error == -EALREADY ? 0 : error ? error : gos__fd_result(ended);
    if (error == -EAGAIN) { /* somebody is just closing this number: then it is another file, or none */
        self->result = 0;
        return gos__yield(NULL, b, c, self);
    }
    return self;
}

void gos__fd_done_c(gos__fd_wait *wait)
{
    if (wait->interrupts)
        gos__interrupt_withdraw(wait);
    if (wait->deadline != INT64_MAX)
        gos__deadline_drop(wait);
    for (uint32_t i = 0; i < wait->n; i++) {
        gos__fd_record *record = &wait->records[i];
        gos__fd_slot *slot = gos__fd_slot_of(record->fd);
        if (!slot)
            continue;
        gos__spin_lock(&slot->lock);
        if (record->events)
            unlink_from(slot, record);
        gos__spin_unlock(&slot->lock);
    }
}

/* Locks the slot; true: and gos__rt_lock before it, since a thread that is no worker's is about to make tasks ready,
 * and the run must not end under it. Not when nobody waits: the runtime itself closes files while it holds that. */
static bool lock_to_end(gos__fd_slot *slot)
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
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    if (!slot)
        return 0;
    if (gos__load_relaxed(&slot->is_own))
        return -EBADF;
    if (gos__load_acquire(&gos__fd_poll.fd) < 0)
        return 0;
    gos__task *woken = NULL;
    bool foreign = lock_to_end(slot);
    slot->closing++;
    end_all(slot, GOS_FD_CLOSED, NULL, &woken);
    if (slot->known)
        gos__poll_forget(&gos__fd_poll, fd);
    gos__fd_reset(slot);
    gos__spin_unlock(&slot->lock);
    gos__fd_ready_all(woken, !foreign);
    if (foreign)
        gos__spin_unlock(&gos__rt_lock);
    return 1;
}

void gos__fd_born_c(int fd)
{
    gos__fd_slot *slot = gos__load_acquire(&gos__fd_poll.fd) < 0 ? NULL : gos__fd_slot_make(fd);
    if (!slot)
        return;
    gos__task *woken = NULL;
    bool foreign = lock_to_end(slot);
    end_all(slot, GOS_FD_CLOSED, NULL, &woken); /* they wait for a file that is there no more */
    gos__fd_reset(slot);
    gos__spin_unlock(&slot->lock);
    gos__fd_ready_all(woken, !foreign);
    if (foreign)
        gos__spin_unlock(&gos__rt_lock);
}

void gos__fd_closed_c(int fd)
{
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    gos__spin_lock(&slot->lock);
    slot->closing--;
    gos__spin_unlock(&slot->lock);
}

/* ---- polling ---- */

static void end_trusting(gos__fd_slot *slot, void *woken)
{
    end_all(slot, GOS_FD_READY, NULL, woken); /* trying again, they find out */
}

static void deliver(const gos__netpoll_batch *batch, bool has_worker, int64_t now)
{
    for (int i = 0; i < batch->n; i++)
        if (batch->events[i].tag != GOS_POLL_BELL)
            report(batch->events[i].tag, batch->events[i].events, has_worker);
    gos__deadlines_expire(has_worker);
    if (now >= gos__fd_trust_ends(now)) {
        gos__task *woken = NULL;
        gos__fd_examine(now, end_trusting, add_deadline, &woken);
        gos__fd_ready_all(woken, has_worker);
    }
}

/* A worker that has enough to run until its next look takes in less than it runs meanwhile. What its queue had no room
 * for would wait in the shared one, behind all that comes later; in the kernel's list it keeps its turn. */
static int room(const gos__netpoll_batch *batch)
{
    const gos__worker *worker = gos__self.worker;
    int all = sizeof batch->events / sizeof *batch->events;
    return worker && gos__queue_length(worker) >= GOS_SHARED_PERIOD ? all / 2 : all;
}

void gos__netpoll(void)
{
    gos__netpoll_batch batch;
    if (gos__load_acquire(&gos__fd_poll.fd) < 0)
        return;
    int64_t now = gos__clock_ns();
    gos__store_relaxed(&gos__netpoll_last, now);
    batch.n = gos__poll_wait(&gos__fd_poll, batch.events, room(&batch), 0);
    deliver(&batch, true, now);
}

bool gos__netpoll_alone(void)
{
    return gos__load_relaxed(&gos__netpoll_waits) && !gos__load_relaxed(&poller);
}

bool gos__netpoll_begin(gos__netpoll_batch *batch)
{
    batch->n = 0;
    if (!gos__load_relaxed(&gos__netpoll_waits) || gos__load_acquire(&gos__fd_poll.fd) < 0)
        return false;
    if (!gos__cas_seq(&taken, 0, 1)) /* seq: before this worker's idle bit, by which others find whom to wake */
        return false;
    gos__store_release(&poller, &gos__self);
    return true;
}

void gos__netpoll_sleep(gos__netpoll_batch *batch, int64_t deadline)
{
    gos__store_relaxed(&poller_until, deadline);
    gos__fence_seq(); /* partners: add_deadline, gos__netpoll_hurry */
    int64_t first = gos__deadline_first(), look = gos__fd_trust_ends(gos__clock_ns());
    first = look < first ? look : first;
    if (first < deadline)
        deadline = first > 0 ? first : 1;
    batch->n = gos__poll_wait(&gos__fd_poll, batch->events, sizeof batch->events / sizeof *batch->events, deadline);
}

void gos__netpoll_end(gos__netpoll_batch *batch, bool is_lost)
{
    gos__store_relaxed(&poller_until, (int64_t)0);
    gos__store_release(&poller, NULL);
    gos__store_release(&taken, 0u);
    deliver(batch, !is_lost, gos__clock_ns());
}

void gos__netpoll_hurry(int64_t ns)
{
    gos__fence_seq(); /* partner: gos__netpoll_sleep, which writes poller_until and then asks for what to be up for */
    if (gos__load_relaxed(&poller) && gos__clock_ns() + ns < gos__load_relaxed(&poller_until))
        gos__poll_ring(&gos__fd_poll);
}

void gos__netpoll_wake(gos__thread *thread)
{
    if (gos__load_acquire(&poller) == thread)
        gos__poll_ring(&gos__fd_poll);
}

void gos__netpoll_close(void)
{
    gos__spin_lock(&open_lock);
    if (gos__fd_poll.fd >= 0) {
        gos__fd_own(gos__fd_poll.fd, false);
        gos__fd_own(gos__fd_poll.bell, false);
    }
    gos__poll_close(&gos__fd_poll);
    gos__fd_forget_all();
    gos__deadlines_forget();
    gos__netpoll_waits = 0;
    poller = NULL;
    taken = 0;
    gos__spin_unlock(&open_lock);
}

void gos__netpoll_forked(void)
{
    open_lock = 0;
    gos__fd_forget_locks();
    gos__netpoll_close();
    gos__fd_drop_own();
}
