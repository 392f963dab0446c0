/* dump.c: all tasks, alike ones together, with names for what they are at. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "debug/groups.h"
#include "debug/inspect.h"
#include "debug/symbols.h"

enum { SHOWN = 200, TEXT = 8 << 20 };

const char *gos__wait_name(uint8_t why)
{
    static const char *const waits[] = {
        [GOS_WAIT_NONE] = "waiting", [GOS_WAIT_SEND] = "chan send", [GOS_WAIT_RECV] = "chan receive",
        [GOS_WAIT_SLEEP] = "sleep", [GOS_WAIT_MUTEX] = "mutex", [GOS_WAIT_GROUP] = "wait group",
        [GOS_WAIT_SELECT] = "select", [GOS_WAIT_RWMUTEX] = "rwmutex", [GOS_WAIT_COND] = "cond",
        [GOS_WAIT_SEM] = "sem", [GOS_WAIT_ONCE] = "once", [GOS_WAIT_FD] = "descriptor",
    };
    return why < sizeof waits / sizeof *waits && waits[why] ? waits[why] : "waiting";
}

static const char *doing(const gos__group *it)
{
    return it->state == GOS_PARKED ? gos__wait_name(it->why) : it->state == GOS_READY ? "ready" : "running";
}

/* ---- one group ---- */

static void add_time(gos__text *text, uint32_t half_seconds)
{
    uint32_t seconds = half_seconds / 2;
    if (seconds < 120)
        gos__text_add(text, "%u s", seconds);
    else if (seconds < 7200)
        gos__text_add(text, "%u min", seconds / 60);
    else
        gos__text_add(text, "%u h %u min", seconds / 3600, seconds / 60 % 60);
}

static void add_age(gos__text *text, const gos__group *it)
{
    if (it->state != GOS_PARKED || it->longest < 2)
        return;
    gos__text_add(text, ", ");
    if (it->shortest / 2 != it->longest / 2) {
        add_time(text, it->shortest);
        gos__text_add(text, " to ");
    }
    add_time(text, it->longest);
}

static void add_subject(gos__text *text, const gos__group *it)
{
    if (it->descriptor >= 0)
        gos__text_add(text, " %d", it->descriptor);
    if (it->subject)
        gos__text_add(text, " on %p", (void *)it->subject);
    if (it->has_others && (it->subject || it->descriptor >= 0))
        gos__text_add(text, " and others");
}

/* Of several lines, for a function and what it is inlined into, one each. */
static void add_frame(gos__text *text, const char *name)
{
    for (size_t n; *name; name += n + (name[n] == '\n')) {
        n = strcspn(name, "\n");
        gos__text_add(text, "    %.*s\n", (int)n, name);
    }
}

static void add_group(gos__text *text, const gos__group *it, const gos__names *names)
{
    if (it->count == 1)
        gos__text_add(text, "task %p", (const void *)it->one);
    else
        gos__text_add(text, "%ld tasks like %p", it->count, (const void *)it->one);
    gos__text_add(text, " [%s", doing(it));
    add_age(text, it);
    gos__text_add(text, "]");
    add_subject(text, it);
    uintptr_t entry = (uintptr_t)it->entry;
    gos__text_add(text, " started with %s (%p)", gos__name_of(names, entry), (void *)entry);
    uintptr_t creator = gos__symbol_whole(it->creator);
    if (creator) {
        const char *name = gos__name_of(names, creator - 1);
        gos__text_add(text, " by %.*s", (int)strcspn(name, "\n"), name);
    }
    if (it->kind == GOS_PAGED)
        gos__text_add(text, ", paged stack");
    else if (it->kind != GOS_NURSERY)
        gos__text_add(text, ", nursery of %d bytes", gos__nursery_size(it->kind));
    gos__text_add(text, "%s%s%s\n", it->is_deep ? ", on a deep region" : "", it->is_pinned ? ", pinned" : "",
                  it->is_away ? ", packed away" : "");
    for (uint32_t i = 0; i < it->backtrace.n; i++)
        add_frame(text, gos__name_of(names, it->backtrace.at[i] - 1));
    if (it->backtrace.n == GOS_FRAMES)
        gos__text_add(text, "    ...\n");
}

