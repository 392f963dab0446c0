/* slot.c: registrations that are kept, and what is remembered of sockets. Protocol and reasons: slot.h. */
#include "sched/cold.h"
#include "sched/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sched/worker.h"

enum { BOTH = GOS_POLL_IN | GOS_POLL_OUT | GOS_POLL_ENDS | GOS_POLL_EDGE };

gos__fd_slot *gos__fd_blocks[GOS_FD_BLOCKS];
gos__poll gos__fd_poll = { .fd = -1, .bell = -1 };
uint32_t gos__fd_facts = 1;
uint32_t gos__fd_overlooked;

static gos__spin blocks_lock;
static gos__spin trusted_lock;
static gos__fd_slot *trusted;  /* slots whose waits rest on trust */
static int64_t look_at;        /* when to look at them; 0: not decided yet */
static uint32_t has_duplicates; /* some open file had two numbers: a change through one is a change of all */
static uint32_t round_now = 1; /* changes at each look */

gos__fd_slot *gos__fd_slot_make(int fd)
{
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    if (slot || (unsigned)fd / GOS_FD_BLOCK >= GOS_FD_BLOCKS)
        return slot;
    gos__spin_lock(&blocks_lock);
    gos__fd_slot *block = gos__fd_blocks[fd / GOS_FD_BLOCK];
    if (!block && !posix_memalign((void **)&block, 64, GOS_FD_BLOCK * sizeof *block)) {
        memset(block, 0, GOS_FD_BLOCK * sizeof *block);
        for (int i = 0; i < GOS_FD_BLOCK; i++)
            block[i].fd = fd - fd % GOS_FD_BLOCK + i;
        gos__store_release(&gos__fd_blocks[fd / GOS_FD_BLOCK], block); /* pairs with gos__fd_slot_of */
    }
    gos__spin_unlock(&blocks_lock);
    return gos__fd_slot_of(fd);
}

gos__fd_record *gos__fd_alloc_c(size_t n)
{
    return calloc(n, sizeof(gos__fd_record));
}

void gos__fd_free_c(gos__fd_record *records)
{
    free(records);
}

void gos__fd_happened(gos__fd_slot *slot, uint32_t off, uint32_t on)
{
    for (;;) {
        uint32_t word = gos__load_relaxed(&slot->word);
        if (gos__cas_seq(&slot->word, word, ((word & ~off) | on) + GOS_FD_COUNT)) /* seq: releases to R1 */
            return;
    }
}

/* The slot's number is another file now, or none. Under its lock. */
void gos__fd_reset(gos__fd_slot *slot)
{
    slot->seq++;
    slot->known = false;
    gos__store_relaxed(&slot->facts, 0u);
    gos__fd_happened(slot, GOS_FD_COUNT - 1, 0);
}

void gos__fd_changed_c(int fd)
{
    gos__fd_slot *slot = gos__fd_slot_of(fd);
    if (gos__load_relaxed(&has_duplicates)) {
        gos__add_seq(&gos__fd_facts, 2u); /* odd, never 0. seq: after the change, before what the caller does next */
    } else if (slot) {
        gos__spin_lock(&slot->lock);
        gos__store_relaxed(&slot->facts, 0u);
        gos__fd_happened(slot, GOS_FD_DRAINED, 0);
        gos__spin_unlock(&slot->lock);
    }
}

void gos__fd_duplicated_c(int fd)
{
    gos__store_relaxed(&has_duplicates, 1u);
    gos__fd_born_c(fd);
}

/* Under the slot's lock, as long as a wait is in its list that nobody has looked at. */
static void trust(gos__fd_slot *slot)
{
    if (slot->is_trusted)
        return;
    slot->is_trusted = true;
    gos__spin_lock(&trusted_lock);
    bool first = !trusted;
    slot->next_trusted = trusted;
    gos__store_relaxed(&trusted, slot); /* gos__fd_trust_ends looks without the lock */
    gos__spin_unlock(&trusted_lock);
    if (first)
        gos__netpoll_hurry(GOS_FD_TRUST_NS);
}

int gos__fd_keep(gos__fd_slot *slot, const gos__fd_record *record, gos__fd_wait *wait)
{
    const gos__fd_look *look = wait->look;
    if (gos__load_relaxed(&slot->word) / GOS_FD_COUNT != look->word / GOS_FD_COUNT)
        return -EALREADY;
    bool kept = gos__load_relaxed(&slot->word) & GOS_FD_KEPT;
    if (slot->first && !kept)
        return 1;
    for (const gos__fd_record *other = slot->first; other; other = other->next)
        if (!other->wait->look || (other->events & record->events & ~(uint32_t)GOS_POLL_ALWAYS))
            return 1;
    if (!kept) {
        bool known = slot->known;
        int error = gos__poll_arm(&gos__fd_poll, slot->fd, BOTH, gos__fd_tag(slot), &known);
        slot->known = !error;
        if (error)
            return error;
        gos__fd_happened(slot, 0, GOS_FD_KEPT | (gos__fd_is_tcp(slot->fd) ? GOS_FD_STREAM : 0));
    }
    if (wait->found_facts) {
        gos__store_relaxed(&slot->limit, wait->limit);
        gos__store_release(&slot->facts, look->facts); /* pairs with gos__fd_trusts */
    }
    wait->round = gos__load_relaxed(&round_now);
    trust(slot);
    return 0;
}

