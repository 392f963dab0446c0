/* creators.c: where tasks were started: creators.h. Open addressing, at most half full. */
#include "sched/creators.h"

#include <stdlib.h>

#include "base/env.h"
#include "base/spin.h"

typedef struct entry {
    uintptr_t task, at;
} entry;

enum { ROOM_FIRST = 1024 };

static gos__spin lock;
static entry *entries;
static size_t room, used; /* room is a power of two */

/* Where `task` stands, or may be put; there is a free place. */
static entry *find(entry *in, size_t size, uintptr_t task)
{
    size_t at = (size_t)((task * 0x9e3779b97f4a7c15u) >> 32);
    for (;; at++) {
        entry *it = &in[at & (size - 1)];
        if (!it->task || it->task == task)
            return it;
    }
}

static bool grow(void)
{
    size_t more = room ? 2 * room : ROOM_FIRST;
    entry *larger = calloc(more, sizeof *larger);
    if (!larger)
        return false;
    for (size_t i = 0; i < room; i++)
        if (entries[i].task)
            *find(larger, more, entries[i].task) = entries[i];
    free(entries);
    entries = larger;
    room = more;
    return true;
}

void gos__creator_note(const gos__task *task, uintptr_t at)
{
    if (!gos__env_get()->creators)
        return;
    gos__spin_lock(&lock);
    if (2 * used < room || grow()) {
        entry *it = find(entries, room, (uintptr_t)task);
        used += !it->task;
        *it = (entry){ .task = (uintptr_t)task, .at = at };
    }
    gos__spin_unlock(&lock);
}

uintptr_t gos__creator_of(const gos__task *task)
{
    if (!gos__env_get()->creators)
        return 0;
    gos__spin_lock(&lock);
    uintptr_t at = room ? find(entries, room, (uintptr_t)task)->at : 0;
    gos__spin_unlock(&lock);
    return at;
}

void gos__creators_forget(void)
{
    gos__spin_lock(&lock);
    free(entries);
    entries = NULL;
    room = used = 0;
    gos__spin_unlock(&lock);
}
