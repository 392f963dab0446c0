#define _GNU_SOURCE
#include "debug/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/env.h"
#include "debug/inspect.h"
#include "debug/symbols.h"
#include "debug/trace_out.h"
#include "sched/trace.h"

/* Lines of a crash, and of who asks. LINE: bytes of one, at most. */
enum { LINES = 300, LINE = 400 };

/* What is written over while it is read: so many records at least are left out at the old end. */
enum { MARGIN = 64 };

typedef struct reader {
    gos__runtime *rt;
    uint64_t next[GOS_TRACKS], end[GOS_TRACKS];
} reader;

static gos__ring *ring_of(gos__runtime *rt, uint32_t track)
{
    gos__ring *ring = track == GOS_TRACK_OUTSIDE ? &rt->outside.ring
                    : track < gos__load_acquire(&rt->made) ? &rt->workers[track]->trace.ring : NULL;
    return ring && gos__load_acquire(&ring->events) ? ring : NULL; /* pairs with gos__ring_open */
}

static void begin(reader *it, gos__runtime *rt)
{
    it->rt = rt;
    for (uint32_t i = 0; i < GOS_TRACKS; i++) {
        gos__ring *ring = ring_of(rt, i);
        it->end[i] = ring ? gos__load_acquire(&ring->head) : 0; /* pairs with gos__ring_put */
        it->next[i] = it->end[i] > GOS_RING - MARGIN ? it->end[i] - (GOS_RING - MARGIN) : 0;
    }
}

static void copy(const gos__ring *ring, uint64_t at, gos__event *to)
{
    const gos__event *from = &ring->events[at % GOS_RING];
    *to = (gos__event){ gos__load_relaxed(&from->stamp), gos__load_relaxed(&from->a), gos__load_relaxed(&from->b),
                        gos__load_relaxed(&from->c) };
}

/* The track whose next record is the oldest, or whose last one is the newest; GOS_TRACKS: none is left. */
static uint32_t choose(const reader *it, bool newest, gos__event *chosen)
{
    uint32_t track = GOS_TRACKS;
    for (uint32_t i = 0; i < GOS_TRACKS; i++) {
        if (it->next[i] == it->end[i])
            continue;
        gos__event event;
        copy(ring_of(it->rt, i), newest ? it->end[i] - 1 : it->next[i], &event);
        bool is_better = newest ? event.stamp > chosen->stamp : event.stamp < chosen->stamp;
        if (track == GOS_TRACKS || is_better) {
            track = i;
            *chosen = event;
        }
    }
    return track;
}

/* ---- lines ---- */

static void add_entry(gos__text *text, uintptr_t entry, bool may_look)
{
    gos__symbol symbol = { .function = "" };
    if (may_look)
        gos__symbol_find(entry, &symbol);
    if (*symbol.function)
        gos__text_add(text, "%s", symbol.function);
    else
        gos__text_add(text, "%#lx", (unsigned long)entry);
}

static void add_leaves(gos__text *text, const gos__event *it)
{
    static const char *const hows[] = { "parks", "yields", "is preempted", "ends", "starts another" };
    uint8_t how = (uint8_t)it->c, why = (uint8_t)(it->c >> 8);
    gos__text_add(text, "task %#lx %s", (unsigned long)it->a, hows[how % (sizeof hows / sizeof *hows)]);
    if (how != GOS_LEFT_PARKED)
        return;
    gos__text_add(text, " [%s]", gos__wait_name(why));
    if (it->c >> 24 & 1)
        gos__text_add(text, " %lu", (unsigned long)it->b);
    else if (it->b)
        gos__text_add(text, " on %#lx", (unsigned long)it->b);
}

