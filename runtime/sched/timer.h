/*
 * timer.h: what a worker's timers are: parked sleepers and alarms. How they are kept in order: due.h.
 *
 * A sleeper cannot be called off. An alarm can, by any thread, without a word from its worker: whoever decides that
 * it shall not fire says so in the alarm's own state (a compare-and-swap that the firing worker must win as well) and
 * gives the alarm back to the worker that owns it. That worker alone touches the heap and frees the memory, so no
 * worker ever waits for another one here.
 */
#ifndef GOS_SCHED_TIMER_H
#define GOS_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/state.h"
#include "base/spin.h"
#include "include/gossamer.h"

typedef struct gos__alarm gos__alarm;

/* The beginning of what an alarm belongs to: a gos_timer, a select. */
struct gos__alarm {
    struct gos__worker *worker; /* its owner, another one when that retires; NULL: the run is over */
    gos__alarm *next, *prev;    /* all that the owner has */
    gos__alarm *link;           /* of those given back, or of the free ones */
    void (*fire)(struct gos__worker *worker, gos__alarm *alarm); /* on the owner, not set any more */
    uint32_t at;                /* where it stands, for due.c; 0: it is not set */
    uint8_t is_block;           /* of GOS_ALARM_BLOCK bytes: kept for the next */
    uint8_t is_held;            /* by the program: outlives the run */
    uint8_t grain;              /* how exact it is: gos__timer_grain */
};

/* A select of four cases. */
#define GOS_ALARM_BLOCK 288

typedef struct gos__timer {
    int64_t when;
    uintptr_t target; /* a task, or with bit 0 set an alarm; bits 1 to 3: the grain */
} gos__timer;

#define GOS_TIMER_IS_ALARM ((uintptr_t)1)
#define GOS_TIMER_GRAIN_SHIFT 1
#define GOS_TIMER_GRAINS 7
#define GOS_TIMER_TARGET (~(uintptr_t)15)

static inline void *gos__timer_target(gos__timer timer)
{
    return (void *)(timer.target & GOS_TIMER_TARGET);
}

/* NULL: it is a sleeper. */
static inline gos__alarm *gos__timer_alarm(gos__timer timer)
{
    return timer.target & GOS_TIMER_IS_ALARM ? gos__timer_target(timer) : NULL;
}

/* Who moves `state` from ARMED to another decides. */
enum gos__timer_state { GOS_TIMER_ARMED, GOS_TIMER_STOPPED, GOS_TIMER_FIRED };

struct gos_timer {
    gos__alarm alarm;
    uint32_t state;
    void (*fn)(void *);
    void *arg;
};

/* Part of a worker; touched by its holder, except for the last two. */
typedef struct gos__timers {
    gos__timer *heap;
    int64_t first;   /* when the next one is due; read by others as well; see gos__timers_init */
    int64_t horizon; /* what is due later is on the wheel */
    uint32_t n, room; /* of the heap; n is 0 only where there is no timer at all */
    uint32_t most;    /* n at which some move to the wheel */
    uint32_t exact;   /* of what came due at the last look, those without a grain; */
    bool late;        /* and whether anything of that is left that is late */
    int64_t spent;    /* by the last searches for work, which found those that have time, and nothing else */
    uint32_t free_n;
    struct gos__wheel *wheel; /* NULL: all are in the heap */
    gos__alarm *all, *free;
    gos__spin lock; /* of `returned` */
    gos__alarm *returned;
} gos__timers;

void gos__timers_init(gos__timers *timers);

/* How many are set. */
uint32_t gos__timers_count(const gos__timers *timers);

/*
 * What sleeps for long may be late: a worker that is asleep lets what comes due within a grain of time wake it once, at
 * the end of the grain. One that is awake does not wait for that, and all fire in the order of their times. For a sleep
 * of `after`: 0: it is exact; else a grain is 2 us times a power of two with this exponent: at most a four-thousandth
 * of the sleep, and 262 us.
 */
uint8_t gos__timer_grain(int64_t after);

/* When the first one is to have fired. */
int64_t gos__timers_first_end(const gos__timers *timers);

/* When a worker that goes to sleep now is to wake for its timers. */
int64_t gos__timers_wake_at(const gos__timers *timers);

/* Readies `task` at `when`; false: no memory. */
bool gos__timer_add(struct gos__worker *worker, int64_t when, uint8_t grain, gos__task *task);

/* Does what is due. The time; 0: there was no timer to look at. */
int64_t gos__timers_run(struct gos__worker *worker);

/* Where in its queue those begin that timers put in front and that have not run, and how many they are. */
uint32_t gos__due_begin(const struct gos__worker *worker, uint32_t *n);

/* Whether an idle worker is to be woken for what has come due: not for a few tasks where those that were woken lately
 * came too late, and not for sleepers with a grain, which have time, while they are not late. */
bool gos__timers_need_help(const struct gos__worker *worker);

/* Takes what is due from `victim`, which is held, for gos__timers_run on the thief, whose thread this is. */
void gos__timers_steal(struct gos__worker *thief, struct gos__worker *victim, int64_t now);

/* `after` nanoseconds from now; INT64_MAX when that is beyond the end of time. */
int64_t gos__deadline(int64_t after);

/* An object of `size` bytes that begins with an alarm, owned by the worker and not set; NULL: no memory. */
gos__alarm *gos__alarm_new(struct gos__worker *worker, size_t size, void (*fire)(struct gos__worker *, gos__alarm *));

/* Lets an alarm that is in no heap fire at `when`; false: no memory. */
bool gos__alarm_set(struct gos__worker *worker, gos__alarm *alarm, int64_t when);

/* Gives an alarm back, set or not, which its `fire` must ignore from now on. Any thread. */
void gos__alarm_return(gos__alarm *alarm);

/* Has this worker anything that somebody must inherit? Moves it to `heir`, on whose thread this runs; the worker has no
 * thread any more. */
bool gos__timers_any(const struct gos__worker *worker);
void gos__timers_hand_on(struct gos__worker *worker, struct gos__worker *heir);

/* The end of a run: frees what the worker has; timers that the program holds are stopped. Under gos__rt_lock. */
void gos__timers_close(struct gos__worker *worker);

/* A timer that fires at `when`, with `arg` in it; NULL: no memory, or no run. Any thread. */
gos_timer *gos__timer_start(int64_t when, void (*fire)(struct gos__worker *, gos__alarm *), void (*fn)(void *),
                            void *arg);

/* In `fire`: whether it is to; it has then. */
static inline bool gos__timer_fires(gos__alarm *alarm)
{
    return gos__cas_acquire(&((gos_timer *)alarm)->state, GOS_TIMER_ARMED, GOS_TIMER_FIRED);
}

/* Whether it has not fired and will not; stops it. False: `fire` is running, or has run. */
bool gos__timer_call_off(gos_timer *timer);

/* Behind the public functions. */
gos_timer *gos__timer_new(int64_t ns, void (*fn)(void *), void *arg);
int gos__timer_stop(gos_timer *timer);
void gos__timer_free(gos_timer *timer);

#endif
