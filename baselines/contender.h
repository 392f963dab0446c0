/*
 * contender.h: the one contract that everything the suite measures fulfils.
 *
 * A unit is one independently running function: a task, a thread, a coroutine or a job of a pool. The harnesses
 * run the same workload over each contender's table and compare `made()` with the number they asked for, so that
 * a contender which quietly does less fails its row.
 *
 * Operations that a contender cannot offer are NULL; `lacks` then says why, in words that go into the results.
 * Everything below run() is called from units only (the first one included), except `made`.
 */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <stddef.h>
#include <stdint.h>

enum { LATCH_BYTES = 48 };

typedef struct contender {
    const char *name;     /* key on the command line and in results, e.g. "pthread" */
    const char *label;    /* as figures print it, e.g. "pthread per task" */
    const char *isolates; /* one line: the single thing this contender varies */
    const char *lacks;    /* why NULL operations are NULL, or NULL */
    int max_threads;      /* 1: single-threaded; 0: any number */

    /* Starts with `threads` OS threads running units (ignored by one-thread-per-unit contenders), runs fn(arg) as
     * the first unit, returns when it has returned and every other unit has ended. 0, or -errno with fn not run:
     * -EBUSY while a run is active, -EINVAL for a number of threads that it cannot have. */
    int (*run)(int threads, void (*fn)(void *), void *arg);

    /* Before run(): units must be able to use `bytes` of stack each. What can grow raises its bound, what cannot
     * makes its stacks that large. NULL: it can do neither. */
    void (*stack_room)(size_t bytes);

    /* Starts a unit. 0, or -errno when a limit is reached; what already runs is unharmed. */
    int (*spawn)(void (*fn)(void *), void *arg);

    /* Lets other runnable units go first. */
    void (*yield)(void);

    /* Gate: closed at first, units wait at it, one opens it for all. new gives NULL without memory. Gates, latches
     * and channels outlive run() until freed; free one when every call on it has returned. */
    void *(*gate_new)(void);
    void (*gate_wait)(void *gate);
    void (*gate_open)(void *gate);
    void (*gate_free)(void *gate);

    /* Latch: wait until done was called n times. May be freed by whoever returned from wait, the only waiter. */
    void *(*latch_new)(long n);
    void (*latch_done)(void *latch);
    void (*latch_wait)(void *latch);
    void (*latch_free)(void *latch);

    /* A latch in LATCH_BYTES of the caller's, aligned as by malloc: nothing is allocated, nothing has to be freed. */
    void (*latch_init)(void *latch, long n);

    /* Channel of 64-bit words; capacity 0 is a rendezvous (a contender whose natural primitive is a condition
     * variable or semaphore hands over one word at a time). send and recv block. A word goes by pointer so that a
     * contender's own call can stand here: on the way back from a switch the return from each wrapper is mispredicted,
     * 5 ns a piece. */
    void *(*chan_new)(size_t capacity);
    void (*chan_send)(void *chan, const void *word);
    void (*chan_recv)(void *chan, void *word);
    void (*chan_free)(void *chan);

    /* Receives from whichever of two channels has a word first. */
    void (*chan_recv_either)(void *one, void *other, void *word);

    /* Mutex: the contender's own call to lock and to unlock. */
    void *(*mutex_new)(void);
    void (*mutex_lock)(void *mutex);
    void (*mutex_unlock)(void *mutex);
    void (*mutex_free)(void *mutex);

    /* Puts a word into a channel that has room, from a thread that is no unit's. */
    void (*post)(void *chan, const void *word);

    /* The contender's own sleep for at least ns; NULL: its units call nanosleep. */
    void (*sleep)(int64_t ns);

    /* A timer, which runs fn(arg) as a unit after ns; NULL: no memory. Freed when it has fired. No such operations: a
     * unit that sleeps stands for a timer. */
    void *(*timer_new)(int64_t ns, void (*fn)(void *), void *arg);
    void (*timer_free)(void *timer);

    /* Hints round a call that blocks. NULL: there are none. */
    void (*block_begin)(void);
    void (*block_end)(void);

    /* Keeps the unit on its thread, which runs nothing else, until it ends. */
    void (*pin)(void);

    /* Waits until what it does by itself about units that have waited for long is done; NULL, or why it did nothing.
     * No such operation: there is nothing to be done. */
    const char *(*settle)(void);

    /* Units of concurrency really made since run() began, the first one included: counted where a unit begins to
     * run, not where it was asked for. Any thread, also after the run. */
    uint64_t (*made)(void);
} contender;

/* The registry: every contender, NULL-terminated (benches/contenders.c). */
extern const contender *const contenders[];

#endif
