/*
 * slot.h: what is known of a descriptor number, and registrations that are kept across parks.
 *
 * A registration that is renewed at every park costs a system call for each request of a server, and asking whether a
 * socket has O_NONBLOCK or a time limit costs two more. So a task that waits alone in its direction on a socket keeps
 * an edge-triggered one for both directions (KEPT), and what was found out about the socket is remembered (`facts`).
 *
 * `word` holds flags and a count of all that happened to the number: reports, closes, births, new registrations.
 *
 *   R1  the reader looks at the word                       E1  a report comes, under the slot's lock:
 *   R2  DRAINED and KEPT: go to R4, nothing is there       E2  count + 1, DRAINED off; ENDED on if the peer is done
 *   R3  makes the call. Less than asked for, from a TCP    E3  ends the wait that is in the list, if one is
 *       socket that is KEPT and not ENDED: sets DRAINED,
 *       if the word is that of R1. EAGAIN: go to R4
 *   R4  under the slot's lock: if the count is not that
 *       of R1, begins again; else joins the list
 *
 * What arrives after R3 makes a new edge, so it is reported: before R4, then R4 sees the count; or after it, then E3
 * finds the reader. What arrived before R3 has been read, unless the report said that the stream ended there (ENDED),
 * since an end that was reported together with the last bytes is not reported again.
 *
 * Whether the number still is that file: close, dup2, dup3 and accept tell us (gos__fd_closing, gos__fd_born); closes
 * inside libc (fclose), by number (syscall) and O_NONBLOCK set by another process do not. So every wait that rests on
 * what is remembered is looked at once more after GOS_FD_TRUST_NS to twice that: it is registered anew, which tells
 * whether the old registration was that file's and reports what is ready, and asked for O_NONBLOCK. A busy connection
 * never waits so long, an idle one pays once.
 */
#ifndef GOS_SCHED_SLOT_H
#define GOS_SCHED_SLOT_H

#include "base/spin.h"
#include "sched/netpoll.h"

enum { GOS_FD_BLOCK = 1024, GOS_FD_BLOCKS = 4096 };

#define GOS_FD_TRUST_NS 250000000

/* Flags of `word`; the count is above them. */
enum { GOS_FD_KEPT = 1, GOS_FD_DRAINED = 2, GOS_FD_ENDED = 4, GOS_FD_STREAM = 8, GOS_FD_COUNT = 16 };

struct gos__fd_slot {
    gos__spin lock;
    uint32_t word;
    uint32_t seq;      /* part of the tag of reports: changes when the number is closed */
    uint32_t facts;    /* gos__fd_facts when `limit` was read and O_NONBLOCK was off; 0: never */
    gos__fd_record *first, *last;
    int64_t limit;     /* SO_RCVTIMEO in ns; INT64_MAX: none */
    gos__fd_slot *next_trusted;
    uint32_t closing;  /* threads inside close */
    int32_t fd;
    bool known;        /* the kernel is likely to have a registration */
    bool is_trusted;   /* in the list of those to be looked at */
    bool is_own;       /* one of the runtime's own, which stays open */
} __attribute__((aligned(64)));

/* Blocks are never moved or freed. A descriptor beyond the last block cannot be waited for. */
extern gos__fd_slot *gos__fd_blocks[GOS_FD_BLOCKS];

/* Changes whenever the program may have changed O_NONBLOCK or a time limit of any descriptor. */
extern uint32_t gos__fd_facts;

static inline gos__fd_slot *gos__fd_slot_of(int fd)
{
    if ((unsigned)fd / GOS_FD_BLOCK >= GOS_FD_BLOCKS)
        return NULL;
    gos__fd_slot *block = gos__load_acquire(&gos__fd_blocks[fd / GOS_FD_BLOCK]); /* pairs with gos__fd_slot_make */
    return block ? &block[fd % GOS_FD_BLOCK] : NULL;
}

/* R1. */
static inline gos__fd_look gos__fd_look_at(int fd)
{
    gos__fd_look look = { .slot = gos__fd_slot_of(fd), .facts = gos__load_acquire(&gos__fd_facts) };
    look.word = look.slot ? gos__load_acquire(&look.slot->word) : 0; /* acquire: the file is read after this */
    return look;
}

/* Whether what is remembered of the socket holds: it blocks, and its time limit is slot->limit. */
static inline bool gos__fd_trusts(const gos__fd_look *look)
{
    return look->slot && gos__load_acquire(&look->slot->facts) == look->facts; /* pairs with gos__fd_keep */
}

/* R2. */
static inline bool gos__fd_is_drained(const gos__fd_look *look)
{
    return (look->word & (GOS_FD_KEPT | GOS_FD_DRAINED)) == (GOS_FD_KEPT | GOS_FD_DRAINED) && gos__fd_trusts(look);
}

/* R3: `got` of n bytes. */
static inline void gos__fd_got(const gos__fd_look *look, long got, size_t n)
{
    const uint32_t flags = GOS_FD_KEPT | GOS_FD_STREAM | GOS_FD_ENDED | GOS_FD_DRAINED;
    if (got > 0 && (size_t)got < n && (look->word & flags) == (GOS_FD_KEPT | GOS_FD_STREAM))
        gos__cas_seq(&look->slot->word, look->word, look->word | GOS_FD_DRAINED); /* seq: no partner; it may fail */
}

/* Waits that were found ready only when they were looked at, for tests: the file was changed unseen, or a report is
 * just under way. */
extern uint32_t gos__fd_overlooked;

/* ---- between netpoll.c and slot.c ---- */

extern gos__poll gos__fd_poll;

/* The slot of a number, made if need be. NULL: no memory, or no such number. */
gos__fd_slot *gos__fd_slot_make(int fd);

static inline uint64_t gos__fd_tag(const gos__fd_slot *slot)
{
    return (uint64_t)slot->seq << 32 | (uint32_t)slot->fd;
}

/* Changes the flags and counts. Under the slot's lock; readers set DRAINED without it. */
void gos__fd_happened(gos__fd_slot *slot, uint32_t off, uint32_t on);

/* The number is another file now, or none. Under the slot's lock. */
void gos__fd_reset(gos__fd_slot *slot);

/* R4, under the slot's lock. 0: the registration stands, the record may join the list; 1: another wait is in the way,
 * so it needs an ordinary registration; -EALREADY: begin again; other errors: it cannot be waited for. */
int gos__fd_keep(gos__fd_slot *slot, const gos__fd_record *record, gos__fd_wait *wait);

/* When the waits that rest on trust are to be looked at; INT64_MAX: there are none. */
int64_t gos__fd_trust_ends(int64_t now);

/* Looks at them, if it is time. `end`: ends all waits of a slot; `timed`: gives a wait its deadline. Under its lock. */
void gos__fd_examine(int64_t now, void (*end)(gos__fd_slot *, void *), int (*timed)(gos__fd_wait *), void *arg);

/* The run is over: nobody waits, nothing is registered. */
void gos__fd_forget_all(void);

/* In a child process: what the monitor of the parent had open. */
void gos__fd_drop_own(void);

/* In a child process: other threads, which may have held locks, are not there. */
void gos__fd_forget_locks(void);

#endif
