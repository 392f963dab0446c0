/* cold.c: packing pages of nurseries away and putting them back: cold.h. */
#include "stack/cold.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/check.h"
#include "stack/stack.h"

enum { AHEAD_MOST = 32, OUT_OF_MEMORY_MS = 2000, CHANGING_MS = 20000, TIDY_BYTES = 64 * 1024 };

/* A page that does not get this small stays. */
enum { WORTH_IT = GOS_PACK_PAGE / 4 * 3 };

/* A chunk's part of the store. */
typedef struct blob {
    uint32_t at[GOS_COLD_PAGES]; /* the record of each page, of which it is a copy while the page is away; 0: none */
    gos__pattern patterns[GOS_PACK_PATTERNS];
    unsigned char records[];
} blob;

typedef struct record {
    uint16_t page, size; /* of what follows */
} record;

gos__cold *gos__cold_now;

/* ---- beginning and end ---- */

static size_t pages_up(size_t bytes)
{
    return (bytes + GOS_PACK_PAGE - 1) / GOS_PACK_PAGE * GOS_PACK_PAGE;
}

gos__cold *gos__cold_new(int *why)
{
    gos__slots slots;
    uintptr_t end = gos__nurseries(&slots);
    size_t chunks = (end - slots.base) / GOS_COLD_CHUNK;
    size_t own = pages_up(sizeof(gos__cold) + chunks * sizeof(gos__cold_chunk));
    size_t staging = GOS_COLD_CHUNK, scratch = AHEAD_MOST * GOS_PACK_PAGE;
    size_t space = own + staging + scratch + chunks * GOS_COLD_CHUNK;
    gos__userfault faults;
    *why = gos__userfault_open(&faults);
    if (*why)
        return NULL;
    unsigned char *at = gos__vm_reserve(space);
    *why = -ENOMEM;
    if (at && !gos__vm_commit(at, own + staging + scratch) &&
        !(*why = gos__userfault_watch(&faults, at + own, staging))) {
        gos__cold *cold = (gos__cold *)at;
        *cold = (gos__cold){ .faults = faults, .slots = slots, .end = end, .space = space };
        cold->chunks = (gos__cold_chunk *)(cold + 1);
        cold->staging = at + own;
        cold->scratch = cold->staging + staging;
        cold->store = cold->scratch + scratch;
        return cold;
    }
    if (at)
        gos__vm_release(at, space);
    gos__userfault_close(&faults);
    return NULL;
}

void gos__cold_free(gos__cold *cold)
{
    gos__userfault_close(&cold->faults);
    gos__vm_release(cold, cold->space);
}

/* ---- the store ---- */

static blob *blob_of(const gos__cold *cold, uintptr_t chunk)
{
    return (blob *)(cold->store + chunk * GOS_COLD_CHUNK);
}

static uintptr_t page_address(const gos__cold *cold, uintptr_t chunk, unsigned page)
{
    return cold->slots.base + chunk * GOS_COLD_CHUNK + (uintptr_t)page * GOS_PACK_PAGE;
}

static void count(gos__cold *cold, int64_t pages, int64_t bytes)
{
    gos__store_relaxed(&cold->pages_away, cold->pages_away + pages);
    gos__store_relaxed(&cold->bytes, cold->bytes + bytes);
}

static void set_away(gos__cold *cold, gos__cold_chunk *chunk, unsigned page, bool away)
{
    uint64_t bit = (uint64_t)1 << page % 64;
    if (!(chunk->away[page / 64] & bit) == !away)
        return;
    gos__store_relaxed(&chunk->away[page / 64], chunk->away[page / 64] ^ bit); /* read by gos__cold_look */
    chunk->pages = (uint16_t)(chunk->pages + (away ? 1 : -1));
    count(cold, away ? 1 : -1, 0);
}

static bool is_away(const gos__cold_chunk *chunk, unsigned page)
{
    return chunk->away[page / 64] >> page % 64 & 1;
}

/* Records have no alignment. */
static record record_at(const blob *blob, uint32_t at)
{
    record it;
    memcpy(&it, (const unsigned char *)blob + at, sizeof it);
    return it;
}

static const unsigned char *packed_page(const blob *blob, unsigned page)
{
    return (const unsigned char *)blob + blob->at[page] + sizeof(record);
}

