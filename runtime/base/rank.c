/*
 * rank.c: whether spin locks are taken in the order that docs/INVARIANTS.md gives. Their names in the source tell
 * their ranks; what has none there may be taken at any time. Looked at before a lock is waited for, so that a wrong
 * order ends the program even when it meets nobody; what is only tried cannot wait, and is noted.
 */
#include "base/spin.h"

#if CHECKS >= 2
#include <string.h>

#include "base/check.h"

enum rank { ANY, RUN, WORKER, HEIR, THREADS, SLOT, DEADLINES, CHANNEL };
/* A select locks as many channels as it has; more are not looked at. 6 KiB: a thread of the smallest stack has room. */
enum { MOST = 256 };

static const struct {
    const char *ends;
    enum rank rank;
} names[] = {
    { "gos__rt_lock", RUN }, { "worker->lock", WORKER }, { "heir->lock", HEIR }, { "sleeper->lock", WORKER },
    { "victim->lock", WORKER }, { "threads_lock", THREADS }, { "slot->lock", SLOT }, { "deadlines_lock", DEADLINES },
    { "trusted_lock", DEADLINES }, { "chan->lock", CHANNEL },
};

typedef struct held {
    const void *lock;
    const char *name;
    enum rank rank;
} held;

static _Thread_local held own[MOST];
static _Thread_local int own_n;

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static enum rank rank_of(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ends_with(name, names[i].ends))
            return names[i].rank;
    return ANY;
}

static bool holds(const char *end)
{
    for (int i = 0; i < own_n; i++)
        if (ends_with(own[i].name, end))
            return true;
    return false;
}

/* Of two of a kind: channels by address; workers' under retired_lock, which one at a time goes through (V1, V2). */
static bool may_follow(const held *former, const held *it)
{
    if (former->rank == ANY || it->rank == ANY || former->rank < it->rank)
        return true;
    if (former->rank > it->rank)
        return false;
    return it->rank == CHANNEL ? former->lock < it->lock : it->rank == WORKER && holds("retired_lock");
}

void gos__rank_taken(const void *lock, const char *name, bool waits)
{
    held it = { .lock = lock, .name = name, .rank = rank_of(name) };
    for (int i = 0; waits && i < own_n; i++) {
        gos__require(own[i].lock != lock, "lock order: %s is taken twice", name);
        gos__require(may_follow(&own[i], &it), "lock order: %s is taken under %s: docs/INVARIANTS.md", name,
                     own[i].name);
    }
    if (own_n < MOST)
        own[own_n++] = it;
}

void gos__rank_given_back(const void *lock)
{
    for (int i = own_n; i-- > 0;)
        if (own[i].lock == lock) {
            memmove(own + i, own + i + 1, (size_t)(own_n - i - 1) * sizeof *own);
            own_n--;
            return;
        }
}

void gos__rank_forget(void)
{
    own_n = 0;
}

#endif
