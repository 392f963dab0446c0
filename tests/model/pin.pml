/*
 * pin.pml: a task that stays on its thread (sched/pin.c, P1-P5, Q1-Q2, R1-R2; sched.c:gos__next), and the end of a run
 * meanwhile (stop_waiting).
 *
 * The owner runs its pinned task ROUNDS times, which then waits until the waker readies it. WORKERS others run what
 * workers there are beside. With QUITS the owner's worker goes out of use while it waits; with STOPS the run may end at
 * any time. Holds: the task is in one place at a time, is never lost and runs on its thread alone, with a worker; who
 * is granted a worker has none and is still there; no worker is lost; nobody waits for ever. Stores are seen in their
 * order: see lock.pml for that; how workers pass between the others: handoff.pml. The pause of gos__ready_pinned before
 * Q1 only reads and decides nothing: here Q1 may come late as well.
 *
 * config: -DWORKERS=1 -DROUNDS=3 -DQUITS=0 -DSTOPS=0
 * config: -DWORKERS=2 -DROUNDS=3 -DQUITS=1 -DSTOPS=0
 * config: -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=1
 * mutant: 1 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  P3 is a plain store after the last look of P2
 * mutant: 2 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=1  awaits_turn is taken without threads_lock
 * mutant: 3 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  R1 lets go of the own worker before it looks
 * mutant: 4 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  Q1 is a load and a store
 * mutant: 5 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  P5 before P4
 * mutant: 6 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  R1 leaves awaits_turn set
 * mutant: 7 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  R1 does not put the task back
 * mutant: 8 -DWORKERS=2 -DROUNDS=1 -DQUITS=0 -DSTOPS=0  R2 wakes the owner before it writes GOS_UNLOCKED
 * mutant: 9 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=1  at the end of the run the owner leaves without asking awaits_turn
 * mutant: 10 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  the owner's new worker has no `attention`
 * mutant: 11 -DWORKERS=2 -DROUNDS=2 -DQUITS=0 -DSTOPS=0  after R2 the task is put back as well
 */
#define NONE 9
#define OWNER 0
mtype = { nothing, spins, task }; /* turn */
mtype = { unlocked, lost, awaits };

mtype turn = nothing, locked = unlocked; /* the owner's */
bool awaits_turn, futex, threads_lock, has_left, ended, stopping;
bool parked, queued, running; /* the task: in a list, in a queue, on its thread */
byte worker_of[WORKERS + 1] = NONE;
bool attention[WORKERS];
byte in_use = WORKERS;
chan given = [WORKERS] of { byte }; /* workers for whoever has none: see handoff.pml */

#define OVER (ended || stopping)

inline enqueue() { atomic { assert(!queued && !parked && !running && turn != task); queued = true } }

/* Q1 */
inline deliver(done)
{
#if MUTANT != 4
    atomic {
        done = turn == spins;
        if
        :: done -> turn = task
        :: else
        fi
    }
#else
    done = turn == spins;
    if
    :: done -> turn = task
    :: else
    fi
#endif
}

inline lock_threads() { atomic { !threads_lock -> threads_lock = true } }

inline take_awaits_turn(taken)
{
    taken = awaits_turn;
    if
    :: taken ->
#if MUTANT == 6
        if
        :: stopping -> awaits_turn = false
        :: else
        fi
#else
        awaits_turn = false
#endif
    :: else
    fi
}

inline give_away() /* P4 */
{
    atomic { w = worker_of[OWNER]; worker_of[OWNER] = NONE }
    given!w
}

inline await_turn() /* P5 */
{
    futex = false;
    locked = awaits;
    awaits_turn = true
}

proctype owner()
{
    byte round, w;
    bool got;
    for (round : 1 .. ROUNDS) {
        atomic { assert(!queued && !parked && !running && turn != task && worker_of[OWNER] != NONE); running = true }
        atomic { running = false; parked = true };
        /* gos__next: without `attention` it would run other tasks. */
        assert(attention[worker_of[OWNER]]);
        if
        :: atomic { QUITS && in_use > 1 -> in_use--; w = worker_of[OWNER] }; /* gos__retire */
            worker_of[OWNER] = NONE;
            goto no_worker
        :: atomic { queued -> queued = false }; goto go_on /* nobody else wants to run here */
        :: WORKERS > 1 -> /* spin_for_turn */
            turn = spins; /* P1 */
            if
            :: turn == task /* P2 */
            :: true         /* the end of patience */
            fi;
#if MUTANT != 1
            atomic { got = turn == task; turn = nothing } /* P3 */
#else
            got = turn == task;
            turn = nothing;
#endif
            if
            :: got -> goto go_on
            :: else
            fi
        :: true
        fi;
#if MUTANT == 5
        await_turn();
        give_away();
        goto wait;
#else
        give_away();
#endif
no_worker: /* gos__pinned_turn */
        if
        :: stopping -> goto leave
        :: else
        fi;
        await_turn();
wait:   do
        :: locked != awaits -> break
        :: locked == awaits ->
            if
            :: stopping -> /* stop_waiting */
#if MUTANT == 9
                goto leave;
#endif
#if MUTANT != 2
                lock_threads();
#endif
                take_awaits_turn(got);
#if MUTANT != 2
                threads_lock = false;
#endif
                if
                :: got -> locked = lost; goto leave
                :: else -> locked != awaits
                fi
            :: else -> futex || stopping; futex = false /* gos__threads_stop wakes everybody */
            fi
        od;
go_on:  got = false
    }
    ended = true;
leave:
    worker_of[OWNER] = NONE;
    has_left = true
}

proctype waker()
{
    bool done;
    do
    :: OVER -> break
    :: atomic { parked -> parked = false }
        done = false;
        if
        :: deliver(done) /* gos__ready_pinned */
        :: true          /* a foreign thread; the owner's slot is another's */
        fi;
        if
        :: !done -> enqueue() /* Q2 */
        :: else
        fi
    od
}

/* A thread that runs other tasks, and finds this one: gos__pass_to_pinned. */
proctype other(byte t)
{
    byte w;
    bool ready, done;
    do
    :: OVER -> break
    :: atomic { worker_of[t] == NONE && nempty(given) -> given?w; worker_of[t] = w }
    :: atomic { worker_of[t] != NONE && queued -> queued = false; w = worker_of[t] }
#if MUTANT == 3
        worker_of[t] = NONE;
#endif
#if MUTANT != 2
        lock_threads();
#endif
        take_awaits_turn(ready); /* R1 */
        done = false;
        if
        :: !ready -> deliver(done)
        :: else
        fi;
#if MUTANT != 2
        threads_lock = false;
#endif
        if
        :: ready ->
            worker_of[t] = NONE;
            /* R2 */
            atomic { assert(worker_of[OWNER] == NONE && locked == awaits && !has_left); worker_of[OWNER] = w }
#if MUTANT == 10
            attention[w] = false;
#else
            attention[w] = true; /* gos__thread_tie */
#endif
#if MUTANT == 11
            queued = true;
#endif
#if MUTANT == 8
            futex = true;
            locked = unlocked
#else
            locked = unlocked;
            futex = true
#endif
        :: !ready && !done ->
#if MUTANT != 7
            enqueue()
#endif
        :: !ready && done
        fi
    od
}

proctype end_of_run() { stopping = true }

init {
    byte i;
    atomic {
        attention[0] = true;
        for (i : 0 .. WORKERS - 1) { worker_of[i] = i }
        run owner();
        run waker();
        for (i : 1 .. WORKERS) { run other(i) }
        if
        :: STOPS -> run end_of_run()
        :: else
        fi;
        i = 0
    }
}