/* The pages beyond the part in use go back. */
static void shorten(gos__cold *cold, gos__cold_chunk *chunk, blob *blob, uint32_t used)
{
    size_t keep = pages_up(used), had = pages_up(chunk->used);
    if (had > keep)
        gos__vm_discard((unsigned char *)blob + keep, had - keep);
    count(cold, 0, (int64_t)used - chunk->used);
    chunk->used = used;
    chunk->garbage = 0;
}

/* Only the records of pages that are away stay, in their order. */
static void squeeze(gos__cold *cold, gos__cold_chunk *chunk, blob *blob)
{
    unsigned char *bytes = (unsigned char *)blob;
    uint32_t to = sizeof *blob;
    for (uint32_t from = sizeof *blob, size; from < chunk->used; from += size) {
        record it = record_at(blob, from);
        size = (uint32_t)sizeof it + it.size;
        if (!is_away(chunk, it.page) || blob->at[it.page] != from)
            continue;
        memmove(bytes + to, bytes + from, size);
        blob->at[it.page] = to;
        to += size;
    }
    for (unsigned page = 0; page < GOS_COLD_PAGES; page++)
        if (!is_away(chunk, page))
            blob->at[page] = 0;
    shorten(cold, chunk, blob, to);
}

/* False: a fork is under way. */
static bool begin(gos__cold *cold)
{
    gos__exchange_seq(&cold->busy, 1u); /* seq, also in gos__cold_hold: either sees the other */
    if (!gos__load_acquire(&cold->hold)) {
        gos__spin_lock(&cold->lock);
        return true;
    }
    gos__store_release(&cold->busy, 0u);
    return false;
}

static void finish(gos__cold *cold)
{
    gos__spin_unlock(&cold->lock);
    gos__store_release(&cold->busy, 0u);
}

void gos__cold_tidy(gos__cold *cold, uintptr_t index)
{
    gos__cold_chunk *chunk = &cold->chunks[index];
    if ((chunk->pages && (chunk->garbage < TIDY_BYTES || chunk->garbage < chunk->used / 2)) || !chunk->used ||
        !begin(cold))
        return;
    if (chunk->pages)
        squeeze(cold, chunk, blob_of(cold, index));
    else
        shorten(cold, chunk, blob_of(cold, index), 0);
    finish(cold);
}

/* ---- taking ---- */

static bool prepare(gos__cold *cold, uintptr_t index, gos__cold_chunk *chunk, blob *blob)
{
    if (!chunk->watched) {
        if (gos__vm_commit(blob, GOS_COLD_CHUNK) ||
            gos__userfault_watch(&cold->faults, (void *)page_address(cold, index, 0), GOS_COLD_CHUNK))
            return false;
        chunk->watched = 1;
    }
    if (!chunk->used) {
        chunk->used = sizeof *blob;
        count(cold, 0, sizeof *blob);
    }
    return true;
}

/* Into the kernel's hands or none: the thread that waits cannot be told that there is no memory. 0, or -EEXIST: there
 * is a page already. What may end is waited for: memory is short, or a fork, or another change of mappings, goes on. */
static int put(gos__cold *cold, void *to, const void *from, size_t size)
{
    int64_t until = 0;
    for (;;) {
        int result = gos__userfault_put(&cold->faults, to, from, size);
        if (!result || result == -EEXIST)
            return result;
        int64_t now = gos__clock_ns();
        until = until ? until : now + (result == -EAGAIN ? CHANGING_MS : OUT_OF_MEMORY_MS) * INT64_C(1000000);
        bool may_end = now < until && (result == -ENOMEM || result == -EAGAIN);
        if (!may_end && result == -ENOMEM)
            gos__die("fatal error: no memory to put a packed task stack back: raise the memory limit, or run without "
                     "GOS_DEBUG=cold");
        if (!may_end)
            gos__die("fatal error: the kernel refuses to put a packed task stack back (errno %d): run without "
                     "GOS_DEBUG=cold", -result);
        uint32_t never = 0;
        if (result == -EAGAIN)
            sched_yield();
        else
            gos__futex_wait(&never, 0, now + 1000000);
    }
}