static void add_words(gos__text *text, const gos__event *it, bool may_look)
{
    unsigned long a = it->a, b = it->b, c = it->c;
    switch ((uint8_t)it->stamp) {
    case GOS_EV_RUNS:
        gos__text_add(text, "task %#lx runs, started with ", a);
        add_entry(text, b, may_look);
        if (c)
            gos__text_add(text, ", ready for %ld ns", (long)(gos__stamp_ns(it->stamp) - gos__stamp_ns(c)));
        break;
    case GOS_EV_LEAVES: add_leaves(text, it); break;
    case GOS_EV_READY: gos__text_add(text, "task %#lx is ready%s", a, b == GOS_BY_TIMER ? ", by a timer" : ""); break;
    case GOS_EV_SPAWN:
        gos__text_add(text, "task %#lx starts with ", a);
        add_entry(text, b & ~GOS_SPAWN_WAITS, may_look);
        if (c)
            gos__text_add(text, ", by task %#lx", c);
        break;
    case GOS_EV_SEARCH: gos__text_add(text, "looks for work"); break;
    case GOS_EV_IDLE: gos__text_add(text, "sleeps"); break;
    case GOS_EV_WAKE: gos__text_add(text, "wakes"); break;
    case GOS_EV_GAP: gos__text_add(text, "not recorded from here on:"); break;
    case GOS_EV_GAP_END: gos__text_add(text, "%lu switches, %lu tasks started, %lu ended", a, b, c); break;
    case GOS_EV_THREAD: gos__text_add(text, "thread %lu has it, with task %#lx", c, a); break;
    case GOS_EV_HANDOFF: gos__text_add(text, "hand-off: thread %lu blocks, with task %#lx", c, a); break;
    case GOS_EV_GIVEN: gos__text_add(text, "thread %lu lets go of it", c); break;
    case GOS_EV_STEAL: gos__text_add(text, "steals %lu tasks of worker %lu", b, a); break;
    case GOS_EV_PREEMPT: gos__text_add(text, "task %#lx has used up its slice", a); break;
    case GOS_EV_TIMER:
        gos__text_add(text, "timer ");
        add_entry(text, a, may_look);
        break;
    case GOS_EV_GROW: gos__text_add(text, "task %#lx gets a %sregion for %lu bytes", a, c ? "large " : "", b); break;
    case GOS_EV_DEEPER: gos__text_add(text, "task %#lx uses %lu bytes of its region", a, b); break;
    case GOS_EV_BEGINS: gos__text_add(text, "thread %lu starts", c); break;
    case GOS_EV_ENDS: gos__text_add(text, "thread %lu ends", c); break;
    default: gos__text_add(text, "record %d", (int)(uint8_t)it->stamp); break;
    }
}

static void add_line(gos__text *text, uint32_t track, const gos__event *it, int64_t end, bool may_look)
{
    int64_t before = end - gos__stamp_ns(it->stamp);
    gos__text_add(text, "%8ld.%03ld us  ", (long)(before / 1000), (long)(before % 1000));
    if (track == GOS_TRACK_OUTSIDE)
        gos__text_add(text, "outside: ");
    else
        gos__text_add(text, "worker %u: ", track);
    add_words(text, it, may_look);
    gos__text_add(text, "\n");
}

void gos__flight_add(gos__text *text, gos__runtime *rt, bool may_look)
{
    reader it, back;
    gos__event event;
    begin(&it, rt);
    back = it;
    int64_t end = gos__clock_ns();
    int n = 0;
    for (uint32_t track; n < LINES && (track = choose(&back, true, &event)) < GOS_TRACKS; n++)
        back.end[track]--;
    memcpy(it.next, back.end, sizeof it.next);
    gos__text_add(text, "gossamer: the last %d records, and how long ago:\n", n);
    for (uint32_t track; n && (track = choose(&it, false, &event)) < GOS_TRACKS; n--) {
        it.next[track]++;
        add_line(text, track, &event, end, may_look);
    }
}

/* ---- a crash ---- */

static void write_lines(gos__runtime *rt, bool may_look)
{
    gos__text text;
    gos__text_open(&text, LINES * LINE);
    gos__flight_add(&text, rt, may_look);
    gos__text_write(&text, STDERR_FILENO);
    gos__text_close(&text);
}

/* As a trace: all that there is. */
static void write_file(gos__runtime *rt, const char *name, bool may_look)
{
    reader it;
    gos__event event;
    begin(&it, rt);
    gos__trace_out *out = gos__trace_out_new();
    int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (!out || file < 0) {
        gos__warn("flight=%.300s: cannot be written: %s", name, out ? strerror(errno) : "no memory");
        return;
    }
    int64_t base = choose(&it, false, &event) < GOS_TRACKS ? gos__stamp_ns(event.stamp) : gos__clock_ns();
    out->may_look = may_look;
    gos__trace_out_begin(out, file, base, false);
    for (uint32_t i = 0; i < GOS_TRACKS; i++)
        for (; it.next[i] != it.end[i]; it.next[i]++) {
            copy(ring_of(rt, i), it.next[i], &event);
            gos__trace_out_add(out, i, &event);
        }
    gos__trace_out_end(out, 0);
    if (out->error)
        gos__warn("flight=%.300s: cannot be written: %s", name, strerror(-out->error));
}

void gos__flight_crash(gos__runtime *rt, bool may_look)
{
    const gos__env *env = gos__env_get();
    if (env->flight_file)
        write_file(rt, env->flight_file, may_look);
    else if (env->flight)
        write_lines(rt, may_look);
}

/* ---- on request ---- */

int gos__flight(char **start, size_t *used, size_t *room)
{
    gos__text text;
    gos__text_open(&text, LINES * LINE);
    if (!text.start)
        return -ENOMEM;
    bool is_foreign = !gos__self.worker; /* then the run might end meanwhile */
    if (is_foreign)
        gos__spin_lock(&gos__rt_lock);
    gos__runtime *rt = gos__rt;
    if (rt)
        gos__flight_add(&text, rt, true);
    if (is_foreign)
        gos__spin_unlock(&gos__rt_lock);
    *start = text.start;
    *used = text.used;
    *room = text.room;
    if (rt)
        return 0;
    gos__text_close(&text);
    return -EPERM;
}
