/*
 * ring.h: what has happened lately: small records in the order of time, of which the newest are kept.
 *
 * One thread at a time writes: who holds what the ring belongs to. Others may read meanwhile: what lies between two
 * looks at `head`, less what was written over in between. While a file takes everything (gos__rings.to_file), nothing
 * is written over that has not been taken; what finds no room is lost, and counted.
 *
 * A budget bounds what the recording costs: so many records a millisecond, and after a quiet time so many at once.
 * There are two for each ring, so that what happens all the time does not keep out what happens seldom.
 */
#ifndef GOS_OS_RING_H
#define GOS_OS_RING_H

#include <stdbool.h>

#include "base/atomics.h"
#include "base/compiler.h"
#include "os/os.h"

/* A power of two. */
enum { GOS_RING = 8192 };

/* So much room is kept for what happens seldom, while a file has yet to take the rest. */
enum { GOS_RING_RESERVE = 512 };

typedef struct gos__event {
    uint64_t stamp;   /* gos__clock_ns, and in the lowest byte what it is */
    uint64_t a, b, c; /* what that needs */
} gos__event;

typedef struct gos__budget {
    int64_t left;
    int64_t filled; /* when what time brings was last added */
} gos__budget;

typedef struct gos__ring {
    gos__event *events; /* GOS_RING of them; NULL: nothing is recorded */
    uint64_t head;      /* records ever written */
    uint64_t tail;      /* and taken into a file */
    uint64_t lost;
    gos__budget often, seldom;
} gos__ring;

/* What holds for all rings. */
typedef struct gos__rings {
    uint32_t to_file;
    int64_t each_ns;    /* time that earns a record */
    int64_t most;       /* at once */
} gos__rings;
extern gos__rings gos__rings_are GOS_HIDDEN;

/* Room for its records, unless it has that; false: no memory. */
bool gos__ring_open(gos__ring *ring);
void gos__ring_close(gos__ring *ring);

/* Adds to a budget what time has brought; whether there is something left. */
bool gos__budget_fill(gos__budget *budget, int64_t now);

static inline uint64_t gos__stamp(int64_t now, uint8_t kind)
{
    return (uint64_t)now << 8 | kind;
}

static inline int64_t gos__stamp_ns(uint64_t stamp)
{
    return (int64_t)(stamp >> 8);
}

static inline bool gos__ring_is_full(const gos__ring *ring, uint64_t reserve)
{
    return gos__load_relaxed(&gos__rings_are.to_file) &&
           ring->head - gos__load_acquire(&ring->tail) >= GOS_RING - reserve; /* pairs with who takes */
}

/* Whatever the budget. */
static inline void gos__ring_put(gos__ring *ring, uint64_t stamp, uint64_t a, uint64_t b, uint64_t c)
{
    if (gos__unlikely(gos__ring_is_full(ring, 0))) {
        gos__store_relaxed(&ring->lost, ring->lost + 1);
        return;
    }
    gos__event *to = &ring->events[ring->head % GOS_RING];
    gos__store_relaxed(&to->stamp, stamp);
    gos__store_relaxed(&to->a, a);
    gos__store_relaxed(&to->b, b);
    gos__store_relaxed(&to->c, c);
    gos__store_release(&ring->head, ring->head + 1); /* pairs with who reads */
}

/* For what happens seldom: within its budget, now. */
void gos__ring_note(gos__ring *ring, uint8_t kind, uint64_t a, uint64_t b, uint64_t c);

#endif
