/*
 * handoff.pml: how workers pass between threads (sched/thread.c, handoff.c; sched.c:gos__wait_unlocked; idle.c:doze),
 * and the end of a run. G: give a worker, R: regain one, H: the monitor's hand-off.
 *
 * WORKERS run TASKS, of which YIELDS times one yields or announces that it blocks; the monitor takes a worker from a
 * thread outside the runtime at most HANDOFFS times; there may be THREADS. Holds: one thread at a time uses a worker,
 * the one tied to it, and it does not count as idle meanwhile; every task ends; then every thread leaves. Stores are
 * seen in their order: see lock.pml for that.
 *
 * config: -DWORKERS=1 -DTHREADS=2 -DTASKS=2 -DHANDOFFS=1 -DYIELDS=TASKS
 * config: -DWORKERS=2 -DTHREADS=2 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=TASKS
 * config: -DWORKERS=1 -DTHREADS=3 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=0
 * config: -DWORKERS=2 -DTHREADS=2 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=0 -DTIMERS=1
 * config: -DWORKERS=2 -DTHREADS=2 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=TASKS -DTIMERS=1
 * mutant: 1 -DWORKERS=1 -DTHREADS=2 -DTASKS=2 -DHANDOFFS=1 -DYIELDS=TASKS  G1 without letting go of the worker first
 * mutant: 2 -DWORKERS=2 -DTHREADS=2 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=TASKS  R3: among the spares before GOS_AWAITS
 * mutant: 3 -DWORKERS=1 -DTHREADS=2 -DTASKS=2 -DHANDOFFS=1 -DYIELDS=TASKS  H4 writes GOS_UNLOCKED, as a thief would
 * mutant: 4 -DWORKERS=2 -DTHREADS=3 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=0 -DTIMERS=1  R3: among the spares before its futex
 * mutant: 5 -DWORKERS=2 -DTHREADS=2 -DTASKS=1 -DHANDOFFS=1 -DYIELDS=TASKS -DTIMERS=1  R3 without clearing the idle bit
 */
#define NONE 9
mtype = { unlocked, taken, lost, awaits }; /* taken: GOS_LOCKED */

mtype locked[THREADS] = unlocked;
bool in_runtime[THREADS], futex[THREADS], has_task[THREADS], started[THREADS], has_left[THREADS];
byte worker_of[THREADS] = NONE;

bool spin_taken[WORKERS], dozing[WORKERS], idle[WORKERS], orphan[WORKERS], attention[WORKERS];
byte thread_of[WORKERS] = NONE;
byte first_worker[THREADS] = NONE; /* its record's */
byte users[WORKERS];

chan returning = [THREADS] of { byte };
chan spares = [THREADS] of { byte };
byte queued = TASKS, ended, threads = WORKERS;
byte yields = YIELDS; /* that are still to be made */
#ifndef TIMERS
#define TIMERS 0
#endif
byte timers = TIMERS; /* the same: for which a sleeper wakes by itself */
bool stopping, starting;

#define WORK (queued || stopping || len(returning))

inline use(w) /* O4: only between O3 and O5 */
{
    atomic { users[w]++; assert(users[w] == 1 && thread_of[w] == t && !idle[w]) }
    users[w]--
}

inline tie(w, thread) { worker_of[thread] = w; thread_of[w] = thread }

inline grant(w, thread) /* G2-G4 */
{
    tie(w, thread);
    in_runtime[thread] = true;
    locked[thread] = unlocked;
    futex[thread] = true
}

inline detach(w)
{
    atomic { !spin_taken[w] -> thread_of[w] = NONE }
    atomic { worker_of[t] = NONE; locked[t] = lost }
}

inline take_off(list, found)
{
    atomic {
        if
        :: list??[eval(t)] -> list??eval(t); locked[t] = lost; found = true
        :: !list??[eval(t)] -> found = false
        fi
    }
}

