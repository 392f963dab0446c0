/* pack.c: how a page of nurseries is described by patterns: pack.h. */
#include "stack/pack.h"

#include <stdbool.h>
#include <string.h>

#include "arch/state.h"

enum { WORD = sizeof(uint64_t), BOTTOM = 2 };

/* What a live word is. */
enum { SAME, MOVED, LOW_HALF, OTHER };

/* The part of a slot that is in a page. */
typedef struct part {
    uintptr_t slot, top;
    size_t from, to; /* words of the slot */
} part;

static uintptr_t first_slot(gos__slots slots, uintptr_t page)
{
    return page - (page - slots.base) % slots.stride;
}

static part part_of(gos__slots slots, uintptr_t page, uintptr_t slot)
{
    uintptr_t end = page + GOS_PACK_PAGE, top = slot + slots.stride;
    return (part){
        .slot = slot,
        .top = top,
        .from = (slot < page ? page - slot : 0) / WORD,
        .to = ((top < end ? top : end) - slot) / WORD,
    };
}

static bool is_live(size_t word, size_t first_live)
{
    return word < BOTTOM || word >= first_live;
}

/* What the pattern has in the place of this word, counted from the top. */
static uint64_t expected(const gos__pattern *pattern, const part *it, size_t word)
{
    size_t below_top = (it->top - it->slot) / WORD - word;
    return pattern && below_top <= GOS_PACK_PATTERN_WORDS ? pattern->words[GOS_PACK_PATTERN_WORDS - below_top] : 0;
}

/* ---- packing ---- */

/* Below its saved context a task that is not running has nothing. A free stack may be one that a task is just being put
 * on, so all of it counts; so it does where the task is on another stack. */
static size_t first_live(const part *it, const gos__task *task)
{
    uintptr_t sp = (uintptr_t)task->sp;
    bool is_saved = task->state >= GOS_READY;
    bool is_here = !task->region && sp >= it->slot && sp < it->top - GOS_TASK_SIZE;
    return is_saved && is_here ? (sp - it->slot) / WORD : 0;
}

static const gos__pattern *pattern_for(gos__pattern *patterns, const part *it, size_t live, const gos__task *task,
                                       const unsigned char *page_bytes, int *index)
{
    uint64_t entry = (uint64_t)(uintptr_t)gos__entry_of(task), from_top = (it->top - it->slot) / WORD - live;
    for (int i = 0; i < GOS_PACK_PATTERNS; i++) {
        gos__pattern *pattern = &patterns[i];
        if (pattern->top && (pattern->entry != entry || pattern->first_live != from_top))
            continue;
        *index = i + 1;
        if (pattern->top)
            return pattern;
        pattern->top = it->top;
        pattern->entry = entry;
        pattern->first_live = from_top;
        for (size_t word = it->from; word < it->to; word++) {
            size_t below_top = (it->top - it->slot) / WORD - word;
            if (below_top <= GOS_PACK_PATTERN_WORDS && is_live(word, live))
                memcpy(&pattern->words[GOS_PACK_PATTERN_WORDS - below_top], page_bytes + (word - it->from) * WORD,
                       WORD);
        }
        return pattern;
    }
    *index = 0;
    return NULL;
}

static unsigned char *pack_part(const part *it, const gos__pattern *pattern, int index, size_t live,
                                const unsigned char *bytes, unsigned char *to)
{
    *to++ = (unsigned char)index;
    *to++ = (unsigned char)live;
    *to++ = (unsigned char)(live >> 8);
    size_t n = 0;
    for (size_t word = it->from; word < it->to; word++)
        n += is_live(word, live);
    unsigned char *bits = to;
    to += (n + 3) / 4;
    memset(bits, 0, (n + 3) / 4);
    uint64_t distance = pattern ? it->top - pattern->top : 0;
    n = 0;
    for (size_t word = it->from; word < it->to; word++) {
        if (!is_live(word, live))
            continue;
        uint64_t value, usual = expected(pattern, it, word);
        memcpy(&value, bytes + (word - it->from) * WORD, WORD);
        int kind = value == usual                ? SAME
                 : value == usual + distance     ? MOVED
                 : value >> 32 == usual >> 32    ? LOW_HALF
                                                 : OTHER;
        bits[n / 4] |= (unsigned char)(kind << n % 4 * 2);
        n++;
        size_t size = kind == OTHER ? WORD : kind == LOW_HALF ? WORD / 2 : 0;
        memcpy(to, &value, size);
        to += size;
    }
    return to;
}

size_t gos__pack(gos__pattern *patterns, gos__slots slots, uintptr_t page, const void *from, const void *from_end,
                 void *to)
{
    const unsigned char *bytes = from;
    unsigned char *at = to;
    size_t known = (size_t)((const unsigned char *)from_end - bytes);
    for (uintptr_t slot = first_slot(slots, page); slot < page + GOS_PACK_PAGE; slot += slots.stride) {
        part it = part_of(slots, page, slot);
        const unsigned char *part_bytes = bytes + (slot + it.from * WORD - page);
        uintptr_t header = it.top - GOS_TASK_SIZE;
        size_t live = 0;
        int index = 0;
        const gos__pattern *pattern = NULL;
        if (header - page < known) {
            gos__task task;
            memcpy(&task, bytes + (header - page), sizeof task);
            live = first_live(&it, &task);
            pattern = pattern_for(patterns, &it, live, &task, part_bytes, &index);
        }
        at = pack_part(&it, pattern, index, live, part_bytes, at);
    }
    return (size_t)(at - (unsigned char *)to);
}

/* ---- unpacking ---- */

static const unsigned char *unpack_part(const part *it, const gos__pattern *patterns, const unsigned char *from,
                                        unsigned char *bytes)
{
    const gos__pattern *pattern = *from ? &patterns[*from - 1] : NULL;
    size_t live = from[1] | (size_t)from[2] << 8, n = 0;
    from += 3;
    for (size_t word = it->from; word < it->to; word++)
        n += is_live(word, live);
    const unsigned char *bits = from;
    from += (n + 3) / 4;
    uint64_t distance = pattern ? it->top - pattern->top : 0;
    n = 0;
    for (size_t word = it->from; word < it->to; word++) {
        if (!is_live(word, live))
            continue;
        uint64_t value = expected(pattern, it, word);
        int kind = bits[n / 4] >> n % 4 * 2 & 3;
        n++;
        if (kind == MOVED)
            value += distance;
        size_t size = kind == OTHER ? WORD : kind == LOW_HALF ? WORD / 2 : 0;
        memcpy(&value, from, size); /* the low half comes first */
        from += size;
        memcpy(bytes + (word - it->from) * WORD, &value, WORD);
    }
    return from;
}

void gos__unpack(const gos__pattern *patterns, gos__slots slots, uintptr_t page, const void *from, void *to)
{
    const unsigned char *at = from;
    unsigned char *bytes = to;
    memset(bytes, 0, GOS_PACK_PAGE);
    for (uintptr_t slot = first_slot(slots, page); slot < page + GOS_PACK_PAGE; slot += slots.stride) {
        part it = part_of(slots, page, slot);
        at = unpack_part(&it, patterns, at, bytes + (slot + it.from * WORD - page));
    }
}
