/*
 * trace_out.h: records of workers as a file that viewers open: Chrome's trace event format, its JSON object ("Trace
 * Event Format", Google, 2016), for Perfetto's and for Chrome's own.
 *
 * A worker is a track, what runs on it slices: a task under the name of its function, "idle", "search", and "not
 * traced" for a gap. Arrows (flows) go from who made a task ready to where it runs then. All else are instants. In
 * signal handlers too, but for names that were not looked up before.
 */
#ifndef GOS_DEBUG_TRACE_OUT_H
#define GOS_DEBUG_TRACE_OUT_H

#include <stdbool.h>

#include "os/ring.h"
#include "sched/worker.h"

/* Of each worker, and the last one of what is outside of them. */
enum { GOS_TRACKS = GOS_MAX_PROCS + 1, GOS_TRACK_OUTSIDE = GOS_MAX_PROCS };

enum { GOS_TRACE_NAMES = 1024 };

typedef struct gos__trace_name {
    uintptr_t entry;
    char text[72];
} gos__trace_name;

typedef struct gos__trace_track {
    uint64_t task;  /* whose slice is open */
    uint8_t open;   /* enum in trace_out.c */
    bool is_named;
} gos__trace_track;

typedef struct gos__trace_out {
    char *text;     /* of GOS_TRACE_TEXT bytes */
    size_t used;
    int file;
    int error;      /* a -errno: something could not be written, and nothing is any more */
    int64_t base;   /* gos__clock_ns at 0 */
    int64_t last;   /* the latest time written */
    int64_t size;   /* of the file: what was written whole */
    bool is_first;
    bool may_look;  /* names up */
    gos__trace_track tracks[GOS_TRACKS];
    gos__trace_name names[GOS_TRACE_NAMES]; /* by a hash of `entry` */
} gos__trace_out;

/* NULL: no memory. */
gos__trace_out *gos__trace_out_new(void);

/* Begins in an open file; again: goes on behind what this wrote there before. */
void gos__trace_out_begin(gos__trace_out *out, int file, int64_t base, bool again);
void gos__trace_out_add(gos__trace_out *out, uint32_t track, const gos__event *event);
void gos__trace_out_flush(gos__trace_out *out);

/* Closes what is open, the object and the file; `lost`: records that found no room. */
void gos__trace_out_end(gos__trace_out *out, uint64_t lost);

#endif
