/*
 * play.h: a random program that is just running, and what its tasks do besides sending and receiving. An operation
 * reads from the bytes of its task what exactly it does, and does another one inside of itself where it holds
 * something.
 */
#ifndef FUZZ_PLAY_H
#define FUZZ_PLAY_H

#include <gossamer/context.h>

#include "base/config.h"
#include "tests/fuzz/world.h"

#if GOS_ASAN
#include <sanitizer/lsan_interface.h>
#endif

enum { DEEPEST = 3, UNITS = 3, GIVEN = 1000, NS = 1000 };

typedef struct actor {
    fuzz_bytes in;
    unsigned index, sends, depth;
    int holds, ends;   /* a lock; by gos_exit */
    gos_waitgroup *also;
} actor;

static struct play {
    void (*const *ops)(actor *me);
    unsigned ops_n;
    actor actors[TASKS];
    unsigned actors_n;
    int rescuing;
    gos_waitgroup all;
    gos_mutex mutex;
    gos_rwmutex rwmutex;
    gos_cond cond;
    gos_sem sem;
    gos_once once;
    int owner, writer, readers, used, given, once_ran, once_done, cause;
    long fired, armed, stopped;
    gos_context *root;
    int fds[2];
    long written, read;
    int early, seeded;
    unsigned leaves_at;
} play;

static int plays; /* so many were begun */

/* One operation, of those that the program may do. */
static void step(actor *me)
{
    unsigned op = fuzz_below(&me->in, play.ops_n);
    if (me->depth == DEEPEST) {
        gos_yield();
        return;
    }
    me->depth++;
    play.ops[op](me);
    me->depth--;
}

static channel *some_channel(actor *me)
{
    return &world.chans[fuzz_below(&me->in, world.chans_n)];
}

static int64_t soon(actor *me)
{
    return (int64_t)(fuzz_byte(&me->in) % 64) * NS;
}

static void late_enough(int result, int64_t deadline)
{
    fuzz_require(result != -ETIMEDOUT || gos_now() >= deadline);
}

/* ---- locks ---- */

static void op_mutex(actor *me)
{
    unsigned how = fuzz_below(&me->in, 8);
    int64_t deadline = gos_now() + (how < 2 ? soon(me) : 0);
    if (me->holds)
        return;
    int result = how < 2 ? gos_mutex_lock_until(&play.mutex, deadline)
               : how == 2 ? gos_mutex_trylock(&play.mutex) : (gos_mutex_lock(&play.mutex), 0);
    late_enough(result, deadline);
    if (result) {
        fuzz_require(result == (how == 2 ? -EBUSY : -ETIMEDOUT));
        return;
    }
    me->holds = 1;
    fuzz_require(count(&play.owner, 1) == 1);
    if (how == 7) {
        count(&play.owner, -1);
        if (fuzz_byte(&me->in) % 2)
            gos_cond_wait(&play.cond, &play.mutex);
        else
            gos_cond_wait_until(&play.cond, &play.mutex, gos_now() + soon(me));
        fuzz_require(count(&play.owner, 1) == 1);
    }
    step(me);
    fuzz_require(count(&play.owner, -1) == 0);
    me->holds = 0;
    gos_mutex_unlock(&play.mutex);
}

static void op_cond(actor *me)
{
    if (fuzz_byte(&me->in) % 2)
        gos_cond_signal(&play.cond);
    else
        gos_cond_broadcast(&play.cond);
}

static void op_read_lock(actor *me)
{
    unsigned how = fuzz_below(&me->in, 4);
    int64_t deadline = gos_now() + (how == 0 ? soon(me) : 0);
    if (me->holds)
        return;
    int result = how == 0 ? gos_rwmutex_rlock_until(&play.rwmutex, deadline)
               : how == 1 ? gos_rwmutex_tryrlock(&play.rwmutex) : (gos_rwmutex_rlock(&play.rwmutex), 0);
    late_enough(result, deadline);
    if (result)
        return;
    me->holds = 1;
    count(&play.readers, 1);
    fuzz_require(look(&play.writer) == 0);
    step(me);
    fuzz_require(look(&play.writer) == 0);
    count(&play.readers, -1);
    me->holds = 0;
    gos_rwmutex_runlock(&play.rwmutex);
}

static void op_write_lock(actor *me)
{
    unsigned how = fuzz_below(&me->in, 4);
    int64_t deadline = gos_now() + (how == 0 ? soon(me) : 0);
    if (me->holds)
        return;
    int result = how == 0 ? gos_rwmutex_lock_until(&play.rwmutex, deadline)
               : how == 1 ? gos_rwmutex_trylock(&play.rwmutex) : (gos_rwmutex_lock(&play.rwmutex), 0);
    late_enough(result, deadline);
    if (result)
        return;
    me->holds = 1;
    fuzz_require(count(&play.writer, 1) == 1 && look(&play.readers) == 0);
    step(me);
    fuzz_require(count(&play.writer, -1) == 0 && look(&play.readers) == 0);
    me->holds = 0;
    gos_rwmutex_unlock(&play.rwmutex);
}

