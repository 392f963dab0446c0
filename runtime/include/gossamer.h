/*
 * gossamer.h: tasks on growing stacks, multiplexed onto a few threads.
 *
 * Build:  cc $(pkg-config --cflags gossamer) a.c $(pkg-config --libs gossamer)
 *
 * Every int-returning call gives 0 (or what its line says) or -errno; none sets errno. Misuse that can only be a
 * bug (unlocking an unlocked mutex, a NULL channel) ends the program with one line on standard error.
 * "Parks" means: the calling task waits and its worker runs other tasks meanwhile. All calls but gos_yield, gos_exit,
 * gos_sleep, gos_pin and gos_unpin may also be made by threads that the runtime did not start, during a run or not
 * unless the line says otherwise; what parks a task blocks such a thread.
 * Durations are int64_t nanoseconds on the monotonic clock. A call that ends in _until is the one above it, but gives
 * up at `deadline`, a time of gos_now, with -ETIMEDOUT: at once if that is past. Else 0; -ENOMEM: no memory to wait.
 */
#ifndef GOSSAMER_H
#define GOSSAMER_H

#include <stddef.h>
#include <stdint.h>

/* Of this header. Programs keep working with libraries of the same first number. */
#define GOS_VERSION_MAJOR 0
#define GOS_VERSION_MINOR 1
#define GOS_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* ---- run ------------------------------------------------------------------------------------------------- */

/* Starts the workers, runs fn(arg) as the main task and returns its result; other tasks end with it, and what they
 * were parked in (channels, locks) is then good only for being freed. May be called again afterwards. -EBUSY inside
 * a task or while another run is active; -ENOMEM, -EAGAIN: no memory or threads. */
int gos_run(int (*fn)(void *), void *arg);

/* Starts a task that runs fn(arg); gives no handle. The task may run before this returns. -ENOMEM: at the memory
 * limit (GOS_MAXMEM), everything already started still runs; -EPERM: no runtime is running. */
int gos_go(void (*fn)(void *), void *arg);

/* Lets the other runnable tasks of this worker go first. */
void gos_yield(void);

/* Ends the calling task; in the main task, ends it while the others go on: gos_run does not return then, and the
 * program ends with status 2 when no task is left. Fatal in a function of gos_once_do or gossamer/group.h, which others
 * wait for. */
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void gos_exit(void);

/* Sets the number of workers if n > 0 (at most 256 and GOS_MAXTHREADS), in effect when it returns: it parks until then,
 * also for tasks in system calls or loops on a worker that goes. Fewer, with one line on standard error, if the
 * system refuses a thread or memory. Returns the former number. One worker is no lock: a task whose call blocked may
 * run beside the others for a moment before it has a worker again. */
int gos_procs(int n);

/* Number of live tasks, the main task included; 0 outside a run. May lag by what is in flight. */
long gos_ntasks(void);

/* ---- time ------------------------------------------------------------------------------------------------ */

/* Monotonic time in nanoseconds. */
int64_t gos_now(void);

/* Parks for at least ns nanoseconds; ns <= 0 is gos_yield. */
void gos_sleep(int64_t ns);

typedef struct gos_timer gos_timer;

/* Starts a task that runs fn(arg) in ns nanoseconds. NULL: no memory, or no runtime is running. */
gos_timer *gos_timer_new(int64_t ns, void (*fn)(void *), void *arg);

/* 0: fn will not run; -EALREADY: its task has been started, or the timer was stopped before. */
int gos_timer_stop(gos_timer *timer);

/* Stops it and frees it; also after the run. NULL is ignored. */
void gos_timer_free(gos_timer *timer);

/* ---- channels: fixed-size elements, copied, first in first out -------------------------------------------- */

typedef struct gos_chan gos_chan;

/* A channel of `capacity` elements of elem_size bytes each; capacity 0: a send meets a receive. elem_size 0 is a
 * signal (elem may be NULL). NULL when memory is refused. The caller owns it. */
gos_chan *gos_chan_new(size_t elem_size, size_t capacity);

/* Frees it: the caller's word that nobody uses it any more. NULL is ignored. */
void gos_chan_free(gos_chan *chan);