/* G1: whoever waits longest to return, else a spare. */
inline find_heir(w, heir)
{
    atomic {
        heir = NONE;
        if
        :: len(returning) -> returning?heir;
            if
            :: len(returning) -> attention[w] = true
            :: else
            fi
        :: !len(returning) && len(spares) -> spares?heir
        :: !len(returning) && !len(spares)
        fi
    }
}

/* T1-T4; may give up where it would have to wait. */
inline lock_worker(w, got)
{
    got = false;
    if
    :: atomic { !spin_taken[w] -> spin_taken[w] = true }; /* T1 */
        if
        :: thread_of[w] == NONE -> got = true
        :: atomic { thread_of[w] != NONE && locked[thread_of[w]] == unlocked -> locked[thread_of[w]] = taken }; /* T2 */
            if
            :: !in_runtime[thread_of[w]] -> got = true /* T4 */
            :: in_runtime[thread_of[w]] ->
                atomic { locked[thread_of[w]] == taken -> locked[thread_of[w]] = unlocked };
                spin_taken[w] = false
            fi
        :: thread_of[w] != NONE && locked[thread_of[w]] != unlocked -> spin_taken[w] = false
        fi
    :: spin_taken[w]
    fi
}

inline unlock_worker(w)
{
    if
    :: thread_of[w] != NONE && locked[thread_of[w]] == taken -> locked[thread_of[w]] = unlocked
    :: else
    fi;
    spin_taken[w] = false
}

inline pick_idle(w)
{
    atomic {
        w = 0;
        do
        :: w < WORKERS && !idle[w] -> w++
        :: w < WORKERS && idle[w] -> idle[w] = false; break
        :: w == WORKERS -> w = NONE; break
        od
    }
}

inline wake_one(w)
{
    pick_idle(w);
    if
    :: w != NONE ->
        atomic { !spin_taken[w] -> spin_taken[w] = true }
        if
        :: thread_of[w] != NONE -> futex[thread_of[w]] = true
        :: else
        fi;
        spin_taken[w] = false
    :: else
    fi
}

/* Writes to its memory. */
inline wake_sleeper(thread) { atomic { assert(!has_left[thread]); futex[thread] = true } }

inline start_thread(w) /* w NONE: it begins as a spare */
{
    atomic { first_worker[threads] = w; started[threads] = true; threads++ }
}

/* thread.c:gos__worker_grant */
inline worker_grant(w, thread) { atomic { !spin_taken[w] -> grant(w, thread) } }

#define NOT_YET spares??[eval(t)] /* who claims its worker is about to put it there */
#define WITHOUT (locked[t] == lost || locked[t] == awaits)
#define WAKES (futex[t] || monitor_stops) /* gos__threads_stop wakes everybody, again and again */
mtype = { in_main, in_doze, in_door };
bool monitor_stops;