static void op_sem(actor *me)
{
    unsigned draw = fuzz_byte(&me->in), how = draw % 4;
    int n = 1 + (int)(draw / 4 % UNITS);
    int64_t deadline = gos_now() + (how == 0 ? soon(me) : 0);
    int result = how == 0 ? gos_sem_acquire_until(&play.sem, n, deadline)
               : how == 1 ? gos_sem_tryacquire(&play.sem, n) : (gos_sem_acquire(&play.sem, n), 0);
    late_enough(result, deadline);
    if (result) {
        fuzz_require(result == (how == 1 ? -EAGAIN : -ETIMEDOUT));
        return;
    }
    fuzz_require(count(&play.used, n) <= look(&play.given));
    step(me);
    count(&play.used, -n);
    gos_sem_release(&play.sem, n);
}

static void once_body(void *unused)
{
    (void)unused;
    fuzz_require(count(&play.once_ran, 1) == 1);
    gos_yield();
    put(&play.once_done, 1);
}

static void op_once(actor *me)
{
    int64_t deadline = gos_now() + soon(me);
    int result = fuzz_byte(&me->in) % 2 ? gos_once_do_until(&play.once, once_body, NULL, deadline)
               : (gos_once_do(&play.once, once_body, NULL), 0);
    late_enough(result, deadline);
    fuzz_require(result != 0 || look(&play.once_done));
}

/* ---- time, contexts, descriptors ---- */

/* A task that the run ends with cannot free it, which is no leak then. */
static void own(void *made)
{
    fuzz_require(made != NULL);
#if GOS_ASAN
    if (play.early)
        __lsan_ignore_object(made);
#endif
}

static void on_timer(void *unused)
{
    (void)unused;
    count(&play.fired, 1);
}

static void op_timer(actor *me)
{
    gos_timer *timer = gos_timer_new(soon(me), on_timer, NULL);
    own(timer);
    count(&play.armed, 1);
    step(me);
    if (fuzz_byte(&me->in) % 2) {
        int result = gos_timer_stop(timer);
        fuzz_require(result == 0 || result == -EALREADY);
        fuzz_require(gos_timer_stop(timer) == -EALREADY);
        count(&play.stopped, result == 0);
        gos_timer_free(timer);
        return;
    }
    gos_sleep(65 * NS);
    count(&play.stopped, gos_timer_stop(timer) == 0);
    gos_timer_free(timer);
}

static void cancel_once(gos_context *context)
{
    int result = gos_context_cancel(context, -1000), cause = gos_context_cause(context);
    fuzz_require(result == (cause == -1000 ? 0 : -EALREADY) && cause != 0);
}

static void op_context(actor *me)
{
    unsigned draw = fuzz_byte(&me->in);
    if (draw % 8 == 7) {
        int cause = -1 - (int)(draw / 8);
        if (gos_context_cancel(play.root, cause) == 0) {
            fuzz_require(count(&play.cause, cause) == cause);
            fuzz_require(gos_context_cause(play.root) == cause);
        }
        return;
    }
    int64_t deadline = draw % 2 ? gos_now() + soon(me) : INT64_MAX;
    gos_context *mine = gos_context_new(play.root, deadline), *below = gos_context_new(mine, INT64_MAX);
    own(mine);
    own(below);
    fuzz_require(gos_context_deadline(below) == deadline);
    step(me);
    if (draw % 4 == 0)
        cancel_once(mine);
    if (draw % 4 < 2)
        fuzz_require(gos_chan_recv(gos_context_done(below), NULL) == -EPIPE);
    int cause = gos_context_cause(below), above = gos_context_cause(mine);
    fuzz_require(cause == 0 || above != 0);
    fuzz_require(draw % 4 >= 2 || cause != 0);
    fuzz_require(cause != -ETIMEDOUT || gos_now() >= deadline);
    gos_context_free(mine);
    fuzz_require(gos_context_cause(below) != 0);
    gos_context_free(below);
}

static void op_ticker(actor *me)
{
    int64_t period = NS + soon(me), was = 0, when;
    gos_ticker *ticker = gos_ticker_new(period);
    own(ticker);
    for (unsigned n = fuzz_below(&me->in, 3); n > 0; n--) {
        fuzz_require(gos_chan_recv(gos_ticker_chan(ticker), &when) == 0);
        fuzz_require(when > was && when <= gos_now() && (was == 0 || (when - was) % period == 0));
        was = when;
    }
    gos_ticker_free(ticker);
}

/* What a run that is over left behind, on a thread of its own, may call the system between two doors of the runtime,
 * and so for files that are no more: nothing follows from what it is told. */
static void op_pipe(actor *me)
{
    char byte = 0;
    int fds[] = { play.fds[0], play.fds[1] }, run = look(&plays);
    if (fds[0] < 0)
        return;
    bool writes = fuzz_byte(&me->in) % 2;
    if (writes)
        count(&play.written, 1);
    ssize_t n = writes ? write(fds[1], &byte, 1) : read(fds[0], &byte, 1);
    if (look(&plays) != run)
        return;
    fuzz_require(n == 1);
    fuzz_require(writes || count(&play.read, 1) <= look(&play.written));
}

#endif