/* Copies *elem into the channel; parks while there is no room or receiver. -EPIPE: closed. After 0 the call
 * touches the channel no more. */
int gos_chan_send(gos_chan *chan, const void *elem);
int gos_chan_send_until(gos_chan *chan, const void *elem, int64_t deadline);

/* Copies the oldest element to *elem; parks while there is none. -EPIPE: closed and drained. */
int gos_chan_recv(gos_chan *chan, void *elem);
int gos_chan_recv_until(gos_chan *chan, void *elem, int64_t deadline);

/* As above, but -EAGAIN where they would park. */
int gos_chan_try_send(gos_chan *chan, const void *elem);
int gos_chan_try_recv(gos_chan *chan, void *elem);

/* No more sends: parked senders get -EPIPE, receivers drain what is left. -EPIPE: already closed. */
int gos_chan_close(gos_chan *chan);

/* Elements waiting, and capacity. */
size_t gos_chan_len(gos_chan *chan);
size_t gos_chan_cap(gos_chan *chan);

typedef struct gos_case {
    gos_chan *chan; /* NULL: never ready */
    int op;         /* GOS_SEND or GOS_RECV */
    void *elem;     /* to send from, or to receive into */
    int result;     /* of the chosen case: 0, or -EPIPE: closed */
} gos_case;
enum { GOS_SEND, GOS_RECV };

/* Does exactly one of n operations, at random among those that are ready, and returns its index. Parks while none
 * is: at most timeout_ns, then -ETIMEDOUT; not at all if that is 0: -EAGAIN; for ever if it is below 0. -EINVAL:
 * n > 65536; -ENOMEM. */
int gos_select(gos_case *cases, size_t n, int64_t timeout_ns);

/* ---- synchronisation: plain structs, valid when zero --------------------------------------------------------- */

/* Who waits in one of them; guarded by its gos__spin. */
typedef struct gos__list {
    struct gos__waiter *gos__first, *gos__last;
} gos__list;

typedef struct gos_mutex {
    uint32_t gos__word;   /* bit 0: locked; others: somebody waits */
    uint32_t gos__spin;
    gos__list gos__waiters;
} gos_mutex;
#define GOS_MUTEX_INIT { 0, 0, { NULL, NULL } }

void gos_mutex_lock(gos_mutex *mutex);     /* parks while it is locked; who has waited 1 ms gets it in turn */
int gos_mutex_lock_until(gos_mutex *mutex, int64_t deadline);
int gos_mutex_trylock(gos_mutex *mutex);   /* 0, or -EBUSY */
void gos_mutex_unlock(gos_mutex *mutex);   /* by any task; fatal when it is not locked */

typedef struct gos_rwmutex {
    int32_t gos__held;    /* by so many readers; -1: by a writer */
    uint32_t gos__spin;
    gos__list gos__waiters;
} gos_rwmutex;
#define GOS_RWMUTEX_INIT { 0, 0, { NULL, NULL } }

void gos_rwmutex_rlock(gos_rwmutex *mutex);     /* parks while a writer has it or waits, so do not nest it */
int gos_rwmutex_rlock_until(gos_rwmutex *mutex, int64_t deadline);
int gos_rwmutex_tryrlock(gos_rwmutex *mutex);   /* 0, or -EBUSY */
void gos_rwmutex_runlock(gos_rwmutex *mutex);   /* fatal when no reader has it */
void gos_rwmutex_lock(gos_rwmutex *mutex);      /* for writing: parks while anybody has it; first come, first served */
int gos_rwmutex_lock_until(gos_rwmutex *mutex, int64_t deadline);
int gos_rwmutex_trylock(gos_rwmutex *mutex);    /* 0, or -EBUSY */
void gos_rwmutex_unlock(gos_rwmutex *mutex);    /* fatal when no writer has it */

typedef struct gos_cond {
    uint32_t gos__spin;
    gos__list gos__waiters;
} gos_cond;
#define GOS_COND_INIT { 0, { NULL, NULL } }

