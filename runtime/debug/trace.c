/*
 * trace.c: a trace in a file, by a thread that takes what workers record (sched/trace.h) every few milliseconds; and
 * what becomes of it, and of the flight recorder, when the program ends by force.
 *
 * Whoever holds `writing` is at the file: that thread, and who ends the trace. A crash does not wait for it for long,
 * since it may have happened to who holds it: the file then has no end, which viewers do without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/env.h"
#include "debug/flight.h"
#include "debug/inspect.h"
#include "debug/trace_out.h"
#include "sched/netpoll.h"
#include "sched/trace.h"

/* Records a millisecond and at once, of each worker: always, and for a file. */
enum { FLIGHT_RATE = 4, FLIGHT_MOST = 512, FILE_RATE = 64, FILE_MOST = GOS_RING / 2 };

#define TAKE_NS 4000000
#define CRASH_WAIT_NS 200000000

/* No viewer opens more. */
#define FILE_LIMIT (1l << 30)

uint32_t gos__trace_threads;

static struct {
    uint32_t busy;    /* 1: somebody starts or stops a trace */
    uint32_t is_on;   /* 1: there is a file, and a thread */
    uint32_t stop;    /* futex: the thread is to end */
    gos__spin writing;
    gos__trace_out *out;
    pthread_t thread;
    char name[PATH_MAX]; /* of the file */
    bool by_env, went_on; /* the file of GOS_DEBUG, and it has been written before */
    int result;
} trace;

/* ---- what is recorded ---- */

static void set_budget(int rate, int most, bool to_file)
{
    gos__store_relaxed(&gos__rings_are.each_ns, rate ? (int64_t)1000000 / rate : 0);
    gos__store_relaxed(&gos__rings_are.most, (int64_t)most);
    gos__store_relaxed(&gos__rings_are.to_file, (uint32_t)to_file);
}

static void set_budget_without_file(void)
{
    bool records = !gos__env_get()->noflight;
    set_budget(records ? FLIGHT_RATE : 0, records ? FLIGHT_MOST : 0, false);
}

/* All workers of the run, which does not end meanwhile, are to be traced by the new budget, from the next record on. */
static void freshen(gos__runtime *rt)
{
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++) {
        gos__trace *it = &rt->workers[i]->trace;
        if (!gos__ring_open(&it->ring))
            continue;
        gos__store_release(&it->ring.tail, gos__load_acquire(&it->ring.head)); /* what was before is no part of it */
        gos__store_relaxed(&it->due, (uint32_t)GOS_TRACE_FRESH);
        gos__call_attention(rt->workers[i]);
    }
    gos__ring_open(&rt->outside.ring);
    gos__store_release(&rt->outside.ring.tail, gos__load_acquire(&rt->outside.ring.head));
}

/* ---- from the rings into the file ---- */

static void take(gos__ring *ring, uint32_t track, uint64_t *lost)
{
    if (!gos__load_acquire(&ring->events)) /* pairs with gos__ring_open */
        return;
    uint64_t head = gos__load_acquire(&ring->head); /* pairs with gos__ring_put */
    for (uint64_t at = ring->tail; at != head; at++) {
        gos__trace_out_add(trace.out, track, &ring->events[at % GOS_RING]);
        gos__store_release(&ring->tail, at + 1); /* pairs with gos__ring_is_full */
    }
    *lost += gos__load_relaxed(&ring->lost);
}

/* Under `writing`. Records that were lost so far. */
static uint64_t take_all(gos__runtime *rt)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < gos__load_acquire(&rt->made); i++)
        take(&rt->workers[i]->trace.ring, i, &lost);
    take(&rt->outside.ring, GOS_TRACK_OUTSIDE, &lost);
    gos__trace_out_flush(trace.out);
    return lost;
}

static void say_error(int error)
{
    if (error)
        gos__warn("trace=%.300s: cannot be written: %s: it ends here", trace.name, strerror(-error));
}

/* Under `writing`; nothing if it was done already. */
static void end_file(gos__runtime *rt, bool says)
{
    gos__trace_out *out = trace.out;
    if (!out || out->file < 0)
        return;
    bool failed_before = out->error;
    uint64_t lost = take_all(rt);
    int file = out->file;
    gos__fd_own(file, false);
    gos__trace_out_end(out, lost);
    trace.result = out->error;
    if (says && !failed_before)
        say_error(out->error);
}

static void *write_main(void *arg)
{
    gos__runtime *rt = arg;
    bool failed = false;
    while (!gos__load_acquire(&trace.stop)) {
        gos__futex_wait(&trace.stop, 0, gos__clock_ns() + TAKE_NS);
        gos__spin_lock(&trace.writing);
        gos__trace_out *out = trace.out;
        if (out->file >= 0 && !failed) {
            take_all(rt);
            failed = out->error;
            if (failed)
                say_error(out->error);
        }
        bool is_long = out->file >= 0 && !failed && out->size > FILE_LIMIT;
        if (is_long) {
            set_budget_without_file();
            end_file(rt, true);
        }
        gos__spin_unlock(&trace.writing);
        if (is_long)
            gos__warn("trace=%.300s: ends here, at %ld MiB", trace.name, FILE_LIMIT >> 20);
        if (failed)
            set_budget_without_file();
    }
    return NULL;
}

/* ---- beginning and end ---- */

