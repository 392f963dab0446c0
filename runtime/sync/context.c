/*
 * context.c: a tree of ends. A context ends once, by a cancel or by its deadline, and all below it with it; what is
 * below an ended one is cut off, so that each may be freed when its owner likes.
 *
 * A tree's links and causes are under one spin lock, which is held for a step at a time: whoever ends a context closes
 * its channel, goes down to one that has no children, lets go of the lock to close that one's channel, cuts it off, and
 * goes on with its parent, up to where it began. What has not ended stays linked. So of several who are at one tree
 * each finds all that is left, and closes also what another is just closing: all below has ended when a call returns,
 * and no thread waits for another, which a child process may not have. Of a chain nobody goes the same way down twice,
 * since one that has been cut off still knows its parent.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "sched/seed.h"
#include "sched/worker.h"
#include "sync/chan.h"
#include "sync/sync.h"

enum { FORESTS = 64 };

/* Somebody who is closing a channel, in its frame. */
typedef struct closing {
    struct closing *next;
    gos_context *context;
} closing;

/* Trees share them. */
typedef struct forest {
    GOS_ALIGNED(GOS_FALSE_SHARING) gos__spin lock;
    gos_context *roots;
    closing *closings;
} forest;

static forest forests[FORESTS];

struct gos_context {
    forest *forest;
    gos_context *next, **at; /* among its siblings, or roots; at: what points to it; NULL: it has been cut off */
    gos_context *parent; /* stays where it is as long as its children: who climbs may come late */
    gos_context *children;
    gos_chan *done;
    gos_timer *timer;
    int64_t deadline;
    int cause;
    uint32_t refs; /* its owner, its timer, its children, who is ending it */
    bool closed;   /* its channel */
};

static void before_fork(void)
{
    for (int i = 0; i < FORESTS; i++)
        gos__spin_lock(&forests[i].lock);
}

static void after_fork(void)
{
    for (int i = 0; i < FORESTS; i++)
        gos__spin_unlock(&forests[i].lock);
}

/* A child process finds whole trees. Who was ending one is not there: that is left for who ends what is above, and
 * finds the channel's lock free. */
static void after_fork_in_child(void)
{
    for (int i = 0; i < FORESTS; i++) {
        for (const closing *it = forests[i].closings; it; it = it->next)
            gos__chan_renew(it->context->done);
        forests[i].closings = NULL;
    }
    after_fork();
}

static void fork_prepare(void)
{
    static uint32_t is_done;
    if (gos__unlikely(!gos__load_relaxed(&is_done)) && !gos__exchange_seq(&is_done, 1u))
        pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void require_context(const gos_context *context, const char *what)
{
    gos__require(context != NULL, "%s: the context is NULL", what);
}

/* ---- under the lock ---- */

static void link_to(gos_context **list, gos_context *context)
{
    context->next = *list;
    context->at = list;
    if (context->next)
        context->next->at = &context->next;
    *list = context;
}

/* False: it has ended. */
static bool link_below(gos_context *parent, gos_context *child)
{
    if (parent->cause)
        return false;
    child->parent = parent;
    parent->refs++;
    link_to(&parent->children, child);
    return true;
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

/* Lets go of the lock to free it, and takes it again; so with those above, whose last child it was. */
static void drop_locked(gos_context *context)
{
    gos__spin *lock = &context->forest->lock;
    while (context && !--context->refs) {
        gos_context *parent = context->parent;
        gos__spin_unlock(lock);
        gos__chan_free(context->done);
        free(context);
        gos__spin_lock(lock);
        context = parent;
    }
}

/* Lets go of the lock for the channel, and takes it again. It is closed then, whoever else is at it. */
static void close_one(gos_context *context)
{
    gos__spin *lock = &context->forest->lock;
    if (context->closed)
        return;
    closing self = { context->forest->closings, context }, **at = &context->forest->closings;
    *at = &self;
    gos_timer *timer = context->timer;
    context->timer = NULL;
    gos__spin_unlock(lock);
    gos__chan_close(context->done);
    bool called_off = timer && gos__timer_call_off(timer);
    gos__timer_free(timer);
    gos__spin_lock(lock);
    while (*at != &self)
        at = &(*at)->next;
    *at = self.next;
    context->closed = true;
    if (called_off)
        context->refs--; /* not the last */
}

/* One that has no children, at or below this one, which has a cause; each on the way has one then, and gets no more
 * children. */
static gos_context *lowest_below(gos_context *context)
{
    while (context->children) {
        int cause = context->cause;
        context = context->children;
        if (!context->cause)
            gos__store_release(&context->cause, cause); /* pairs with the acquire in gos__context_cause */
    }
    return context;
}

/* It has a cause, and its caller a reference. */
static void end(gos_context *context)
{
    close_one(context); /* it hears of it first */
    gos_context *at = context, *lowest = NULL;
    at->refs++;
    while (lowest != context) {
        lowest = lowest_below(at);
        lowest->refs++;
        at->refs--; /* not the last: it is the same, or above */
        close_one(lowest);
        cut_off(lowest);
        at = lowest == context ? NULL : lowest->parent;
        if (at)
            at->refs++;
        drop_locked(lowest);
    }
}

/* ---- */

static void drop(gos_context *context)
{
    gos__spin *lock = &context->forest->lock;
    gos__spin_lock(lock);
    drop_locked(context);
    gos__spin_unlock(lock);
}

/* Ends it and all below; false: it had a cause already, and that counts. All have ended when it returns. */
static bool cancel(gos_context *context, int cause)
{
    gos__spin *lock = &context->forest->lock;
    gos__spin_lock(lock);
    bool first = !context->cause;
    if (first)
        gos__store_release(&context->cause, cause); /* pairs with the acquire in gos__context_cause */
    end(context);
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
    gos__spin_lock(&context->forest->lock);
    bool has_fired = context->cause; /* somebody else's worker was quick */
    if (!has_fired)
        context->timer = timer;
    gos__spin_unlock(&context->forest->lock);
    if (has_fired)
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
    context->forest = parent ? parent->forest : &forests[gos__add_relaxed(&next, 1u) % FORESTS];
    context->deadline = parent && parent->deadline <= deadline ? parent->deadline : deadline;
    int cause = deadline <= gos__own_clock() ? -ETIMEDOUT : 0;
    bool needs_timer = context->deadline != INT64_MAX && !(parent && parent->deadline <= deadline);
    if (needs_timer && !cause && !start_timer(context)) {
        drop(context);
        return NULL;
    }
    gos__spin_lock(&context->forest->lock);
    if (!parent)
        link_to(&context->forest->roots, context);
    else if (!link_below(parent, context))
        cause = parent->cause;
    gos__spin_unlock(&context->forest->lock);
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

/* The one below it, or beside it, or beside the next above that has one there. */
static gos_context *next_linked(const gos_context *context)
{
    if (context->children)
        return context->children;
    while (context && !context->next)
        context = context->parent;
    return context ? context->next : NULL;
}

/* Contexts outlive a run; its tasks do not wait for their ends any more, threads without a task do. */
void gos__contexts_run_ends(void)
{
    for (int i = 0; i < FORESTS; i++) {
        gos__spin_lock(&forests[i].lock);
        while (forests[i].closings) { /* threads that are no workers, and may have tasks in hand; they use the run */
            gos__spin_unlock(&forests[i].lock);
            gos__give_way();
            gos__spin_lock(&forests[i].lock);
        }
        for (gos_context *it = forests[i].roots; it; it = next_linked(it))
            gos__chan_forget_tasks(it->done);
        gos__spin_unlock(&forests[i].lock);
    }
}