/* K2 and K3 for one page of the staging area. */
static void store_page(gos__cold *cold, uintptr_t index, unsigned page, const unsigned char *from,
                       const unsigned char *end)
{
    gos__cold_chunk *chunk = &cold->chunks[index];
    blob *blob = blob_of(cold, index);
    uintptr_t address = page_address(cold, index, page);
    unsigned char *at = (unsigned char *)blob + chunk->used;
    size_t size = 0;
    if (chunk->used + sizeof(record) + GOS_PACK_MOST <= GOS_COLD_CHUNK)
        size = gos__pack(blob->patterns, cold->slots, address, from, end, at + sizeof(record));
    if (!size || size > WORTH_IT) {
        put(cold, (void *)address, from, GOS_PACK_PAGE);
        return;
    }
    record it = { .page = (uint16_t)page, .size = (uint16_t)size };
    memcpy(at, &it, sizeof it);
    blob->at[page] = chunk->used;
    chunk->used += (uint32_t)(sizeof it + size);
    count(cold, 0, (int64_t)(sizeof it + size));
    set_away(cold, chunk, page, true);
}

/* K1 for as many as possible; those that were shared with a child process one by one. */
static size_t move_out(gos__cold *cold, uintptr_t from, size_t size, int *why)
{
    size_t bytes = gos__userfault_move(&cold->faults, cold->staging, (void *)from, size, why);
    if (!bytes && *why == -EBUSY) {
        /* Written to, it is this process's alone again; a locked instruction, so nobody's write is lost. Of an OR with
         * nothing clang makes a load. */
        uintptr_t *word = (uintptr_t *)from, value = gos__load_relaxed(word);
        gos__cas_ptr_seq(word, value, value);
        bytes = gos__userfault_move(&cold->faults, cold->staging, (void *)from, GOS_PACK_PAGE, why);
    }
    return bytes;
}

bool gos__cold_take(gos__cold *cold, uintptr_t index, unsigned first, unsigned n)
{
    gos__cold_chunk *chunk = &cold->chunks[index];
    blob *blob = blob_of(cold, index);
    if (!begin(cold))
        return false;
    bool go_on = prepare(cold, index, chunk, blob);
    if (go_on && chunk->used + (size_t)n * (sizeof(record) + WORTH_IT) > GOS_COLD_CHUNK && chunk->garbage)
        squeeze(cold, chunk, blob);
    for (unsigned end = first + n; go_on && first < end;) {
        int why;
        size_t bytes = move_out(cold, page_address(cold, index, first), (end - first) * (size_t)GOS_PACK_PAGE, &why);
        for (size_t at = 0; at < bytes; at += GOS_PACK_PAGE)
            store_page(cold, index, first++, cold->staging + at, cold->staging + bytes);
        if (bytes) {
            gos__vm_discard(cold->staging, bytes);
            gos__store_relaxed(&cold->taken, cold->taken + (int64_t)(bytes / GOS_PACK_PAGE));
        }
        go_on = !why || why == -EBUSY || why == -ENOENT;
        if (!bytes)
            first++; /* this one stays */
    }
    finish(cold);
    return go_on;
}

/* ---- putting back ---- */

static void note_present(gos__cold *cold, uintptr_t index, unsigned page)
{
    gos__cold_chunk *chunk = &cold->chunks[index];
    if (!is_away(chunk, page))
        return;
    const blob *blob = blob_of(cold, index);
    chunk->garbage += (uint32_t)sizeof(record) + record_at(blob, blob->at[page]).size;
    set_away(cold, chunk, page, false); /* P3 */
    gos__store_relaxed(&cold->put_back, cold->put_back + 1);
}

/* P1 and P2 for pages that are away, in one piece. */
static void put_pages(gos__cold *cold, uintptr_t index, unsigned first, unsigned n)
{
    const blob *blob = blob_of(cold, index);
    for (unsigned i = 0; i < n; i++)
        gos__unpack(blob->patterns, cold->slots, page_address(cold, index, first + i),
                    packed_page(blob, first + i), cold->scratch + i * (size_t)GOS_PACK_PAGE);
    void *to = (void *)page_address(cold, index, first);
    if (put(cold, to, cold->scratch, n * (size_t)GOS_PACK_PAGE)) {
        /* In a child process some may be there. */
        for (unsigned i = 0; i < n; i++) {
            void *page = (void *)page_address(cold, index, first + i);
            if (put(cold, page, cold->scratch + i * (size_t)GOS_PACK_PAGE, GOS_PACK_PAGE))
                gos__userfault_wake(&cold->faults, page);
        }
    }
    for (unsigned i = 0; i < n; i++)
        note_present(cold, index, first + i);
}

