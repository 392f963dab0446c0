/* wheel.c: the slots of timers that are not due soon. */
#include "sched/wheel.h"

#include <stdlib.h>

#include "base/check.h"

enum { FULL = GOS_WHEEL_BLOCK - 1 };

static gos__wheel_slot *slot_of(gos__wheel *wheel, int64_t when)
{
    return &wheel->slots[(uint64_t)when / GOS_WHEEL_SLOT_NS % GOS_WHEEL_SLOTS];
}

gos__wheel *gos__wheel_new(void)
{
    gos__wheel *wheel = malloc(sizeof *wheel);
    if (!wheel)
        return NULL;
    wheel->places = NULL;
    wheel->n = wheel->room = wheel->free = 0;
    wheel->made = GOS_WHEEL_BLOCK;
    for (int i = 0; i < GOS_WHEEL_SLOTS; i++)
        wheel->slots[i] = (gos__wheel_slot){ .first = INT64_MAX };
    return wheel;
}

void gos__wheel_free(gos__wheel *wheel)
{
    free(wheel->places);
    free(wheel);
}

static bool grow(gos__wheel *wheel, uint64_t room)
{
    if (room < 2 * (uint64_t)wheel->room)
        room = 2 * (uint64_t)wheel->room;
    if (room >= GOS_ON_WHEEL)
        return false;
    gos__timer *grown = realloc(wheel->places, room * sizeof *grown);
    if (!grown)
        return false;
    wheel->places = grown;
    wheel->room = (uint32_t)room;
    return true;
}

bool gos__wheel_reserve(gos__wheel *wheel, uint32_t n)
{
    uint64_t blocks = (uint64_t)n / FULL + 1 + GOS_WHEEL_SLOTS;
    uint64_t most = wheel->made + blocks * GOS_WHEEL_BLOCK;
    return most <= wheel->room || grow(wheel, most);
}

/* 0: no memory. */
static uint32_t block_new(gos__wheel *wheel)
{
    uint32_t block = wheel->free;
    if (block) {
        wheel->free = (uint32_t)wheel->places[block].target;
        return block;
    }
    if (wheel->made + GOS_WHEEL_BLOCK > wheel->room && !grow(wheel, GOS_WHEEL_SLOTS * GOS_WHEEL_BLOCK))
        return 0;
    block = wheel->made;
    wheel->made += GOS_WHEEL_BLOCK;
    return block;
}

/* The one that comes after it in its list. */
static uint32_t block_free(gos__wheel *wheel, uint32_t block)
{
    uint32_t next = (uint32_t)wheel->places[block].target;
    wheel->places[block].target = wheel->free;
    wheel->free = block;
    return next;
}

static void put_at(gos__wheel *wheel, uint32_t at, gos__timer timer)
{
    wheel->places[at] = timer;
    gos__alarm *alarm = gos__timer_alarm(timer);
    if (alarm)
        alarm->at = at | GOS_ON_WHEEL;
}

bool gos__wheel_put(gos__wheel *wheel, gos__timer timer)
{
    gos__wheel_slot *slot = slot_of(wheel, timer.when);
    if (!slot->block || slot->used == FULL) {
        uint32_t block = block_new(wheel);
        if (!block)
            return false;
        wheel->places[block].target = slot->block;
        slot->block = block;
        slot->used = 0;
    }
    put_at(wheel, slot->block + ++slot->used, timer);
    if (timer.when < slot->first)
        slot->first = timer.when;
    wheel->n++;
    return true;
}

gos__timer gos__wheel_take(gos__wheel *wheel, uint32_t at)
{
    gos__timer taken = wheel->places[at];
    gos__wheel_slot *slot = slot_of(wheel, taken.when);
    uint32_t last = slot->block + slot->used;
    if (at != last)
        put_at(wheel, at, wheel->places[last]);
    if (!--slot->used) {
        slot->block = block_free(wheel, slot->block);
        slot->used = FULL;
        if (!slot->block)
            slot->first = INT64_MAX;
    }
    wheel->n--;
    return taken;
}

gos__wheel_slot *gos__wheel_next(gos__wheel *wheel, int64_t from, int64_t *end)
{
    gos__wheel_slot *next = NULL;
    int64_t slot_end = from;
    for (int i = 0; i < GOS_WHEEL_SLOTS && slot_end <= INT64_MAX - GOS_WHEEL_SLOT_NS; i++) {
        slot_end += GOS_WHEEL_SLOT_NS;
        gos__wheel_slot *slot = slot_of(wheel, slot_end);
        if (slot->block && slot->first <= slot_end) {
            *end = slot_end;
            return slot;
        }
    }
    for (gos__wheel_slot *slot = wheel->slots; slot < wheel->slots + GOS_WHEEL_SLOTS; slot++)
        if (slot->block && (!next || slot->first < next->first))
            next = slot;
    *end = gos__wheel_slot_end(next->first);
    return next;
}

uint32_t gos__wheel_take_block(gos__wheel *wheel, uint32_t *block, uint32_t used, gos__timer *taken)
{
    const gos__timer *places = wheel->places + *block + 1;
    for (uint32_t i = 0; i < used; i++)
        taken[i] = places[i];
    wheel->n -= used;
    *block = block_free(wheel, *block);
    return used;
}