int64_t gos__fd_trust_ends(int64_t now)
{
    if (!gos__load_relaxed(&trusted))
        return INT64_MAX;
    if (!gos__load_relaxed(&look_at))
        gos__store_relaxed(&look_at, now + GOS_FD_TRUST_NS);
    return gos__load_relaxed(&look_at);
}

/* Is it still what it was? Under the slot's lock. */
static bool holds(gos__fd_slot *slot)
{
    bool known = true;
    if (gos__fd_is_ready(slot->fd, slot->first->events))
        gos__add_relaxed(&gos__fd_overlooked, 1u);
    return !gos__poll_arm(&gos__fd_poll, slot->fd, BOTH, gos__fd_tag(slot), &known) && known &&
           !gos__fd_is_nonblocking(slot->fd);
}

/* True: some wait is too young to be looked at. */
static bool examine(gos__fd_slot *slot, void (*end)(gos__fd_slot *, void *), int (*timed)(gos__fd_wait *), void *arg)
{
    bool young = false, old = false;
    uint32_t now = gos__load_relaxed(&round_now);
    for (gos__fd_record *record = slot->first; record; record = record->next) {
        if (record->wait->round == now)
            young = true;
        else if (record->wait->round)
            old = true;
    }
    if (old && gos__load_relaxed(&slot->word) & GOS_FD_KEPT && !holds(slot)) {
        gos__fd_reset(slot);
        end(slot, arg);
        return false;
    }
    for (gos__fd_record *record = slot->first; record && old; record = record->next) {
        if (record->wait->round == now)
            continue;
        record->wait->round = 0;
        if (record->wait->deadline != INT64_MAX && !record->wait->timed && timed(record->wait)) {
            record->wait->round = now; /* no memory: again later */
            young = true;
        }
    }
    return young;
}

void gos__fd_examine(int64_t now, void (*end)(gos__fd_slot *, void *), int (*timed)(gos__fd_wait *), void *arg)
{
    if (now < gos__fd_trust_ends(now))
        return;
    gos__spin_lock(&trusted_lock);
    bool due = now >= look_at;
    gos__fd_slot *slot = due ? trusted : NULL;
    if (due) {
        gos__store_relaxed(&trusted, NULL);
        gos__store_relaxed(&look_at, now + GOS_FD_TRUST_NS);
    }
    gos__spin_unlock(&trusted_lock);
    for (gos__fd_slot *next; slot; slot = next) {
        next = slot->next_trusted;
        gos__spin_lock(&slot->lock);
        slot->is_trusted = false;
        if (examine(slot, end, timed, arg))
            trust(slot);
        gos__spin_unlock(&slot->lock);
    }
    if (due) {
        uint32_t after = gos__load_relaxed(&round_now) + 1;
        gos__store_relaxed(&round_now, after ? after : 1);
    }
}

void gos__fd_forget_all(void)
{
    for (uint32_t i = 0; i < GOS_FD_BLOCKS; i++)
        for (uint32_t k = 0; gos__fd_blocks[i] && k < GOS_FD_BLOCK; k++) {
            gos__fd_slot *slot = &gos__fd_blocks[i][k];
            gos__spin_lock(&slot->lock);
            gos__store_relaxed(&slot->first, NULL);
            slot->last = NULL;
            slot->is_trusted = false;
            gos__fd_reset(slot);
            gos__spin_unlock(&slot->lock);
        }
    trusted = NULL;
}

void gos__fd_forget_locks(void)
{
    blocks_lock = trusted_lock = 0;
    for (uint32_t i = 0; i < GOS_FD_BLOCKS; i++)
        for (uint32_t k = 0; gos__fd_blocks[i] && k < GOS_FD_BLOCK; k++)
            gos__fd_blocks[i][k].lock = gos__fd_blocks[i][k].closing = 0;
}

void gos__fd_own(int fd, bool is_own)
{
    gos__fd_slot *slot = gos__fd_slot_make(fd);
    if (slot)
        gos__store_relaxed(&slot->is_own, is_own);
}

unsigned gos__fd_known_end(void)
{
    unsigned end = GOS_FD_BLOCKS;
    while (end && !gos__load_acquire(&gos__fd_blocks[end - 1]))
        end--;
    return end * GOS_FD_BLOCK;
}

void gos__fd_drop_own(void)
{
    for (uint32_t i = 0; i < GOS_FD_BLOCKS; i++)
        for (uint32_t k = 0; gos__fd_blocks[i] && k < GOS_FD_BLOCK; k++)
            if (gos__fd_blocks[i][k].is_own && !gos__cold_uses(gos__fd_blocks[i][k].fd)) {
                gos__fd_close(gos__fd_blocks[i][k].fd);
                gos__fd_blocks[i][k].is_own = false;
            }
}