static int open_file(const char *name, bool again)
{
    int how = O_WRONLY | O_CREAT | O_CLOEXEC | (again ? 0 : O_TRUNC);
    int file = (int)syscall(SYS_openat, AT_FDCWD, name, how, 0666);
    return file < 0 ? -errno : gos__fd_high(file);
}

static void at_exit(void)
{
    gos__trace_crash(GOS_END_BY_EXIT);
}

/* `busy` is held. */
static int start(gos__runtime *rt, const char *name, bool by_env)
{
    size_t length = strlen(name);
    if (length >= sizeof trace.name)
        return -ENAMETOOLONG;
    bool again = by_env && trace.went_on && !strcmp(name, trace.name);
    if (!trace.out && !(trace.out = gos__trace_out_new()))
        return -ENOMEM;
    int file = open_file(name, again);
    if (file < 0)
        return file;
    static bool is_registered;
    if (!is_registered)
        is_registered = !atexit(at_exit);
    memcpy(trace.name, name, length + 1);
    trace.by_env = by_env;
    trace.went_on |= by_env;
    trace.result = 0;
    trace.out->may_look = true;
    gos__trace_out_begin(trace.out, file, gos__clock_ns(), again);
    gos__fd_own(file, true);
    gos__store_relaxed(&trace.stop, 0u);
    set_budget(FILE_RATE, FILE_MOST, true);
    freshen(rt);
    uint64_t mask = gos__signals_block(); /* the thread takes none */
    int failed = gos__thread_create(&trace.thread, -1, write_main, rt);
    gos__signals_restore(mask);
    if (failed) {
        set_budget_without_file();
        gos__fd_own(file, false);
        gos__fd_close(file);
        trace.out->file = -1;
        return -failed;
    }
    gos__store_relaxed(&gos__trace_threads, 1u);
    gos__store_release(&trace.is_on, 1u);
    return 0;
}

/* The same. */
static int stop(gos__runtime *rt)
{
    gos__store_release(&trace.stop, 1u);
    gos__futex_wake(&trace.stop, 1);
    pthread_join(trace.thread, NULL);
    gos__store_relaxed(&gos__trace_threads, 0u);
    gos__spin_lock(&trace.writing);
    end_file(rt, true);
    gos__spin_unlock(&trace.writing);
    set_budget_without_file();
    gos__store_release(&trace.is_on, 0u);
    return trace.result;
}

static bool is_running(const gos__runtime *rt)
{
    return rt && !gos__load_acquire(&rt->done);
}

int gos__trace_start(const char *file)
{
    gos__require(file != NULL, "gos_trace_start: the file is NULL");
    if (gos__exchange_acquire(&trace.busy, 1u))
        return -EALREADY;
    int error = errno;
    gos__runtime *rt = gos__load_acquire(&gos__rt);
    int result = !is_running(rt)                  ? -EPERM
               : gos__load_relaxed(&trace.is_on) ? -EALREADY : start(rt, file, false);
    gos__store_release(&trace.busy, 0u);
    errno = error;
    return result;
}

int gos__trace_stop(void)
{
    if (gos__exchange_acquire(&trace.busy, 1u))
        return -EALREADY;
    int error = errno;
    gos__runtime *rt = gos__load_acquire(&gos__rt);
    int result = is_running(rt) && gos__load_relaxed(&trace.is_on) ? stop(rt) : -EPERM;
    gos__store_release(&trace.busy, 0u);
    errno = error;
    return result;
}

void gos__trace_run_begins(void)
{
    const gos__env *env = gos__env_get();
    gos__runtime *rt = gos__rt;
    set_budget_without_file();
    gos__trace_open(&rt->outside);
    gos__last_words = gos__trace_crash;
    if (!env->trace)
        return;
    int failed = start(rt, env->trace, true);
    if (failed)
        gos__die("GOS_DEBUG: trace=%.300s: cannot be written: %s", env->trace, strerror(-failed));
}

/* The threads of the run are gone, or touch it no more. */
void gos__trace_run_ends(void)
{
    while (gos__exchange_acquire(&trace.busy, 1u))
        sched_yield();
    if (gos__load_relaxed(&trace.is_on))
        stop(gos__rt);
    gos__store_release(&trace.busy, 0u);
    gos__last_words = NULL;
}

void gos__trace_forked(void)
{
    if (trace.out && trace.out->file >= 0)
        gos__fd_close(trace.out->file);
    if (trace.out)
        trace.out->file = -1;
    trace.busy = trace.is_on = gos__trace_threads = 0;
    trace.writing = 0;
    set_budget_without_file();
}

/* ---- the end by force ---- */

static bool lock_for_a_while(void)
{
    for (int64_t until = gos__clock_ns() + CRASH_WAIT_NS; !gos__spin_trylock(&trace.writing);) {
        if (gos__clock_ns() >= until)
            return false;
        sched_yield();
    }
    return true;
}

void gos__trace_crash(enum gos__end how)
{
    static uint32_t once;
    gos__runtime *rt = gos__load_acquire(&gos__rt);
    if (!rt || gos__exchange_seq(&once, 1u))
        return;
    if (gos__load_acquire(&trace.is_on) && lock_for_a_while()) {
        trace.out->may_look &= how != GOS_END_BY_FAULT;
        end_file(rt, false);
        gos__spin_unlock(&trace.writing);
    }
    if (how != GOS_END_BY_EXIT)
        gos__flight_crash(rt, how != GOS_END_BY_FAULT);
}
