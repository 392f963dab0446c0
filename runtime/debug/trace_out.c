#define _GNU_SOURCE
#include "debug/trace_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "debug/inspect.h"
#include "debug/symbols.h"

enum { TEXT = 256 * 1024, MOST = 1024 }; /* MOST: what one record takes */

enum state { NONE, TASK, IDLE, SEARCH, GAP };

gos__trace_out *gos__trace_out_new(void)
{
    gos__trace_out *out = gos__vm_new(sizeof(gos__trace_out) + TEXT);
    if (out)
        out->text = (char *)(out + 1);
    return out;
}

/* ---- bytes: no stdio, since this runs in signal handlers, and a hundred thousand times a second ---- */

static void add(gos__trace_out *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out->text + out->used, text, n);
    out->used += n;
}

static void add_number(gos__trace_out *out, uint64_t number)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n)
        out->text[out->used++] = digits[--n];
}

static void add_hex(gos__trace_out *out, uint64_t number)
{
    add(out, "0x");
    int shift = number ? (63 - __builtin_clzll(number)) / 4 * 4 : 0;
    for (; shift >= 0; shift -= 4)
        out->text[out->used++] = "0123456789abcdef"[number >> shift & 15];
}

/* Microseconds, the format's unit. */
static void add_us(gos__trace_out *out, int64_t ns)
{
    uint64_t all = ns > 0 ? (uint64_t)ns : 0, below = all % 1000;
    add_number(out, all / 1000);
    out->text[out->used++] = '.';
    out->text[out->used++] = (char)('0' + below / 100);
    out->text[out->used++] = (char)('0' + below / 10 % 10);
    out->text[out->used++] = (char)('0' + below % 10);
}

static void add_escaped(gos__trace_out *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            out->text[out->used++] = '\\';
        out->text[out->used++] = (unsigned char)*text < ' ' ? ' ' : *text;
    }
}

static void fail(gos__trace_out *out, int error)
{
    out->error = error;
    out->used = 0;
    if (ftruncate(out->file, out->size)) /* to whole records; a pipe has no end to cut off */
        return;
    lseek(out->file, out->size, SEEK_SET);
}

