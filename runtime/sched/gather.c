/*
 * gather.c: tasks that say more to each other than they compute are quickest on one worker. Spread over two, each word
 * moves cache lines from processor to processor; and since every one of them is ready for a moment now and then, an
 * idle worker always finds something to steal, and brings it where its partners are not.
 *
 * What shows it is how often a worker is not the last that used a channel: a crossing. Where they follow each other
 * quickly, it gives its queue to the one that was, which is *gathered* from then on: those that wait for its tasks
 * follow by themselves, since whoever is made ready is so where that was done. Nobody steals from a gathered worker,
 * and it wakes nobody. That ends
 *
 *     when its tasks use channels more slowly than the two workers together did: that was no good idea, and the next
 *     one has to wait, longer each time in a row;
 *     when its tasks do something else than use shared channels, or it has none; when the monitor sees it stay on one;
 *     after a while in any case, for others to look whether there is something for them: a longer one each time.
 *
 * The end is like a task put into its queue (S1 of worker.h): who then sleeps is woken for what is there.
 */
#include "os/os.h"
#include "sched/worker.h"

/* A crossing of lines takes some hundred nanoseconds, whatever the tasks do; more than about this from one to the next
 * is spent on what two workers do in half the time. */
#define CROSSING_NS 1000

/* A use for so many switches, at least, or they are not what the tasks do. */
#define SWITCHES_OF_USE 4

/* The kernel takes the processor away now and then: so many slow periods in a row. */
#define SLOW_PERIODS 3

#define SPAN_NS 500000
#define SPAN_MOST_NS (16 * SPAN_NS)
#define PAUSE_NS 4000000
#define PAUSE_MOST_NS (64 * PAUSE_NS)

static void look_again(gos__worker *worker, int64_t now)
{
    gos__gathering *own = &worker->gathering;
    own->seen = now;
    own->seen_tick = worker->tick;
    own->seen_uses = own->uses;
}

static void give_all(gos__worker *worker, gos__worker *to)
{
    for (uint32_t at = worker->front; at != worker->back; at++)
        gos__push_back(to, worker->queue[at & (GOS_QUEUE_SIZE - 1)]);
    gos__store_relaxed(&worker->front, worker->back);
}

/* `to` is held; so many uses took so long until now. */
static void gather_at(gos__worker *to, uint32_t uses, int64_t took, int64_t now)
{
    gos__gathering *its = &to->gathering;
    if (its->span < SPAN_NS)
        its->span = SPAN_NS;
    its->until = now + its->span;
    its->apart_uses = uses;
    its->apart_ns = took;
    its->slow = 0;
    its->n++;
    look_again(to, now);
    gos__store_relaxed(&to->gathered, 1u);
}

/* Two that want each other at once would both wait for the other to leave the runtime. */
static void give_way(gos__worker *worker, gos__worker *to, uint32_t uses, int64_t took, int64_t now)
{
    gos__runtime *rt = gos__rt;
    if (!gos__spin_trylock(&rt->gather_lock))
        return;
    if (gos__worker_lock(to)) {
        if (to->thread && !gos__load_relaxed(&to->dozing) && !gos__load_relaxed(&to->quit)) {
            give_all(worker, to);
            if (!gos__load_relaxed(&to->gathered))
                gather_at(to, uses, took, now);
        }
        gos__worker_unlock(to);
    }
    gos__spin_unlock(&rt->gather_lock);
}

void gos__gather_end(gos__worker *worker)
{
    gos__store_relaxed(&worker->gathered, 0u);
    gos__compiler_fence(); /* S2, partner: the membarrier of I2 */
    if (gos__queue_length(worker) > 1 && gos__load_relaxed(&gos__rt->idle_n))
        gos__wake_one(worker);
}

static void judge(gos__worker *worker, int64_t now)
{
    gos__runtime *rt = gos__rt;
    gos__gathering *own = &worker->gathering;
    uint32_t switches = worker->tick - own->seen_tick, uses = own->uses - own->seen_uses;
    int64_t took = now - own->seen;
    own->crossings = 0; /* of others that come by */
    look_again(worker, now);
    if (uses < switches / SWITCHES_OF_USE) {
        gos__gather_end(worker);
        return;
    }
    own->slow = took * own->apart_uses > own->apart_ns * uses ? own->slow + 1 : 0;
    if (own->slow >= SLOW_PERIODS) {
        int64_t pause = 2 * gos__load_relaxed(&rt->gather_pause);
        pause = pause < PAUSE_NS ? PAUSE_NS : pause < PAUSE_MOST_NS ? pause : PAUSE_MOST_NS;
        gos__store_relaxed(&rt->gather_pause, pause);
        gos__store_relaxed(&rt->gather_from, now + pause);
        own->span = 0;
        gos__gather_end(worker);
    } else if (now >= own->until) {
        gos__store_relaxed(&rt->gather_pause, (int64_t)0);
        if (own->span < SPAN_MOST_NS)
            own->span *= 2;
        gos__gather_end(worker);
    }
}

uint8_t gos__gather_crossing(gos__worker *worker, uint8_t other)
{
    gos__gathering *own = &worker->gathering;
    own->with = other;
    if (++own->crossings == GOS_CROSSINGS)
        worker->periodic_at = worker->tick + 1;
    return (uint8_t)worker->index;
}

void gos__gather_look(gos__worker *worker)
{
    gos__runtime *rt = gos__rt;
    gos__gathering *own = &worker->gathering;
    int64_t now = gos__clock_ns();
    if (gos__load_relaxed(&worker->gathered)) {
        judge(worker, now);
        return;
    }
    own->crossings = 0;
    gos__worker *other = own->with < gos__load_acquire(&rt->made) ? rt->workers[own->with] : worker;
    uint32_t others = gos__load_relaxed(&other->gathering.uses);
    uint32_t uses = own->uses - own->seen_uses + others - own->seen_others;
    int64_t took = now - own->seen;
    own->seen_others = others;
    look_again(worker, now);
    if (other != worker && took < GOS_CROSSINGS * CROSSING_NS && now >= gos__load_relaxed(&rt->gather_from))
        give_way(worker, other, uses, took, now);
}