void gos_cond_wait(gos_cond *cond, gos_mutex *mutex);   /* unlocks, parks until signalled (never without), locks */
int gos_cond_wait_until(gos_cond *cond, gos_mutex *mutex, int64_t deadline); /* locks whatever it returns */
void gos_cond_signal(gos_cond *cond);                   /* for who waits longest, if anybody does */
void gos_cond_broadcast(gos_cond *cond);                /* for all that wait */

typedef struct gos_sem {
    int64_t gos__count;
    uint32_t gos__spin;
    gos__list gos__waiters;
} gos_sem;
#define GOS_SEM_INIT(n) { (n), 0, { NULL, NULL } }

void gos_sem_acquire(gos_sem *sem, long n);      /* takes n units; parks until they are there and it is its turn */
int gos_sem_acquire_until(gos_sem *sem, long n, int64_t deadline);
int gos_sem_tryacquire(gos_sem *sem, long n);    /* 0, or -EAGAIN: too few, or others wait */
void gos_sem_release(gos_sem *sem, long n);      /* gives n units; they need not have been taken */

typedef struct gos_waitgroup {
    int64_t gos__count;
    uint32_t gos__spin;
    gos__list gos__waiters;
} gos_waitgroup;
#define GOS_WAITGROUP_INIT { 0, 0, { NULL, NULL } }

void gos_waitgroup_add(gos_waitgroup *group, long n);   /* n more to wait for; fatal below zero */
void gos_waitgroup_done(gos_waitgroup *group);          /* add(-1) */
void gos_waitgroup_wait(gos_waitgroup *group);          /* parks until the count is 0, then touches it no more */
int gos_waitgroup_wait_until(gos_waitgroup *group, int64_t deadline);

typedef struct gos_once {
    uint32_t gos__state;
    uint32_t gos__spin;
    void *gos__runner;
    gos__list gos__waiters;
} gos_once;
#define GOS_ONCE_INIT { 0, 0, NULL, { NULL, NULL } }

/* The first call runs fn(arg), on its own stack; the others park until it has returned. Returns when fn has run. */
void gos_once_do(gos_once *once, void (*fn)(void *), void *arg);
int gos_once_do_until(gos_once *once, void (*fn)(void *), void *arg, int64_t deadline); /* -ETIMEDOUT: it still runs */

/* ---- special tasks ---------------------------------------------------------------------------------------------- */

/* From here on the calling task runs on its present thread only, and nothing else does; until as many gos_unpin. A
 * thread whose task ends pinned ends with it. Each wait then costs two changes of thread. */
void gos_pin(void);
void gos_unpin(void);

/* Optional hints round a call known to block: the other tasks of this thread move elsewhere at once, rather than when
 * the runtime has noticed. Between the two no other call of this header. */
void gos_block_begin(void);
void gos_block_end(void);

/* ---- operators -------------------------------------------------------------------------------------------------- */

/* Writes what every task is doing to a file descriptor, alike ones as one line. */
void gos_dump(int fd);

enum { GOS_STATS_WAITS = 40 };

typedef struct gos_stats {
    int64_t tasks_started, tasks_live;
    int64_t workers, threads, threads_peak;
    int64_t steals, tasks_stolen, wakeups;   /* of idle workers */
    int64_t handoffs;                        /* workers taken from blocked threads */
    int64_t abandoned;                       /* threads that the end of the run does not wait for */
    int64_t region_borrows, large_borrows;   /* deep regions taken on the slow path, and the large ones of them */
    int64_t limit_extensions;                /* limits lowered in place on a deep region */
    int64_t larger_nurseries;                /* started on, since earlier tasks of the function parked deep */
    int64_t sizes_raised, sizes_lowered;     /* how often a function's size changed */
    int64_t stack_bytes;                     /* of address space handed out to stacks and regions so far */
    int64_t cold_pages, cold_bytes;          /* GOS_DEBUG=cold: pages of parked tasks packed away now, and in so many */
    int64_t cold_packed, cold_put_back;      /* pages so far, since they were cold, or touched again */
    int64_t waits[GOS_STATS_WAITS];          /* i: tasks that ran 2^i to 2^(i+1) ns after they were ready: a sample */
} gos_stats;

/* Counters of the run so far; each is exact once its cause is at rest. -EPERM: no runtime is running. */
int gos_stats_read(gos_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