void gos__trace_out_flush(gos__trace_out *out)
{
    size_t done = 0;
    while (!out->error && done < out->used) {
        /* By number: the interposed call would look for a task that waits. */
        long n = syscall(SYS_write, out->file, out->text + done, out->used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            fail(out, n ? -errno : -EIO);
    }
    if (!out->error)
        out->size += (int64_t)done;
    out->used = 0;
}

/* ---- names of functions ---- */

static gos__trace_name *name_at(gos__trace_out *out, uintptr_t entry)
{
    uint32_t at = (uint32_t)(entry * 0x9e3779b97f4a7c15u >> 54);
    for (int i = 0; i < GOS_TRACE_NAMES; i++, at = (at + 1) % GOS_TRACE_NAMES)
        if (!out->names[at].entry || out->names[at].entry == entry)
            return &out->names[at];
    return NULL;
}
_Static_assert(GOS_TRACE_NAMES == 1 << (64 - 54), "as many names as the hash has values");

static void add_function(gos__trace_out *out, uintptr_t entry)
{
    gos__trace_name *name = name_at(out, entry);
    if (name && !name->entry && out->may_look) {
        gos__symbol symbol;
        gos__symbol_find(entry, &symbol);
        name->entry = entry;
        memccpy(name->text, symbol.function, 0, sizeof name->text - 1);
    }
    if (name && name->entry && *name->text)
        add_escaped(out, name->text);
    else
        add_hex(out, entry);
}

/* ---- one object ---- */

static void add_track(gos__trace_out *out, uint32_t track)
{
    add(out, ",\"pid\":");
    add_number(out, (uint64_t)getpid());
    add(out, ",\"tid\":");
    add_number(out, track == GOS_TRACK_OUTSIDE ? 0 : track + 1);
}

static void open_object(gos__trace_out *out, const char *phase)
{
    if (out->used > TEXT - MOST)
        gos__trace_out_flush(out);
    add(out, out->is_first ? "{\"ph\":\"" : ",\n{\"ph\":\"");
    out->is_first = false;
    add(out, phase);
    add(out, "\"");
}

/* {"ph":PHASE,"pid":1,"tid":2,"ts":3 */
static void begin(gos__trace_out *out, const char *phase, uint32_t track, int64_t when)
{
    open_object(out, phase);
    add_track(out, track);
    add(out, ",\"ts\":");
    add_us(out, when - out->base);
    if (when > out->last)
        out->last = when;
}

static void begin_instant(gos__trace_out *out, uint32_t track, int64_t when, const char *name)
{
    begin(out, "i", track, when);
    add(out, ",\"s\":\"t\",\"name\":\"");
    add(out, name);
}

static void instant(gos__trace_out *out, uint32_t track, int64_t when, const char *name)
{
    begin_instant(out, track, when, name);
    add(out, "\",\"args\":{");
}

static void add_task(gos__trace_out *out, uint64_t task)
{
    add(out, "\"task\":\"");
    add_hex(out, task);
    add(out, "\"");
}

static void open_slice(gos__trace_out *out, uint32_t track, int64_t when, enum state what, const char *name)
{
    out->tracks[track].open = what;
    begin(out, "B", track, when);
    add(out, ",\"name\":\"");
    add(out, name);
}

/* Leaves room for its arguments. */
static bool close_slice(gos__trace_out *out, uint32_t track, int64_t when)
{
    if (out->tracks[track].open == NONE)
        return false;
    out->tracks[track].open = NONE;
    begin(out, "E", track, when);
    add(out, ",\"args\":{");
    return true;
}

static void end_slice(gos__trace_out *out, uint32_t track, int64_t when)
{
    if (close_slice(out, track, when))
        add(out, "}}");
}

static void name_track(gos__trace_out *out, uint32_t track)
{
    out->tracks[track].is_named = true;
    open_object(out, "M");
    add_track(out, track);
    add(out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"");
    add(out, track == GOS_TRACK_OUTSIDE ? "outside" : "worker ");
    if (track != GOS_TRACK_OUTSIDE)
        add_number(out, track);
    add(out, "\"}}");
}

/* ---- arrows: known by their task and the moment at which it was made ready, mixed into a number of 64 bits, since
 * Perfetto takes no other identifiers ---- */

static void flow(gos__trace_out *out, const char *phase, uint32_t track, int64_t when, uint64_t task, int64_t since)
{
    begin(out, phase, track, when);
    add(out, ",\"cat\":\"ready\",\"name\":\"ready\",\"id\":\"");
    add_hex(out, task ^ (uint64_t)since * 0x9e3779b97f4a7c15u);
    add(out, *phase == 'f' ? "\",\"bp\":\"e\"}" : "\"}");
}

/* An arrow begins in a slice. */
static void flow_from(gos__trace_out *out, uint32_t track, int64_t when, uint64_t task)
{
    bool has_slice = out->tracks[track].open != NONE;
    if (!has_slice) {
        open_slice(out, track, when, SEARCH, "look\"}");
    }
    flow(out, "s", track, when, task, when);
    if (!has_slice)
        end_slice(out, track, when);
}

/* ---- records ---- */

static void add_runs(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it)
{
    gos__trace_track *to = &out->tracks[track];
    int64_t since = gos__stamp_ns(it->c);
    if (to->open == TASK && to->task == it->a && !it->c)
        return; /* GOS_EV_THREAD has said so */
    if (to->open != GAP) {
        end_slice(out, track, when);
        open_slice(out, track, when, TASK, "");
        to->task = it->a;
        add_function(out, it->b);
        add(out, "\",\"args\":{");
        add_task(out, it->a);
        if (it->c) {
            add(out, ",\"ready_us\":");
            add_us(out, when - since);
        }
        add(out, "}}");
    }
    if (it->c & 0xff)
        flow(out, "f", track, when, it->a, since);
}

static void add_leaves(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it)
{
    static const char *const hows[] = { "parks", "yields", "is preempted", "ends", "starts a task" };
    static const char *const stacks[] = { "nursery", "region", "large region", "paged stack" };
    uint8_t how = (uint8_t)it->c, why = (uint8_t)(it->c >> 8), where = (uint8_t)(it->c >> 16) & 3;
    if (out->tracks[track].open != TASK || !close_slice(out, track, when))
        return;
    add(out, "\"then\":\"");
    add(out, hows[how % (sizeof hows / sizeof *hows)]);
    if (how == GOS_LEFT_PARKED) {
        add(out, "\",\"why\":\"");
        add(out, gos__wait_name(why));
        if (it->c >> 24 & 1) {
            add(out, "\",\"descriptor\":\"");
            add_number(out, it->b);
        } else if (it->b) {
            add(out, "\",\"on\":\"");
            add_hex(out, it->b);
        }
    }
    if (how != GOS_LEFT_ENDED) {
        add(out, "\",\"stack\":\"");
        add(out, stacks[where]);
    }
    add(out, "\"}}");
}

static void add_ready(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it)
{
    static const char *const bys[] = { "a task", "a timer", "a thread outside" };
    if (it->c) {
        flow_from(out, track, when, it->a);
        return;
    }
    instant(out, track, when, "ready");
    add_task(out, it->a);
    add(out, ",\"by\":\"");
    add(out, bys[it->b % 3]);
    add(out, "\"}}");
}

static void add_spawn(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it)
{
    begin_instant(out, track, when, "start ");
    add_function(out, it->b & ~GOS_SPAWN_WAITS);
    add(out, "\",\"args\":{");
    add_task(out, it->a);
    if (it->c) {
        add(out, ",\"by\":\"");
        add_hex(out, it->c);
        add(out, "\"");
    }
    add(out, "}}");
    if (it->b & GOS_SPAWN_WAITS)
        flow_from(out, track, when, it->a);
}

static void add_thread(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it, uint8_t kind)
{
    gos__trace_track *to = &out->tracks[track];
    bool is_handoff = kind == GOS_EV_HANDOFF, takes = kind == GOS_EV_THREAD;
    if (is_handoff && to->open == TASK && close_slice(out, track, when))
        add(out, "\"then\":\"blocks its thread\"}}");
    instant(out, track, when, is_handoff ? "hand-off" : takes ? "thread" : kind == GOS_EV_GIVEN ? "worker given away"
                              : kind == GOS_EV_BEGINS ? "thread starts" : "thread ends");
    add(out, "\"thread\":");
    add_number(out, it->c);
    if (it->a) {
        add(out, ",");
        add_task(out, it->a);
    }
    add(out, "}}");
    if (!takes || !it->a || to->open == GAP || (to->open == TASK && to->task == it->a))
        return;
    add_runs(out, track, when, &(gos__event){ .a = it->a, .b = it->b });
}

static void add_numbers(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it, uint8_t kind)
{
    if (kind == GOS_EV_STEAL) {
        instant(out, track, when, "steal");
        add(out, "\"from_worker\":");
        add_number(out, it->a);
        add(out, ",\"tasks\":");
        add_number(out, it->b);
    } else if (kind == GOS_EV_TIMER) {
        begin_instant(out, track, when, "timer ");
        add_function(out, it->a);
        add(out, "\",\"args\":{");
    } else if (kind == GOS_EV_PREEMPT) {
        instant(out, track, when, "preempt");
        add_task(out, it->a);
    } else {
        instant(out, track, when, kind == GOS_EV_DEEPER ? "deeper" : it->c ? "grow large" : "grow");
        add_task(out, it->a);
        add(out, ",\"bytes\":");
        add_number(out, it->b);
    }
    add(out, "}}");
}

static void add_gap_end(gos__trace_out *out, uint32_t track, int64_t when, const gos__event *it)
{
    if (!close_slice(out, track, when))
        return;
    add(out, "\"switches\":");
    add_number(out, it->a);
    add(out, ",\"started\":");
    add_number(out, it->b);
    add(out, ",\"ended\":");
    add_number(out, it->c);
    add(out, "}}");
}

static void add_state(gos__trace_out *out, uint32_t track, int64_t when, enum state what, const char *name)
{
    end_slice(out, track, when);
    open_slice(out, track, when, what, name);
    add(out, "\"}");
}

void gos__trace_out_add(gos__trace_out *out, uint32_t track, const gos__event *event)
{
    uint8_t kind = (uint8_t)event->stamp;
    int64_t when = gos__stamp_ns(event->stamp);
    if (!out->tracks[track].is_named)
        name_track(out, track);
    switch (kind) {
    case GOS_EV_RUNS: add_runs(out, track, when, event); break;
    case GOS_EV_LEAVES: add_leaves(out, track, when, event); break;
    case GOS_EV_READY: add_ready(out, track, when, event); break;
    case GOS_EV_SPAWN: add_spawn(out, track, when, event); break;
    case GOS_EV_SEARCH: case GOS_EV_WAKE: add_state(out, track, when, SEARCH, "search"); break;
    case GOS_EV_IDLE: add_state(out, track, when, IDLE, "idle"); break;
    case GOS_EV_GAP: add_state(out, track, when, GAP, "not traced"); break;
    case GOS_EV_GAP_END: add_gap_end(out, track, when, event); break;
    case GOS_EV_THREAD: case GOS_EV_HANDOFF: case GOS_EV_GIVEN: case GOS_EV_BEGINS: case GOS_EV_ENDS:
        add_thread(out, track, when, event, kind);
        break;
    default: add_numbers(out, track, when, event, kind); break;
    }
}

/* ---- the file ---- */

/* Without the unit Chrome's viewer takes two slices of less than a microsecond for one in the other. */
static const char begin_of_file[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", end_of_file[] = "\n]}\n";