proctype thread(byte t)
{
    byte w, heir;
    bool got;
    mtype after;

    started[t] || monitor_stops;
    if
    :: !started[t] -> goto left_run
    :: else
    fi;
    atomic { in_runtime[t] = true; w = first_worker[t] }
    if
    :: w == NONE -> locked[t] = awaits; spares!t; starting = false; goto no_worker
    :: else
    fi;
    atomic { !spin_taken[w] -> tie(w, t) }
main_loop:
    after = in_main; goto wait_unlocked;
main_unlocked:
    if
    :: locked[t] == unlocked
    :: else -> goto no_worker
    fi;

next: /* sched.c:gos__next */
    w = worker_of[t];
    use(w);
    if
    :: attention[w] ->
        attention[w] = false;
        if
        :: stopping -> goto retire
        :: !stopping && len(returning) -> goto give_worker
        :: else
        fi
    :: !attention[w]
    fi;
    if
    :: atomic { queued -> queued--; has_task[t] = true }; goto resume
    :: !queued
    fi;
    if /* idle.c:gos__find */
    :: stopping -> goto retire
    :: !stopping && len(returning) -> goto give_worker
    :: else
    fi;
    futex[t] = false; /* doze */
    idle[w] = true; /* I1, I2 */
    if
    :: WORK /* I3 */
    :: !WORK ->
        dozing[w] = true;
        in_runtime[t] = false;
        if
        :: WAKES /* I4 */
        :: atomic { timers -> timers-- } /* it was asleep until one of its own is due */
        fi;
        after = in_doze; goto wait_unlocked;
dozed:
        if
        :: WITHOUT || worker_of[t] != w -> goto no_worker
        :: else
        fi
    fi;
    dozing[w] = false;
    idle[w] = false;
    goto next;

give_worker: /* G1 */
    find_heir(w, heir);
    if
    :: heir == NONE -> goto next
    :: else
    fi;
#if MUTANT != 1
    detach(w);
#endif
    worker_grant(w, heir);
    goto no_worker;

resume: /* O5 */
    in_runtime[t] = false;
    in_runtime[t] = true; /* O1 */
    if
    :: locked[t] == unlocked /* O3 */
    :: else -> after = in_door; goto wait_unlocked
    fi;
called: /* O4 */
    w = worker_of[t];
    use(w);
    if
    :: atomic { yields -> yields--; queued++; has_task[t] = false }; wake_one(heir)
    :: atomic { yields -> yields-- }; /* gos_block_begin */
        detach(w);
        find_heir(w, heir);
        if
        :: heir != NONE -> worker_grant(w, heir)
        :: else -> orphan[w] = true
        fi;
        goto resume
    :: !yields ->
        atomic { ended++; has_task[t] = false };
        if
        :: ended == TASKS -> stopping = true; attention[w] = true
        :: else
        fi
    fi;
    heir = 0;
    goto next;

wait_unlocked: /* sched.c:gos__wait_unlocked */
    in_runtime[t] = false;
    if
    :: locked[t] == unlocked
    :: WITHOUT && !has_task[t] -> in_runtime[t] = true; goto unlocked_or_not
    :: WITHOUT && has_task[t] -> in_runtime[t] = true; goto regain
    fi;
regained:
    in_runtime[t] = true;
    if
    :: locked[t] != unlocked -> goto wait_unlocked
    :: else
    fi;
unlocked_or_not:
    if
    :: after == in_main -> goto main_unlocked
    :: after == in_doze -> goto dozed
    :: after == in_door -> goto called
    fi;

regain: /* thread.c:gos__regain */
    futex[t] = false;
    do
    :: !WITHOUT -> goto regained
    :: WITHOUT && stopping && locked[t] == lost -> goto leave
    :: WITHOUT && stopping && locked[t] == awaits -> /* R6 */
        take_off(returning, got);
        if
        :: got -> goto leave
        :: else -> locked[t] != awaits
        fi
    :: locked[t] == awaits && WAKES -> futex[t] = false
    :: locked[t] == lost && !stopping ->
        pick_idle(w); /* R1 */
        if
        :: w == NONE -> goto join
        :: else
        fi;
        lock_worker(w, got); /* R2 */
        if
        :: !got ->
            atomic { !spin_taken[w] -> spin_taken[w] = true }
            if
            :: thread_of[w] != NONE -> futex[thread_of[w]] = true
            :: else
            fi;
            spin_taken[w] = false;
            goto join
        :: got && thread_of[w] != NONE && !dozing[w] -> unlock_worker(w); goto join
        :: else
        fi;
        heir = thread_of[w];
        tie(w, t); /* R3 */
        dozing[w] = false;
#if MUTANT != 5
        idle[w] = false;
#endif
        if
        :: heir != NONE ->
            worker_of[heir] = NONE;
#if MUTANT == 2
            spares!heir;
            locked[heir] = awaits;
            wake_sleeper(heir)
#elif MUTANT == 4
            locked[heir] = awaits;
            spares!heir;
            wake_sleeper(heir)
#else
            locked[heir] = awaits;
            wake_sleeper(heir);
            spares!heir
#endif
        :: else
        fi;
        spin_taken[w] = false;
        heir = 0;
        locked[t] = unlocked;
        goto regained;
join: /* R4 */
        locked[t] = awaits;
        returning!t;
        for (w : 0 .. WORKERS - 1) { attention[w] = true }
        wake_one(w) /* R5 */
    od;

no_worker: /* thread.c:wait_as_spare */
    has_task[t] = false;
    if
    :: stopping -> goto leave
    :: else
    fi;
    do
    :: !WITHOUT -> goto main_loop
    :: WITHOUT && stopping && locked[t] == lost -> goto leave
    :: locked[t] == lost && !stopping ->
        locked[t] = awaits;
        spares!t
    :: locked[t] == awaits && WAKES -> futex[t] = false;
        if
        :: stopping -> goto leave_spares
        :: else
        fi
    :: locked[t] == awaits && threads > WORKERS -> /* no work for long */
leave_spares:
        take_off(spares, got);
        if
        :: got -> goto leave
        :: else -> NOT_YET || locked[t] != awaits
        fi
    od;

leave: /* the end of thread_main */
    has_task[t] = false;
    in_runtime[t] = true;
    if
    :: else
    fi;
    do
    :: locked[t] != awaits -> break
    :: locked[t] == awaits ->
        take_off(spares, got);
        if
        :: !got -> NOT_YET || locked[t] != awaits
        :: else
        fi
    od;
    if
    :: worker_of[t] != NONE ->
        w = worker_of[t];
retire:
        detach(w);
        goto leave
    :: else
    fi;
left_run:
    has_left[t] = true
}

