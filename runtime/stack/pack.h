/*
 * pack.h: the contents of a page of nurseries in few bytes.
 *
 * Tasks of one function that park in one place have nearly equal stacks, of equal depth: words are the same, or differ
 * by the distance of the stacks (pointers into the own one, links to a neighbour), or in their lower half. So a few
 * stacks serve as patterns, and of every other the words are described by how they differ from one of them:
 *
 *     a page     for each slot that is part of it, upwards: pattern (1 byte, 0: none), first live word (2 bytes)
 *                2 bits for each live word within the page, filled up to whole bytes
 *                what those bits leave open, 4 or 8 bytes each
 *
 * The two words at a slot's bottom are live, and those from the first live word on; the others come back as zeros.
 */
#ifndef GOS_STACK_PACK_H
#define GOS_STACK_PACK_H

#include <stddef.h>
#include <stdint.h>

enum { GOS_PACK_PAGE = 4096, GOS_PACK_PATTERNS = 4, GOS_PACK_PATTERN_WORDS = 96 };

/* No page takes more than this when packed. */
#define GOS_PACK_MOST (GOS_PACK_PAGE + GOS_PACK_PAGE / 32 + 4 * 66)

typedef struct gos__pattern {
    uintptr_t top; /* of the slot that it is a copy of; 0: not in use */
    uint64_t entry, first_live; /* of its task: stacks that agree in both are likely to be alike */
    uint64_t words[GOS_PACK_PATTERN_WORDS]; /* the last ones are the task's header */
} gos__pattern;

/* Slots follow each other from `base`, `stride` bytes each, both multiples of 64. */
typedef struct gos__slots {
    uintptr_t base;
    size_t stride;
} gos__slots;

/* Packs the page at address `page`, whose contents are at `from`. `from_end`: the contents of further pages follow, up
 * to there: a task's header may be in the next one. Patterns not in use may come into use. The bytes, at most
 * GOS_PACK_MOST. */
size_t gos__pack(gos__pattern *patterns, gos__slots slots, uintptr_t page, const void *from, const void *from_end,
                 void *to);

/* The reverse, into GOS_PACK_PAGE bytes. */
void gos__unpack(const gos__pattern *patterns, gos__slots slots, uintptr_t page, const void *from, void *to);

#endif