void gos__cold_put_back(gos__cold *cold, uintptr_t page)
{
    uintptr_t number = (page - cold->slots.base) / GOS_PACK_PAGE, index = number / GOS_COLD_PAGES;
    unsigned first = (unsigned)(number % GOS_COLD_PAGES), n = 0;
    const gos__cold_chunk *chunk = &cold->chunks[index];
    if (!is_away(chunk, first)) { /* it was put back meanwhile, or is one that was never touched */
        if (gos__userfault_put_zeros(&cold->faults, (void *)page))
            gos__userfault_wake(&cold->faults, (void *)page);
        return;
    }
    cold->ahead = page != cold->expected ? 1 : cold->ahead < AHEAD_MOST ? cold->ahead * 2 : AHEAD_MOST;
    gos__spin_lock(&cold->lock);
    while (n < cold->ahead && first + n < GOS_COLD_PAGES && is_away(chunk, first + n))
        n++;
    put_pages(cold, index, first, n);
    gos__spin_unlock(&cold->lock);
    cold->expected = page_address(cold, index, first + n);
}

/* ---- the others ---- */

/* The bytes at an address whose page is packed away; NULL: it is not. */
static const void *look_at(gos__cold *cold, uintptr_t at, gos__unpacked *unpacked)
{
    uintptr_t number = (at - cold->slots.base) / GOS_PACK_PAGE;
    uintptr_t index = number / GOS_COLD_PAGES, page = cold->slots.base + number * GOS_PACK_PAGE;
    if (page != unpacked->page) {
        gos__spin_lock(&cold->lock);
        bool away = gos__cold_is_away(cold, page);
        const blob *blob = blob_of(cold, index);
        if (away)
            gos__unpack(blob->patterns, cold->slots, page, packed_page(blob, number % GOS_COLD_PAGES), unpacked->bytes);
        gos__spin_unlock(&cold->lock);
        if (!away)
            return NULL;
        unpacked->page = page;
    }
    return unpacked->bytes + (at - page);
}

const gos__task *gos__cold_look(const gos__task *task, gos__task *copy, gos__unpacked *unpacked)
{
    gos__cold *cold = gos__cold_now;
    bool may_be_away = cold && gos__cold_is_away(cold, (uintptr_t)task);
    const void *away = may_be_away ? look_at(cold, (uintptr_t)task, unpacked) : NULL;
    return away ? memcpy(copy, away, sizeof *copy) : task;
}

uint32_t gos__creator_of(const gos__task *task, gos__unpacked *unpacked)
{
    gos__cold *cold = gos__cold_now;
    uintptr_t at = (uintptr_t)task->waiter.task + ((uintptr_t)gos__creator_at(task) - (uintptr_t)task);
    bool may_be_away = cold && task->kind == GOS_NURSERY && gos__cold_is_away(cold, at);
    const void *away = may_be_away ? look_at(cold, at, unpacked) : NULL;
    return away ? *(const uint32_t *)away : gos__load_relaxed((uint32_t *)at);
}

void gos__cold_hold(gos__cold *cold)
{
    gos__exchange_seq(&cold->hold, 1u); /* F1 */
    while (gos__load_acquire(&cold->busy)) /* F2 */
        sched_yield();
}

void gos__cold_release(gos__cold *cold)
{
    gos__store_release(&cold->hold, 0u);
}

bool gos__cold_forked(gos__cold *cold)
{
    bool any = false;
    cold->lock = 0;
    gos__userfault_close(&cold->faults); /* the parent's */
    uintptr_t chunks = (cold->end - cold->slots.base) / GOS_COLD_CHUNK;
    for (uintptr_t index = 0; index < chunks && page_address(cold, index, 0) < gos__nurseries_carved(); index++) {
        gos__cold_chunk *chunk = &cold->chunks[index];
        chunk->watched = 0;
        for (unsigned page = 0; chunk->used && page < GOS_COLD_PAGES; page++)
            set_away(cold, chunk, page, blob_of(cold, index)->at[page] != 0); /* F5 */
        any |= chunk->pages > 0;
    }
    if (!any)
        return false;
    int failed = gos__userfault_open(&cold->faults);
    for (uintptr_t index = 0; index < chunks && !failed; index++)
        if (page_address(cold, index, 0) >= gos__nurseries_carved())
            break;
        else if (cold->chunks[index].pages)
            failed = gos__userfault_watch(&cold->faults, (void *)page_address(cold, index, 0), GOS_COLD_CHUNK);
    if (failed)
        gos__die("fatal error: fork: the child cannot get packed task stacks back (error %d): start programs with "
                 "posix_spawn, or run without GOS_DEBUG=cold", -failed);
    return true;
}