/* ---- all ---- */

/* Return addresses are those of the next instruction, which may be another line, or another function. */
static size_t collect(gos__group *const *groups, size_t n, uintptr_t *to)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const gos__group *it = groups[i];
        to[used++] = (uintptr_t)it->entry;
        uintptr_t creator = gos__symbol_whole(it->creator);
        if (creator)
            to[used++] = creator - 1;
        for (uint32_t k = 0; k < it->backtrace.n; k++)
            to[used++] = it->backtrace.at[k] - 1;
    }
    return used;
}

static void add_size(void (*entry)(void *), int size, void *arg)
{
    gos__symbol symbol;
    gos__symbol_find((uintptr_t)entry, &symbol);
    gos__text_add(arg, "tasks of %s (%p) start on %d bytes\n", *symbol.function ? symbol.function : "?",
                  (void *)(uintptr_t)entry, size);
}

static bool is_same_line(const gos__group *a, const gos__group *b, const gos__names *names)
{
    uintptr_t by_a = gos__symbol_whole(a->creator), by_b = gos__symbol_whole(b->creator);
    return by_a && by_b && !strcmp(gos__name_of(names, by_a - 1), gos__name_of(names, by_b - 1));
}

/* A compiler may make several calls of one, of a loop for instance. Returns how many groups are left, in front, largest
 * first. */
static size_t join_lines(gos__group **groups, size_t n, const gos__names *names)
{
    size_t left = 0;
    for (size_t i = 0, k; i < n; i++) {
        for (k = 0; k < left; k++)
            if (gos__group_is_like(groups[k], groups[i]) && is_same_line(groups[k], groups[i], names))
                break;
        gos__group *it = groups[k < left ? k : i];
        if (k < left)
            gos__group_add(it, groups[i]);
        else
            k = left++;
        for (; k > 0 && groups[k - 1]->count < it->count; k--)
            groups[k] = groups[k - 1];
        groups[k] = it;
    }
    return left;
}

static void add_groups(gos__text *text, gos__group **sorted, size_t n, void (*meanwhile)(void))
{
    size_t shown = n < SHOWN ? n : SHOWN;
    gos__text room;
    gos__names names;
    gos__text_open(&room, SHOWN * (GOS_FRAMES + 2) * sizeof(uintptr_t));
    uintptr_t *addresses = (uintptr_t *)(void *)room.start;
    gos__names_find(&names, addresses, addresses ? collect(sorted, shown, addresses) : 0, meanwhile);
    shown = join_lines(sorted, shown, &names);
    for (size_t i = 0; i < shown; i++)
        add_group(text, sorted[i], &names);
    gos__names_free(&names);
    gos__text_close(&room);
}

long gos__dump_add(gos__text *text, gos__groups *groups, void (*meanwhile)(void))
{
    gos__group **sorted;
    long tasks, others;
    size_t n = gos__groups_sort(groups, &sorted, &tasks, &others);
    gos__text_add(text, "gossamer: %ld tasks\n", tasks);
    add_groups(text, sorted, n, meanwhile);
    for (size_t i = SHOWN; i < n; i++)
        others += sorted[i]->count;
    if (others)
        gos__text_add(text, "and %ld tasks in more than %d other groups\n", others, SHOWN);
    gos__sizing_walk(add_size, text);
    return tasks;
}

bool gos__dump_open(gos__text *text)
{
    gos__text_open(text, TEXT);
    return text->start != NULL;
}

_Noreturn void gos__report_deadlock(void)
{
    gos__text text;
    gos__groups *groups = gos__groups_open(true, true, NULL);
    long tasks = 0;
    if (groups && gos__dump_open(&text)) {
        gos__groups_add_all(groups);
        tasks = gos__dump_add(&text, groups, NULL);
        if (!tasks)
            gos__die("fatal error: no task is left, and main ended by gos_exit - deadlock!");
    }
    gos__warn("fatal error: all tasks are asleep - deadlock!");
    if (tasks)
        gos__text_write(&text, STDERR_FILENO);
    gos__say_last_words();
    _exit(2);
}
