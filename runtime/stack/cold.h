/*
 * cold.h: nurseries of tasks that have been parked for long, packed away page by page, and put back by whoever touches
 * one (tests/model/cold.pml). Opt-in: sched/cold.c decides what is cold; this is how it is done and undone.
 *
 * Anybody may touch a parked task's nursery at any time: who takes it out of a wait list, its neighbours in the list,
 * who copies an element to its frame, a timer, the poller, a dump, and code of the program, also inside system calls,
 * that was given the address of one of its variables. None of them asks first. So all of it is done with pages, by one
 * thread, the keeper:
 *
 *     keeper, taking a page                            whoever touches it
 *     K1  move the page to the staging area            X1  not there: the kernel makes it wait and tells the keeper
 *         (the kernel: atomically, with its writers)   X2  go on, at the same address
 *     K2  pack what was moved: what a task's state
 *         is there holds, since it cannot run now      fork, on any thread
 *     K3  note where, and that the page is away        F1  hold = 1                   (in the child: F5)
 *                                                      F2  wait until busy == 0
 *     keeper, asked for a page                         F3  fork
 *     P1  is it away? unpack it; else it was never     F4  hold = 0
 *         there: zeros                                 F5  all that was ever noted and not overwritten counts as
 *     P2  put it there whole, and wake who waits           away; a keeper of its own puts back what it misses
 *     P3  it is not away; its note stays
 *
 * Between F2 and F4 the keeper only puts back, since the kernel copies the page and the note at different moments: a
 * page that the child misses has a note (busy = 1, hold?, K1-K3, busy = 0; so has what overwrites notes).
 *
 * K1 refuses pages that the kernel uses (a read into them under way) or that a child process shares.
 */
#ifndef GOS_STACK_COLD_H
#define GOS_STACK_COLD_H

#include <stdbool.h>

#include "arch/state.h"
#include "base/spin.h"
#include "os/os.h"
#include "stack/pack.h"

enum { GOS_COLD_PAGES = 512, GOS_COLD_CHUNK = GOS_COLD_PAGES * GOS_PACK_PAGE };

/* What is known of so many pages of nurseries. */
typedef struct gos__cold_chunk {
    uint64_t away[GOS_COLD_PAGES / 64]; /* a bit each */
    uint32_t used, garbage;             /* bytes of its part of the store */
    uint16_t pages;                     /* that are away */
    uint16_t watched;
} gos__cold_chunk;

typedef struct gos__cold {
    gos__userfault faults;
    gos__slots slots;
    uintptr_t end;           /* of the address space for nurseries */
    gos__cold_chunk *chunks;
    unsigned char *store;    /* GOS_COLD_CHUNK bytes of address space for each chunk; struct blob in cold.c */
    unsigned char *staging, *scratch;
    size_t space;            /* of those four together */
    gos__spin lock;          /* of chunks and store, for those who look without touching: gos__cold_look */
    uint32_t hold, busy;     /* as above */
    uintptr_t expected;      /* the page that a thread going through them would ask for next, */
    uint32_t ahead;          /* and how many it gets at once then */
    int64_t pages_away, bytes, taken, put_back; /* counters */
    pthread_t keeper;
    uint32_t only_puts_back; /* 1: in a child process, or the run is over */
} gos__cold;

/* A page of the nurseries as it was when it was packed. */
typedef struct gos__unpacked {
    uintptr_t page; /* its address; 0: none yet */
    _Alignas(8) unsigned char bytes[GOS_PACK_PAGE];
} gos__unpacked;

/* Room for the book-keeping, and the kernel's consent; NULL: *why is -EPERM, -ENOSYS, -EOPNOTSUPP or -ENOMEM. */
gos__cold *gos__cold_new(int *why);
void gos__cold_free(gos__cold *cold);

static inline bool gos__cold_is_away(const gos__cold *cold, uintptr_t address)
{
    uintptr_t page = (address - cold->slots.base) / GOS_PACK_PAGE;
    const gos__cold_chunk *chunk = &cold->chunks[page / GOS_COLD_PAGES];
    return gos__load_relaxed(&chunk->away[page % GOS_COLD_PAGES / 64]) >> page % 64 & 1;
}

/* ---- for the keeper ---- */

/* Packs these pages of a chunk away, which are there; false: not one more for now. A fork may forbid it. */
bool gos__cold_take(gos__cold *cold, uintptr_t chunk, unsigned first, unsigned n);

/* Gives back what a chunk's part of the store holds for nothing. */
void gos__cold_tidy(gos__cold *cold, uintptr_t chunk);

/* Puts back the page that somebody waits for, and what is likely to be asked for next. */
void gos__cold_put_back(gos__cold *cold, uintptr_t page);

/* ---- for the others ---- */

/* The nurseries that are packed away in this run; NULL: the option is not given. */
extern gos__cold *gos__cold_now;

/* A task's header without touching its page: the task itself, or a copy at `copy`. Begins with a page of 0; who goes
 * upwards unpacks each once. */
const gos__task *gos__cold_look(const gos__task *task, gos__task *copy, gos__unpacked *unpacked);

/* What is at gos__creator_at of a task, likewise; `task` may be such a copy. */
uint32_t gos__creator_of(const gos__task *task, gos__unpacked *unpacked);

/* Around a fork: no page is taken meanwhile. In the child afterwards; false: there is nothing to put back. */
void gos__cold_hold(gos__cold *cold);
void gos__cold_release(gos__cold *cold);
bool gos__cold_forked(gos__cold *cold);

#endif
