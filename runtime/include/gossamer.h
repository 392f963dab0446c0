/*
 * gossamer.h: tasks on growing stacks, multiplexed onto a few threads.
 *
 * Build:  cc $(pkg-config --cflags gossamer) a.c $(pkg-config --libs gossamer)
 *
 * Every int-returning call gives 0 (or what its line says) or -errno; none sets errno. Misuse that can only be a
 * bug (unlocking an unlocked mutex, a NULL channel) ends the program with one line on standard error.
 * "Parks" means: the calling task waits and its worker runs other tasks meanwhile. Calls that park may be made
 * from tasks only; the line says where a call also serves threads that the runtime did not start.
 * Durations are int64_t nanoseconds on the monotonic clock.
 */
#ifndef GOSSAMER_H
#define GOSSAMER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- run ------------------------------------------------------------------------------------------------- */

/* Starts the workers, runs fn(arg) as the main task and returns its result; other tasks end with it. May be
 * called again afterwards. -EBUSY inside a task or while another run is active; -ENOMEM, -EAGAIN: no memory or
 * threads. */
int gos_run(int (*fn)(void *), void *arg);

/* Starts a task that runs fn(arg); gives no handle. The task may run before this returns. -ENOMEM: at the memory
 * limit (GOS_MAXMEM), everything already started still runs; -EPERM: no runtime is running. Any thread. */
int gos_go(void (*fn)(void *), void *arg);

/* Lets the other runnable tasks of this worker go first. */
void gos_yield(void);

/* Ends the calling task; in the main task, ends it while the others go on. */
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void gos_exit(void);

/* Sets the number of workers if n > 0 (clamped to 1..256), in effect when it returns; returns the former number. */
int gos_procs(int n);

/* Number of live tasks, the main task included; 0 outside a run. May lag by what is in flight. Any thread. */
long gos_ntasks(void);

/* ---- time ------------------------------------------------------------------------------------------------ */

/* Monotonic time in nanoseconds. Any thread. */
int64_t gos_now(void);

/* Parks for at least ns nanoseconds; ns <= 0 is gos_yield. */
void gos_sleep(int64_t ns);

/* ---- channels: fixed-size elements, copied, first in first out -------------------------------------------- */

typedef struct gos_chan gos_chan;

/* A channel of `capacity` elements of elem_size bytes each; capacity 0: a send meets a receive. elem_size 0 is a
 * signal (elem may be NULL). NULL when memory is refused. The caller owns it. Any thread. */
gos_chan *gos_chan_new(size_t elem_size, size_t capacity);

/* Frees it: the caller's word that nobody uses it any more. NULL is ignored. Any thread. */
void gos_chan_free(gos_chan *chan);

/* Copies *elem into the channel; parks while there is no room or receiver. -EPIPE: closed. After 0 the call
 * touches the channel no more. */
int gos_chan_send(gos_chan *chan, const void *elem);

/* Copies the oldest element to *elem; parks while there is none. -EPIPE: closed and drained. */
int gos_chan_recv(gos_chan *chan, void *elem);

/* As above, but -EAGAIN where they would park. Any thread. */
int gos_chan_try_send(gos_chan *chan, const void *elem);
int gos_chan_try_recv(gos_chan *chan, void *elem);

/* No more sends: parked senders get -EPIPE, receivers drain what is left. -EPIPE: already closed. Any thread. */
int gos_chan_close(gos_chan *chan);

/* Elements waiting, and capacity. Any thread. */
size_t gos_chan_len(gos_chan *chan);
size_t gos_chan_cap(gos_chan *chan);

/* ---- synchronisation: plain structs, valid when zero --------------------------------------------------------- */

typedef struct gos_mutex {
    uint32_t gos__word;   /* bit 0: locked, bit 1: the wait list has entries */
    uint32_t gos__spin;   /* guards the wait list */
    void *gos__head, *gos__tail;
} gos_mutex;
#define GOS_MUTEX_INIT { 0, 0, NULL, NULL }

void gos_mutex_lock(gos_mutex *mutex);     /* parks while it is locked */
int gos_mutex_trylock(gos_mutex *mutex);   /* 0, or -EBUSY. Any thread. */
void gos_mutex_unlock(gos_mutex *mutex);   /* by any task; fatal when it is not locked. Any thread. */

typedef struct gos_waitgroup {
    int64_t gos__count;
    uint32_t gos__spin;   /* guards the wait list */
    void *gos__head;
} gos_waitgroup;
#define GOS_WAITGROUP_INIT { 0, 0, NULL }

void gos_waitgroup_add(gos_waitgroup *group, long n);   /* n more to wait for; fatal below zero. Any thread. */
void gos_waitgroup_done(gos_waitgroup *group);          /* add(-1). Any thread. */
void gos_waitgroup_wait(gos_waitgroup *group);          /* parks until the count is 0, then touches it no more */

#ifdef __cplusplus
}
#endif
#endif