void gos__trace_out_begin(gos__trace_out *out, int file, int64_t base, bool again)
{
    char program[16] = "";
    out->file = file;
    out->error = 0;
    out->used = 0;
    out->is_first = false;
    for (uint32_t i = 0; i < GOS_TRACKS; i++)
        out->tracks[i] = (gos__trace_track){ .open = NONE, .is_named = again && out->tracks[i].is_named };
    if (again) {
        lseek(file, out->size, SEEK_SET);
        return;
    }
    out->base = out->last = base;
    out->size = 0;
    add(out, begin_of_file);
    out->is_first = true;
    open_object(out, "M");
    add_track(out, GOS_TRACK_OUTSIDE);
    add(out, ",\"name\":\"process_name\",\"args\":{\"name\":\"");
    memccpy(program, program_invocation_short_name, 0, sizeof program - 1);
    add_escaped(out, program);
    add(out, "\"}}");
}

void gos__trace_out_end(gos__trace_out *out, uint64_t lost)
{
    for (uint32_t i = 0; i < GOS_TRACKS; i++)
        end_slice(out, i, out->last);
    if (lost) {
        instant(out, GOS_TRACK_OUTSIDE, out->last, "lost");
        add(out, "\"records\":");
        add_number(out, lost);
        add(out, "}}");
    }
    gos__trace_out_flush(out);
    int error = out->error;
    int64_t size = out->size;
    out->error = 0;
    add(out, end_of_file); /* also of a file that ends before its time */
    gos__trace_out_flush(out);
    if (error || out->error)
        out->error = error ? error : out->error;
    out->size = size; /* where the next run goes on */
    gos__fd_close(out->file);
    out->file = -1;
}