/* monitor.c; H1-H5: handoff.c:gos__hand_off */
proctype monitor()
{
    byte w, heir, blocked, handoffs;
    bool got;
    do
    :: stopping -> break
    :: !stopping ->
        for (w : 0 .. WORKERS - 1) {
            if
            :: orphan[w] && (threads < THREADS || len(spares) || len(returning)) -> /* gos__adopt */
                orphan[w] = false;
                find_heir(w, heir);
                if
                :: heir != NONE -> worker_grant(w, heir)
                :: heir == NONE && threads < THREADS -> start_thread(w)
                :: else -> orphan[w] = true
                fi
            :: handoffs < HANDOFFS && thread_of[w] != NONE && has_task[thread_of[w]] && !in_runtime[thread_of[w]] ->
                if
                :: starting && !len(spares) && !len(returning) -> goto looked
                :: else
                fi;
                lock_worker(w, got); /* H1 */
                if
                :: !got -> goto looked
                :: else
                fi;
                blocked = thread_of[w]; /* H2 */
                if
                :: blocked == NONE || dozing[w] || stopping -> unlock_worker(w); goto looked
                :: else
                fi;
                find_heir(w, heir); /* H3 */
                if
                :: heir != NONE ->
                    handoffs++;
                    worker_of[blocked] = NONE;
#if MUTANT != 3
                    locked[blocked] = lost; /* H4 */
#else
                    locked[blocked] = unlocked;
#endif
                    atomic { grant(w, heir); spin_taken[w] = false } /* H5 */
                    if
                    :: threads < THREADS && !starting && !len(spares) -> starting = true; start_thread(NONE)
                    :: else
                    fi
                :: heir == NONE ->
                    unlock_worker(w);
                    if
                    :: threads < THREADS && !starting -> starting = true; start_thread(NONE)
                    :: else /* it is on its way, or none is to be had */
                    fi
                fi
            :: else
            fi;
looked:     skip
        }
    od;
    for (w : 0 .. WORKERS - 1) { attention[w] = true }
    monitor_stops = true; /* gos__threads_stop */
}

init {
    byte i;
    atomic {
        for (i : 0 .. WORKERS - 1) { first_worker[i] = i; started[i] = true }
        for (i : 0 .. THREADS - 1) { run thread(i) }
        run monitor();
        i = 0
    }
}
