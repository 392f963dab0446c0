/*
 * context.c: a tree of ends. A context ends once, by a cancel or by its deadline, and all below it with it; what is
 * below an ended one is cut off, so that each may be freed when its owner likes.
 *
 * A tree's links and causes are under one spin lock, which is held for a step at a time: whoever ends a context goes
 * down to one that has no children, cuts it off, lets go of the lock, closes its channel, and goes on with its parent.
 * Several may do so at once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sched/worker.h"
#include "sync/chan.h"
#include "sync/sync.h"

enum { LOCKS = 64 };

struct gos_context {
    gos__spin *lock;
    gos_context *next, **at; /* among its siblings; at: what points to it; NULL: it has been cut off, or is a root */
    gos_context *parent; /* while `at` is set: then it is there */
    gos_context *children;
    gos_chan *done;
    gos_timer *timer;
    int64_t deadline;
    int cause;
    uint32_t refs; /* its owner, its timer, who is closing its channel or that of a child */
    uint32_t runs; /* that had ended when somebody asked for its channel last */
    bool ended;    /* its channel is closed, or is just being closed */
};

/* Trees share them. */
static struct {
    GOS_ALIGNED(GOS_FALSE_SHARING) gos__spin lock;
} locks[LOCKS];

/* A child process finds whole trees, and nobody at work on them. */
static void before_fork(void)
{
    for (int i = 0; i < LOCKS; i++)
        gos__spin_lock(&locks[i].lock);
}

static void after_fork(void)
{
    for (int i = 0; i < LOCKS; i++)
        gos__spin_unlock(&locks[i].lock);
}

static void fork_prepare(void)
{
    static uint32_t is_done;
    if (gos__unlikely(!gos__load_relaxed(&is_done)) && !gos__exchange_seq(&is_done, 1u))
        pthread_atfork(before_fork, after_fork, after_fork);
}

static void require_context(const gos_context *context, const char *what)
{
    gos__require(context != NULL, "%s: the context is NULL", what);
}

/* ---- under the lock ---- */

static void link_to(gos_context *parent, gos_context *child)
{
    child->parent = parent;
    child->next = parent->children;
    child->at = &parent->children;
    if (child->next)
        child->next->at = &child->next;
    parent->children = child;
}

static void cut_off(gos_context *context)
{
    if (!context->at)
        return;
    *context->at = context->next;
    if (context->next)
        context->next->at = context->at;
    context->at = NULL;
}

/* Lets go of the lock to free it, and takes it again. */
static void drop_locked(gos_context *context)
{
    gos__spin *lock = context->lock;
    if (--context->refs)
        return;
    gos__spin_unlock(lock);
    gos__chan_free(context->done);
    free(context);
    gos__spin_lock(lock);
}

/* Tasks of a run that has ended since it was asked for may stand in the channel's lists, and are no more. */
static void close_channel(gos_context *context)
{
    if (gos__load_relaxed(&context->runs) == gos__load_relaxed(&gos__runs_ended))
        gos__chan_close(context->done);
    else
        gos__chan_close_forgotten(context->done);
}

/* Lets go of the lock for the channel, and takes it again. */
static void end(gos_context *context)
{
    gos__spin *lock = context->lock;
    if (context->ended)
        return;
    context->ended = true;
    context->refs++;
    gos_timer *timer = context->timer;
    context->timer = NULL;
    gos__spin_unlock(lock);
    close_channel(context);
    bool called_off = timer && gos__timer_call_off(timer);
    gos__timer_free(timer);
    gos__spin_lock(lock);
    if (called_off)
        context->refs--; /* not the last */
    drop_locked(context);
}

/* One that has no children, at or below this one; each on the way has a cause then. */
static gos_context *lowest_below(gos_context *context, int cause)
{
    while (context->children) {
        context = context->children;
        if (!context->cause)
            gos__store_release(&context->cause, cause); /* pairs with the acquire in gos__context_cause */
    }
    return context;
}

