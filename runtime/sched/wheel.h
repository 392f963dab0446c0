/*
 * wheel.h: where timers stand that are not due soon: in slots of about a millisecond, of which the last ones follow the
 * first again. What is due in a later round waits in its slot for it.
 *
 * To put one in and to take one out costs the same however many there are, and touches no other timer but one. A slot
 * is a list of blocks, all of them full but the first; their memory is one array, which grows, and goes with the wheel.
 */
#ifndef GOS_SCHED_WHEEL_H
#define GOS_SCHED_WHEEL_H

#include "sched/timer.h"

/* A slot is longer than any grain (gos__timer_grain) and begins where one does, so that none ends in another slot. */
#define GOS_WHEEL_SLOT_NS (INT64_C(1) << 20)
#define GOS_WHEEL_SLOTS 1024

/* With the header, a block is so many places. */
#define GOS_WHEEL_BLOCK 32

/* gos__alarm.at of one that stands here. */
#define GOS_ON_WHEEL (UINT32_C(1) << 31)

typedef struct gos__wheel_slot {
    int64_t first;        /* none of its timers is due before */
    uint32_t block, used; /* the first; 0: none; and its timers */
} gos__wheel_slot;

typedef struct gos__wheel {
    gos__timer *places;   /* those of block 0 are not used; the first of each block is its header */
    uint32_t n;           /* timers */
    uint32_t made, room;  /* places */
    uint32_t free;        /* a list of blocks */
    gos__wheel_slot slots[GOS_WHEEL_SLOTS];
} gos__wheel;

/* The last moment of the slot that `when` is in. */
static inline int64_t gos__wheel_slot_end(int64_t when)
{
    return when | (GOS_WHEEL_SLOT_NS - 1);
}

/* NULL: no memory. */
gos__wheel *gos__wheel_new(void);
void gos__wheel_free(gos__wheel *wheel);

/* Whether `n` more find room; makes it. */
bool gos__wheel_reserve(gos__wheel *wheel, uint32_t n);

/* False: no memory. */
bool gos__wheel_put(gos__wheel *wheel, gos__timer timer);

gos__timer gos__wheel_take(gos__wheel *wheel, uint32_t at);

/* The next slot after the moment `from` in which something may be due, and its end. The wheel is not empty. */
gos__wheel_slot *gos__wheel_next(gos__wheel *wheel, int64_t from, int64_t *end);

/* Takes up to GOS_WHEEL_BLOCK timers from a list of blocks, which they leave; *block: 0 after the last. */
uint32_t gos__wheel_take_block(gos__wheel *wheel, uint32_t *block, uint32_t used, gos__timer *taken);

#endif
