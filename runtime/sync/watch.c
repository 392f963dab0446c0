/*
 * watch.c: a pinned task that waits for a partner in a channel watches the channel's line for a while, on its worker,
 * before it parks; the element, a word at most, is passed in that line. A hand-over between two workers then takes the
 * line to the partner and back, and nothing else.
 *
 *     who waits, holding the channel's lock           the partner
 *     M1  a receiver: word = 0, watch = WATCHED       N1  watch is WATCHED or OFFERED: in one piece
 *         a sender: word = element, OFFERED               (unlocked, WATCHED, 0) -> (unlocked, SERVED, element)
 *         unlock                                          (unlocked, OFFERED, word) -> (unlocked, SERVED, word)
 *     M2  until patience ends: SERVED? then take      N2  that failed: lock; still so: put or take the word,
 *         the word, watch = 0: done                       watch = CLAIMED
 *     M3  lock; still as at M1? then watch = 0,       N3  unlock, then watch = SERVED
 *         into the list, in front, and park
 *     M4  else unlock, and as M2 when it is SERVED
 *
 * gos_chan_close does N2 and N3 too, with SHUT for SERVED. The partner does not touch the channel after SERVED, nor who
 * watched after watch = 0, and gos_chan_free waits for that: either may free the channel as soon as its call is done.
 * `watch` carries the tag of the watching worker, whose thread a child process does not have.
 *
 * A task watches only where none like it waits, so it is served before those that come later.
 */
#include <errno.h>

#include "base/check.h"
#include "sync/chan.h"

/* Looks at the line between two looks at all else. */
enum { LOOKS = 50 };

static uint32_t watching(const gos__worker *worker, uint32_t state)
{
    return worker->tag * GOS_WATCH_STATES + state;
}

bool gos__chan_may_watch(const gos_chan *chan, bool sends)
{
    return !gos__load_relaxed(&chan->bias) && !gos__load_relaxed(&chan->watch) && !(sends && chan->capacity) &&
           chan->elem_size <= sizeof chan->word && gos__pin_spins(gos__self.worker);
}

/* What `watch` is when it is not `mine` any more; `mine`: patience has ended. */
static uint32_t look(gos_chan *chan, uint32_t mine)
{
    gos__worker *worker = gos__self.worker;
    int64_t since = 0;
    do {
        for (int i = 0; i < LOOKS; i++) {
            gos__prefetch_to_write(chan);
            uint32_t watch = gos__load_acquire(&chan->watch); /* pairs with N1, N3 */
            if (watch != mine)
                return watch;
            gos__cpu_relax();
        }
    } while (gos__pin_patience(worker, &since));
    return mine;
}

int gos__chan_watch(gos_chan *chan, uint32_t state, uint64_t *word)
{
    uint32_t mine = watching(gos__self.worker, state), watch;
    gos__store_relaxed(&chan->word, *word);
    gos__store_relaxed(&chan->watch, mine); /* M1 */
    gos__spin_unlock(&chan->lock);
    watch = look(chan, mine); /* M2 */
    if (gos__unlikely(watch == mine)) {
        gos__spin_lock(&chan->lock); /* M3 */
        if (gos__load_relaxed(&chan->watch) == mine) {
            gos__store_relaxed(&chan->watch, 0u);
            gos__self.has_spun = 1;
            return -EAGAIN;
        }
        gos__spin_unlock(&chan->lock);
        watch = gos__load_acquire(&chan->watch); /* pairs with N1, N3 */
    }
    while (watch % GOS_WATCH_STATES == GOS_WATCH_CLAIMED) { /* M4 */
        gos__cpu_relax();
        watch = gos__load_acquire(&chan->watch); /* pairs with N3 */
    }
    *word = gos__load_relaxed(&chan->word);
    gos__store_release(&chan->watch, 0u); /* pairs with the acquire in gos__chan_await_unwatched */
    return watch % GOS_WATCH_STATES == GOS_WATCH_SHUT ? -EPIPE : 0;
}

void gos__chan_await_unwatched(gos_chan *chan)
{
    uint32_t watch;
    for (int spins = 0; (watch = gos__load_acquire(&chan->watch)) != 0; spins++) { /* pairs with the end of watching */
        gos__runtime *rt = gos__load_acquire(&gos__rt);
        bool is_there = false;
        for (uint32_t i = 0; rt && i < gos__load_acquire(&rt->made); i++)
            is_there |= watching(rt->workers[i], watch % GOS_WATCH_STATES) == watch;
        if (!is_there)
            return;
        if (spins < 1000)
            gos__cpu_relax();
        else
            gos__give_way();
    }
}