static void end_below(gos_context *context, int cause)
{
    gos_context *lowest = lowest_below(context, cause);
    while (lowest != context) {
        gos_context *parent = lowest->parent;
        parent->refs++;
        cut_off(lowest);
        end(lowest);
        bool is_linked = parent->at; /* else somebody else ends it, with all that is below */
        drop_locked(parent);
        lowest = lowest_below(is_linked ? parent : context, cause);
    }
}

/* ---- */

static void drop(gos_context *context)
{
    gos__spin *lock = context->lock;
    gos__spin_lock(lock);
    drop_locked(context);
    gos__spin_unlock(lock);
}

/* Ends it and all below; false: it had a cause already, and that counts. */
static bool cancel(gos_context *context, int cause)
{
    gos__spin *lock = context->lock;
    gos__spin_lock(lock);
    bool first = !context->cause;
    if (first)
        gos__store_release(&context->cause, cause); /* pairs with the acquire in gos__context_cause */
    cause = context->cause;
    cut_off(context);
    end(context);
    end_below(context, cause);
    gos__spin_unlock(lock);
    return first;
}

static void expire(gos__worker *worker, gos__alarm *alarm)
{
    (void)worker;
    if (!gos__timer_fires(alarm))
        return;
    gos_context *context = ((gos_timer *)alarm)->arg;
    cancel(context, -ETIMEDOUT);
    drop(context);
}

/* False: no memory, or no run. */
static bool start_timer(gos_context *context)
{
    context->refs++;
    gos_timer *timer = gos__timer_start(context->deadline, expire, NULL, context);
    if (!timer) {
        context->refs--;
        return false;
    }
    gos__spin_lock(context->lock);
    bool ended = context->ended; /* somebody else's worker was quick */
    if (!ended)
        context->timer = timer;
    gos__spin_unlock(context->lock);
    if (ended)
        gos__timer_free(timer);
    return true;
}

/* A channel that any worker may close without waiting for another. */
static gos_context *allocate(void)
{
    gos_context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->done = gos__chan_new_shared(0, 0);
    if (context->done)
        return context;
    free(context);
    return NULL;
}

gos_context *gos__context_new(gos_context *parent, int64_t deadline)
{
    static uint32_t next;
    fork_prepare();
    gos_context *context = allocate();
    if (!context)
        return NULL;
    context->refs = 1;
    context->runs = gos__load_relaxed(&gos__runs_ended);
    context->lock = parent ? parent->lock : &locks[gos__add_relaxed(&next, 1u) % LOCKS].lock;
    context->deadline = parent && parent->deadline <= deadline ? parent->deadline : deadline;
    int cause = deadline <= gos__own_clock() ? -ETIMEDOUT : 0;
    bool needs_timer = context->deadline != INT64_MAX && !(parent && parent->deadline <= deadline);
    if (needs_timer && !cause && !start_timer(context)) {
        drop(context);
        return NULL;
    }
    if (parent) {
        gos__spin_lock(context->lock);
        if (parent->cause)
            cause = parent->cause;
        else
            link_to(parent, context);
        gos__spin_unlock(context->lock);
    }
    if (cause)
        cancel(context, cause);
    return context;
}

int gos__context_cancel(gos_context *context, int cause)
{
    require_context(context, "gos_context_cancel");
    gos__require(cause < 0, "gos_context_cancel: the cause is %d, not a -errno", cause);
    return cancel(context, cause) ? 0 : -EALREADY;
}

int gos__context_cause(gos_context *context)
{
    require_context(context, "gos_context_cause");
    return gos__load_acquire(&context->cause);
}

gos_chan *gos__context_done(gos_context *context)
{
    require_context(context, "gos_context_done");
    gos__store_relaxed(&context->runs, gos__load_relaxed(&gos__runs_ended));
    return context->done;
}

int64_t gos__context_deadline(gos_context *context)
{
    require_context(context, "gos_context_deadline");
    return context->deadline;
}

void gos__context_free(gos_context *context)
{
    if (!context)
        return;
    cancel(context, -ECANCELED);
    drop(context);
}
