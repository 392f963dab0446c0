/* gos__pack and gos__unpack: what is live in a page comes back, whatever it holds; alike stacks take few bytes. */
// build: plain
#include <stdbool.h>

#include "arch/state.h"
#include "stack/pack.h"
#include "tests/test.h"

enum { PAGES = 6, BYTES = PAGES * GOS_PACK_PAGE, ROUNDS = 400 };

static unsigned char arena[BYTES] __attribute__((aligned(4096)));
static unsigned char wanted[BYTES];
static unsigned char packed[PAGES][GOS_PACK_MOST + 1];
static gos__pattern patterns[GOS_PACK_PATTERNS];
static uint64_t seed;

static uint64_t below(uint64_t n)
{
    return test_random(&seed) % n;
}

static void fill(unsigned char *at, size_t bytes, uint64_t kind)
{
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = kind == 0 ? 0 : kind == 1 ? test_random(&seed) : kind == 2 ? (uintptr_t)at + 64 : below(100);
        memcpy(at + i, &word, 8);
    }
}

/* A slot in any state; what is live of it is also in `wanted`, whose other bytes are zero. */
static void make_slot(gos__slots slots, size_t slot)
{
    unsigned char *at = arena + slot, *want = wanted + slot;
    size_t top = slots.stride - GOS_TASK_SIZE, live = 0;
    fill(at, slots.stride, 1 + below(3));
    gos__task *task = (gos__task *)(at + top);
    *task = (gos__task){ .entry = (void (*)(void *))(uintptr_t)(4096 * below(7)), .waiter.task = task };
    task->state = (uint8_t)below(7);
    task->region = below(4) ? NULL : (gos__region *)(uintptr_t)seed;
    task->sp = at + 64 + below((top - 64) / 8) * 8;
    bool is_saved = task->state >= GOS_READY;
    if (!below(8)) /* on a stack of its own */
        task->sp = (void *)(uintptr_t)below(1u << 31);
    else if (is_saved && !task->region)
        live = (size_t)((unsigned char *)task->sp - at);
    if (live && below(2))
        fill(at + live, top - live, 2);
    memset(want, 0, slots.stride);
    memcpy(want, at, 16);
    memcpy(want + live, at + live, slots.stride - live);
}

static void check_page(gos__slots slots, size_t page, size_t end)
{
    unsigned char back[GOS_PACK_PAGE];
    uintptr_t address = slots.base + page * GOS_PACK_PAGE;
    packed[page][GOS_PACK_MOST] = 0xa5;
    size_t size = gos__pack(patterns, slots, address, arena + page * GOS_PACK_PAGE, arena + end, packed[page]);
    CHECK(size <= GOS_PACK_MOST);
    CHECK_EQ(packed[page][GOS_PACK_MOST], 0xa5);
    memset(back, 0x5a, sizeof back);
    gos__unpack(patterns, slots, address, packed[page], back);
    for (size_t i = 0; i < GOS_PACK_PAGE; i++) {
        unsigned char want = wanted[page * GOS_PACK_PAGE + i];
        /* What is below the saved context of a task whose header is not at hand comes back as it was. */
        if (back[i] != want && back[i] != arena[page * GOS_PACK_PAGE + i])
            CHECK_EQ(back[i], want);
        if (want)
            CHECK_EQ(back[i], want);
    }
}

static void any_contents(size_t stride)
{
    gos__slots slots = { .base = (uintptr_t)arena, .stride = stride };
    for (int round = 0; round < ROUNDS; round++) {
        memset(patterns, 0, sizeof patterns);
        memset(arena, 0, sizeof arena);
        memset(wanted, 0, sizeof wanted);
        for (size_t slot = 0; slot + stride <= BYTES; slot += stride)
            make_slot(slots, slot);
        for (size_t page = 0; page < PAGES; page++)
            check_page(slots, page, below(2) ? BYTES : (page + 1) * GOS_PACK_PAGE);
    }
}

/* Tasks of one function, parked in one place, each with its number: a link to the next, pointers into the own stack. */
static void alike(void)
{
    enum { STRIDE = 768, LIVE = 320 };
    gos__slots slots = { .base = (uintptr_t)arena, .stride = STRIDE };
    memset(patterns, 0, sizeof patterns);
    memset(arena, 0x11, sizeof arena);
    for (size_t slot = 0; slot + STRIDE <= BYTES; slot += STRIDE) {
        uint64_t number = 1000 + slot, canary = 0x676f7373616d6572u, none = 0;
        memcpy(arena + slot, &canary, 8);
        memcpy(arena + slot + 8, &none, 8);
        gos__task *task = (gos__task *)(arena + slot + STRIDE - GOS_TASK_SIZE);
        *task = (gos__task){ .sp = (char *)task - LIVE, .state = GOS_PARKED, .waiter.task = task };
        task->waiter.next = (gos__waiter *)((char *)&task->waiter + STRIDE);
        uint64_t *words = task->sp;
        for (int i = 0; i < LIVE / 8; i++)
            words[i] = i % 3 ? 0x7fff00000000u + (uint64_t)i : (uintptr_t)(words + i + 2);
        words[7] = number;
        memset(wanted + slot, 0, STRIDE - GOS_TASK_SIZE - LIVE);
        memcpy(wanted + slot, arena + slot, 16);
        memcpy(wanted + ((unsigned char *)words - arena), words, LIVE + GOS_TASK_SIZE);
    }
    size_t sum = 0;
    for (size_t page = 0; page < PAGES; page++) {
        sum += gos__pack(patterns, slots, slots.base + page * GOS_PACK_PAGE, arena + page * GOS_PACK_PAGE,
                         arena + BYTES, packed[page]);
        check_page(slots, page, BYTES);
    }
    CHECK(sum * STRIDE / BYTES < 30); /* bytes per stack: 13 of bits, 4 of number, 3 or 6 of heads */
}

int main(void)
{
    seed = test_seed();
    any_contents(768);
    any_contents(1024);
    any_contents(1280);
    any_contents(4096);
    alike();
    return 0;
}
