/*
 * gossamer/context.h: what tells a task by a channel that something is over, due, or has happened: ends of whole trees
 * of tasks (cancellation and deadlines), ticks, signals. A task is told; it is never stopped from outside. Each channel
 * here is for gos_select and gos_chan_recv, and is freed with what it belongs to. All calls: any thread, never park.
 */
#ifndef GOSSAMER_CONTEXT_H
#define GOSSAMER_CONTEXT_H

#include <gossamer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- contexts: hand one to every task that works for the same request -------------------------------------- */

typedef struct gos_context gos_context;

/* A context that ends with its parent (NULL: it has none), at `deadline`, a time of gos_now (INT64_MAX: none) in this
 * run, or by gos_context_cancel, whichever comes first. NULL: no memory; or it has a deadline and no runtime is
 * running. The caller owns it. */
gos_context *gos_context_new(gos_context *parent, int64_t deadline);

/* Ends it and all below it; `cause`: a -errno that gos_context_cause then gives. -EALREADY: it had ended; its cause
 * stays. */
int gos_context_cancel(gos_context *context, int cause);

/* 0: it goes on; else why it has ended: -ETIMEDOUT: its deadline, or its parent's; or what it was cancelled with. */
int gos_context_cause(gos_context *context);

/* The channel that is closed when it ends: a receive gives -EPIPE then, and waits before. It carries nothing. Good for
 * this run: ask again in the next one. */
gos_chan *gos_context_done(gos_context *context);

/* The earliest deadline of its own and its parents', for calls that end in _until; INT64_MAX: none. */
int64_t gos_context_deadline(gos_context *context);

/* Cancels it with -ECANCELED, if it has not ended, and frees it: the caller's word that nobody uses it any more.
 * Contexts below it have then ended and are still their owners'. NULL is ignored. */
void gos_context_free(gos_context *context);

/* ---- tickers ---------------------------------------------------------------------------------------------------- */

typedef struct gos_ticker gos_ticker;

/* Sends the time at which it was due, an int64_t, to its channel each `period` nanoseconds (at least 1). Ticks that
 * nobody has received when the next one is due are one. It ends with the run. NULL: no memory, or no runtime is
 * running. The caller owns it. */
gos_ticker *gos_ticker_new(int64_t period);

/* Where the ticks come. */
gos_chan *gos_ticker_chan(gos_ticker *ticker);

/* Stops and frees it, with its channel. NULL is ignored. */
void gos_ticker_free(gos_ticker *ticker);

/* ---- signals ---------------------------------------------------------------------------------------------------- */

/* From now on signal `number`, instead of what it would do, sends that number, an int, to the channel: once however
 * often it came meanwhile, and not at all if the channel is full, so give it room. While no runtime is running, it is
 * kept for the next run. chan NULL: no more, and what the signal did before counts again; then the channel may be
 * freed. -EINVAL: a signal that cannot be caught, or that tells a thread of its own fault. */
int gos_signal_notify(gos_chan *chan, int number);

#ifdef __cplusplus
}
#endif
#endif
