/*
 * sleep.pml: sleeping and waking (sched/worker.h, S1-S4 and I1-I4; idle.c: search, doze, gos__wake_one; sched.c:
 * gos__ready; monitor.c: look_at, sleep_with_workers).
 *
 * Two workers, and a foreign thread that puts FOREIGN tasks into the shared queue. With CHILDREN or LONG the first task
 * is long: it puts CHILDREN tasks into its worker's queue and stays on its worker until some other task has run,
 * which is up to the other worker. Holds: all tasks run. What the steps themselves promise holds without a monitor:
 * a worker does not sleep while a task is in the shared queue and nobody else is up, nor while two are in a queue. For a
 * lone task, a rationed wake-up, and one left out because of a searcher that was about to stop, it takes the monitor.
 *
 * With GATHER the worker of the long task is gathered (gather.c) while it puts its children into its queue, and ends
 * that itself before it goes on. That the monitor may have to is left out: to wake somebody in vain ends nothing.
 *
 * config: -DFOREIGN=2 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0
 * config: -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=0
 * config: -DFOREIGN=1 -DLONG=1 -DCHILDREN=1 -DMONITOR=1 -DGATHER=0
 * config: -DFOREIGN=2 -DLONG=1 -DCHILDREN=0 -DMONITOR=1 -DGATHER=0
 * config: -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=1
 * mutant: 1 -DFOREIGN=1 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0  no membarrier at I2, shared queue
 * mutant: 2 -DFOREIGN=1 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0  no second look at I3
 * mutant: 3 -DFOREIGN=1 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0  the second look before I1
 * mutant: 4 -DFOREIGN=1 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0  a wake-up before S1
 * mutant: 5 -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=0  I3 does not look at the others' queues
 * mutant: 6 -DFOREIGN=1 -DLONG=0 -DCHILDREN=0 -DMONITOR=0 -DGATHER=0  futex = 0 after I3
 * mutant: 7 -DFOREIGN=1 -DLONG=1 -DCHILDREN=1 -DMONITOR=0 -DGATHER=0  no monitor, and a lone task
 * mutant: 8 -DFOREIGN=1 -DLONG=1 -DCHILDREN=1 -DMONITOR=1 -DGATHER=0  the monitor sleeps without looking at idle_n again
 * mutant: 9 -DFOREIGN=1 -DLONG=1 -DCHILDREN=1 -DMONITOR=1 -DGATHER=0  who leaves its sleep does not wake the monitor
 * mutant: 10 -DFOREIGN=1 -DLONG=1 -DCHILDREN=1 -DMONITOR=1 -DGATHER=0  who clears another's bit does not wake the monitor
 * mutant: 11 -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=0  no membarrier at I2, own queue
 * mutant: 12 -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=1  who is gathered no more wakes nobody
 * mutant: 13 -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=1  it looks at idle_n first
 * mutant: 14 -DFOREIGN=1 -DLONG=1 -DCHILDREN=2 -DMONITOR=0 -DGATHER=1  no membarrier at I2, gathered
 */
#define WORKERS 2
#define CPUS (WORKERS + 1 + MONITOR)
#define TASKS (FOREIGN + CHILDREN)

#define QUEUE(worker) worker /* a worker's queue, its length */
#define SHARED WORKERS         /* the shared queue's */
#define RT_LOCK (WORKERS + 1)
#if GATHER
#define GATHERED(worker) (WORKERS + 2 + worker)
#define VARS (2 * WORKERS + 2)
#define IS_GATHERED(worker) LOAD(GATHERED(worker))
#else
#define VARS (WORKERS + 2)
#define IS_GATHERED(worker) 0
#endif
#define DEPTH 3
#include "tso.pml"

#define NOBODY 99

bool idle[WORKERS], futex[WORKERS]; /* written by locked instructions, or followed by a system call */
byte idle_n, searching;
bool monitor_word;
bool inside[WORKERS]; /* in_runtime: no steal from it */
bool stuck[WORKERS];  /* on a long task */
byte ran;
byte long_left = LONG;

