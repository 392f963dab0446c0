/*
 * watch.c: a pinned task that waits for a partner in a channel watches the channel's line for a while, on its worker,
 * before it parks; the element, a word at most, is passed in that line. A hand-over between two workers then takes the
 * line to the partner and back, and nothing else.
 *
 *     who waits                                       the partner
 *     M1  lock; nobody waits, nothing is in the ring, N1  watch is WATCHED or OFFERED: in one piece
 *         it is open and watch 0? else unlock, and        (unlocked, WATCHED, 0) -> (unlocked, SERVED, element)
 *         as any task                                     (unlocked, OFFERED, word) -> (unlocked, SERVED, word)
 *     M2  a receiver: word = 0, watch = WATCHED;      N2  that failed: lock; still so: put or take the word,
 *         a sender: word = element, watch = OFFERED;      watch = CLAIMED
 *         unlock                                      N3  unlock, then watch = SERVED
 *     M3  until patience ends: SERVED? then take
 *         the word, watch = 0: done
 *     M4  lock; still as at M2? then watch = 0,
 *         into the list, in front, and park
 *     M5  else unlock, and as M3 when it is SERVED
 *
 * gos_chan_close does N2 and N3 too, with SHUT for SERVED. The partner does not touch the channel after SERVED, nor who
 * watched after watch = 0, and gos_chan_free waits for that: either may free the channel as soon as its call is done.
 * `watch` carries the tag of the watching worker, whose thread a child process does not have.
 *
 * From M2 on partners serve who watches before they put anything into the ring or a list. What went there before M1 is
 * seen at M1, under the lock: else an element that came between the look and M2 would be overtaken by the next one, and
 * a close would be followed by a send that succeeds.
 *
 * A task watches only where nobody waits in a list, so it is served before those that come later.
 */
#include <errno.h>

#include "base/check.h"
#include "sync/chan.h"

/* Looks at the line between two looks at all else, and how often who comes at the same time as others tries again. */
enum { LOOKS = 50, TRIES = 4 };

static uint32_t watching(const gos__worker *worker, uint32_t state)
{
    return worker->tag * GOS_WATCH_STATES + state;
}

/* Without the lock a guess: whether M1 is worth it. */
static bool is_quiet(const gos_chan *chan)
{
    return !gos__load_relaxed(&chan->senders) && !gos__load_relaxed(&chan->receivers) &&
           !gos__load_relaxed(&chan->len) && !gos__load_relaxed(&chan->closed);
}

/* M1, M2 */
static bool begin(gos_chan *chan, uint32_t mine, uint64_t word)
{
    gos__spin_lock(&chan->lock);
    bool is_free = !gos__load_relaxed(&chan->watch) && is_quiet(chan);
    if (is_free) {
        gos__store_relaxed(&chan->word, word);
        gos__store_relaxed(&chan->watch, mine);
    }
    gos__spin_unlock(&chan->lock);
    return is_free;
}

/* M3: what `watch` is when it is not `mine` any more; `mine`: patience has ended. */
static uint32_t look(gos_chan *chan, uint32_t mine)
{
    gos__worker *worker = gos__self.worker;
    int64_t since = 0;
    do {
        for (int i = 0; i < LOOKS; i++) {
            gos__cpu_relax(); /* first: a look takes the line from a partner who is about to answer */
            gos__prefetch_to_write(chan);
            uint32_t watch = gos__load_acquire(&chan->watch); /* pairs with N1, N3 */
            if (watch != mine)
                return watch;
        }
    } while (gos__pin_patience(worker, &since));
    return mine;
}

/* M4: the lock is held, and nobody has answered; false: somebody has, or is about to. */
static bool give_up(gos_chan *chan, uint32_t mine)
{
    gos__spin_lock(&chan->lock);
    if (gos__load_relaxed(&chan->watch) == mine) {
        gos__store_relaxed(&chan->watch, 0u);
        return true;
    }
    gos__spin_unlock(&chan->lock);
    return false;
}

/* From M3 on. */
static int wait_for_partner(gos_chan *chan, uint32_t mine, uint64_t *word)
{
    uint32_t watch = look(chan, mine);
    if (gos__unlikely(watch == mine)) {
        if (give_up(chan, mine)) {
            gos__self.has_spun = 1;
            return -EAGAIN;
        }
        watch = gos__load_acquire(&chan->watch); /* pairs with N1, N3 */
    }
    while (watch % GOS_WATCH_STATES == GOS_WATCH_CLAIMED) { /* M5 */
        gos__cpu_relax();
        watch = gos__load_acquire(&chan->watch); /* pairs with N3 */
    }
    *word = gos__load_relaxed(&chan->word);
    gos__store_release(&chan->watch, 0u); /* pairs with the acquire in gos__chan_await_unwatched */
    return watch % GOS_WATCH_STATES == GOS_WATCH_SHUT ? -EPIPE : 0;
}

int gos__chan_watch(gos_chan *chan, uint32_t state, uint64_t *word)
{
    gos__prefetch_to_write(chan);
    bool sends = state == GOS_OFFERED, may_spin = gos__pin_spins(gos__self.worker); /* while the line is on its way */
    uint32_t partner = sends ? GOS_WATCHED : GOS_OFFERED, mine = watching(gos__self.worker, state);
    if (chan->elem_size > sizeof chan->word || gos__load_acquire(&chan->bias)) /* pairs with unbias */
        return -EBUSY;
    for (int i = 0; i < TRIES; i++) {
        uint32_t watch = gos__load_relaxed(&chan->watch);
        if (watch % GOS_WATCH_STATES == partner) {
            if (gos__chan_serve(chan, watch, word))
                return 0;
        } else if (watch || !may_spin || (sends && chan->capacity) || !is_quiet(chan)) {
            break;
        } else if (begin(chan, mine, *word)) {
            return wait_for_partner(chan, mine, word);
        }
    }
    return -EBUSY;
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