#define FINISHED (ran == TASKS)

inline push_shared()
{
    atomic { FENCED && !memory[RT_LOCK] -> memory[RT_LOCK] = 1 }
    store(SHARED, LOAD(SHARED) + 1);
    store(RT_LOCK, 0)
}

inline take_shared(got)
{
    if
    :: LOAD(SHARED) ->
        atomic { FENCED && !memory[RT_LOCK] -> memory[RT_LOCK] = 1 }
        atomic {
            if
            :: LOAD(SHARED) -> got = true; store(SHARED, LOAD(SHARED) - 1)
            :: else
            fi
        }
        store(RT_LOCK, 0)
    :: else
    fi
}

inline wake_monitor()
{
    if
    :: monitor_word -> monitor_word = false
    :: else
    fi
}

/* gos__idle_pick, and waking it. */
inline wake_picked()
{
    pick = 0;
    do
    :: pick == WORKERS -> break
    :: pick < WORKERS && !idle[pick] -> pick++
    :: pick < WORKERS && idle[pick] ->
        atomic {
            FENCED;
            if
            :: idle[pick] -> idle[pick] = false; picked = true
            :: else
            fi
        }
        if
        :: picked ->
            atomic { FENCED -> idle_n-- }
#if MUTANT != 10
            wake_monitor();
#endif
            futex[pick] = true; /* S4 */
            break
        :: !picked -> pick++
        fi
    od;
    pick = 0; picked = false
}

inline wake_one(is_rationed)
{
    if
    :: searching
    :: !searching && is_rationed /* wake_credit is 0 */
    :: !searching -> wake_picked()
    fi
}

/* S1-S4 of a worker: gos__ready. */
inline ready()
{
    atomic { !inside[me] -> inside[me] = true }
    store(QUEUE(me), LOAD(QUEUE(me)) + 1); /* S1 */
    /* S2: a compiler fence */
    if
    :: idle_n && !(IS_GATHERED(me) && !LOAD(SHARED)) ->
        wake_one((LOAD(QUEUE(me)) < 2 && !LOAD(SHARED))) /* S3 */
    :: !idle_n || (IS_GATHERED(me) && !LOAD(SHARED))
    fi;
    inside[me] = false
}

#if GATHER
/* gos__gather_end */
inline end_gather()
{
    atomic { !inside[me] -> inside[me] = true }
#if MUTANT == 13
    seen = idle_n;
    store(GATHERED(me), 0);
#else
    store(GATHERED(me), 0); /* S1 */
    seen = idle_n; /* S3 */
#endif
#if MUTANT != 12
    if
    :: seen && LOAD(QUEUE(me)) > 1 -> wake_one(false)
    :: else
    fi;
#endif
    seen = 0;
    inside[me] = false
}
#endif

/* Half of the other's queue, if it is worth it: see lock.pml for what makes this atomic. */
inline steal(at_least)
{
    atomic {
        if
        :: !got && !inside[1 - me] && !IS_GATHERED(1 - me) &&
            memory[QUEUE(1 - me)] + waiting[AT(1 - me, QUEUE(1 - me))] > 0 ->
            FENCED;
            do
            :: nempty(buffer[1 - me]) -> drain_one(1 - me)
            :: empty(buffer[1 - me]) -> break
            od;
            if
            :: memory[QUEUE(1 - me)] >= at_least ->
                got = true;
                store(QUEUE(me), LOAD(QUEUE(me)) + (memory[QUEUE(1 - me)] + 1) / 2 - 1);
                memory[QUEUE(1 - me)] = memory[QUEUE(1 - me)] / 2
            :: else
            fi
        :: else
        fi
    }
}

inline search()
{
    atomic { FENCED -> searching++ }
    take_shared(got);
    lone = memory[QUEUE(1 - me)] == 1;
    steal(2);
    if
    :: !got -> take_shared(got)
    :: else
    fi;
    steal((lone -> 1 : 2)); /* a lone task that was there before, 3 us ago */
    lone = false;
    atomic { FENCED -> searching--; last = !searching }
    if
    :: last && got && (LOAD(QUEUE(me)) || LOAD(SHARED)) -> wake_one((LOAD(QUEUE(me)) < 2 && !LOAD(SHARED)))
    :: else
    fi;
    last = false
}

inline look_again() /* I3: work_anywhere */
{
    work = LOAD(SHARED) > 0;
#if MUTANT != 5
    work = work || (LOAD(QUEUE(1 - me)) > 1 && !IS_GATHERED(1 - me))
#endif
}

inline doze()
{
#if MUTANT != 6
    futex[me] = false;
#endif
#if MUTANT == 3
    look_again();
#endif
    atomic { FENCED -> idle[me] = true }; /* I1 */
    atomic { FENCED -> idle_n++ };
#if MUTANT != 1 && MUTANT != 11 && MUTANT != 14
    membarrier(); /* I2 */
#endif
#if MUTANT != 2 && MUTANT != 3
    look_again(); /* I3 */
#endif
#if MUTANT == 6
    futex[me] = false;
#endif
    if
    :: work
    :: !work -> futex[me] || FINISHED /* I4 */
    fi;
    work = false;
    atomic {
        FENCED;
        if
        :: idle[me] -> idle[me] = false; work = true
        :: else
        fi
    }
    if
    :: work -> atomic { FENCED -> idle_n-- } work = false
    :: else
    fi;
#if MUTANT != 9
    wake_monitor()
#endif
}

proctype worker(byte me)
{
    byte pick, drained, content, before, seen;
    bool got, picked, work, last, lone;
    do
    :: FINISHED -> break
    :: else ->
        atomic {
            if
            :: LOAD(QUEUE(me)) -> got = true; store(QUEUE(me), LOAD(QUEUE(me)) - 1)
            :: else
            fi
        }
        if
        :: !got -> search()
        :: else
        fi;
        if
        :: atomic { got && long_left -> long_left-- }
#if GATHER
            atomic { FENCED -> memory[GATHERED(me)] = 1 } /* by another worker, which holds this one */
#endif
            do
            :: before < CHILDREN -> ready(); before++
            :: else -> break
            od;
#if GATHER
            end_gather();
#endif
            stuck[me] = true;
            ran > 0; /* outside the runtime all the time */
            stuck[me] = false;
            before = 0;
            atomic { ran++; got = false }
        :: got && !long_left -> atomic { ran++; got = false }
        :: !got -> doze()
        fi
    od
}

proctype foreign(byte me)
{
    byte pick, pushed;
    bool picked;
    for (pushed : 1 .. FOREIGN) {
#if MUTANT == 4
        wake_one(false);
#endif
        push_shared(); /* S1 */
#if MUTANT != 4
        wake_one(false) /* S3 */
#endif
    }
}

#define WAITS(w) (stuck[w] && (memory[QUEUE(w)] || memory[SHARED]))

proctype monitor(byte me)
{
    byte pick;
    bool picked;
    do
    :: FINISHED -> break
    :: idle_n >= WORKERS ->
        atomic { FENCED -> monitor_word = true };
        if
#if MUTANT == 8
        :: true -> !monitor_word || FINISHED
#else
        :: idle_n >= WORKERS -> !monitor_word || FINISHED
        :: else
#endif
        fi;
        monitor_word = false
    :: (WAITS(0) || WAITS(1)) && idle_n && !searching -> wake_one(false)
    od
}

init {
    byte i;
    atomic {
        for (i : 0 .. CPUS - 1) { run store_buffer(i) }
        run worker(0); run worker(1);
        run foreign(WORKERS);
#if MONITOR
        run monitor(WORKERS + 1);
#endif
        i = 0
    }
}
