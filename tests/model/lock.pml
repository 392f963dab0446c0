/*
 * lock.pml: the biased worker lock (sched/worker.h, O1-O5 and T1-T6; idle.c:gos__worker_lock), and the end of a run
 * that does without a thread (stop.c:abandon).
 *
 * One thread that owns the worker, THIEVES that lock it now and then, and the monitor that may abandon the thread.
 * Holds: one at a time uses the worker and sees all that was done before; who was abandoned uses it no more; everybody
 * gets done.
 *
 * config: -DTHIEVES=2 -DROUNDS=2 -DABANDONS=0
 * config: -DTHIEVES=1 -DROUNDS=2 -DABANDONS=1
 * config: -DTHIEVES=1 -DROUNDS=2 -DABANDONS=0 -DWEAK=1
 * config: -DTHIEVES=1 -DROUNDS=1 -DABANDONS=1 -DWEAK=1
 * mutant: 1 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  no membarrier at T3
 * mutant: 2 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  no compiler fence at O2: the load moves before the store
 * mutant: 3 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  T4 does not wait
 * mutant: 4 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  O3 waits with in_runtime left set, and the thief does not give up
 * mutant: 5 -DTHIEVES=1 -DROUNDS=2 -DABANDONS=0  O3 goes on after its wait without starting again at O1
 * mutant: 6 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  O5 is no release: in_runtime = 0 overtakes the last store of O4
 * mutant: 7 -DTHIEVES=2 -DROUNDS=1 -DABANDONS=0  no T1, and T2 is a plain store: two thieves
 * mutant: 8 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  who gives up at T4 leaves locked = 1
 * mutant: 9 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=1  abandon without a membarrier
 * mutant: 10 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=1  abandon takes the word from a thief (who then cannot give it back)
 * mutant: 11 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  T3 before T2
 * mutant: 12 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0 -DWEAK=1  O5 is a plain store, where the processor does not keep the order
 */
#define CPUS (THIEVES + 2)
#define OWNER 0
#define MONITOR (THIEVES + 1)

/* Shared variables; the last stands for all fields of the worker. */
#define IN_RUNTIME 0
#define LOCKED 1
#define FIELD 2
#define VARS 3
#define DEPTH 3
#include "tso.pml"

#define IS_UNLOCKED 0
#define IS_LOCKED 1
#define IS_ABANDONED 2

bool spin_taken; /* worker->lock */
bool abandoned;
byte users, uses; /* who is at O4 or T5, and how often somebody was */

inline use()
{
    atomic { users++; assert(users == 1); assert(LOAD(FIELD) == uses) }
    atomic { store(FIELD, uses + 1); uses++ }
    users--
}

/* compare-and-swap, a locked instruction */
inline swap(from, to, succeeded)
{
    atomic {
        FENCED;
        succeeded = memory[LOCKED] == from;
        if
        :: succeeded -> memory[LOCKED] = to
        :: else
        fi
    }
}

proctype owner()
{
    byte round, seen;
    byte me = OWNER;
    for (round : 1 .. ROUNDS) {
again:
#if MUTANT == 2
        seen = LOAD(LOCKED);
#endif
        store(IN_RUNTIME, 1); /* O1 */
        /* O2: a compiler fence, nothing to the processor */
#if MUTANT != 2
        seen = LOAD(LOCKED); /* O3 */
#endif
        if
        :: seen ->
#if MUTANT != 4
            store_release(IN_RUNTIME, 0);
#endif
            if
            :: LOAD(LOCKED) == IS_ABANDONED -> goto abandoned_for_good
            :: LOAD(LOCKED) == IS_UNLOCKED
            fi;
#if MUTANT == 5
            store(IN_RUNTIME, 1)
#else
            goto again
#endif
        :: else
        fi;
        assert(!abandoned);
#if MUTANT == 6
        atomic { users++; assert(users == 1); assert(LOAD(FIELD) == uses) }
        users--;
        store(IN_RUNTIME, 0);
        atomic { store(FIELD, uses + 1); uses++ }
#else
        use(); /* O4 */
#if MUTANT == 12
        store(IN_RUNTIME, 0)
#else
        store_release(IN_RUNTIME, 0) /* O5 */
#endif
#endif
    }
abandoned_for_good:
    skip
}

proctype thief(byte me)
{
    byte round, drained, content;
    bool got;
    for (round : 1 .. ROUNDS) {
#if MUTANT != 7
        atomic { FENCED && !spin_taken -> spin_taken = true }; /* T1 */
#endif
#if MUTANT == 11
        membarrier();
#endif
#if MUTANT == 7
        got = true;
        store(LOCKED, IS_LOCKED);
#else
        swap(IS_UNLOCKED, IS_LOCKED, got); /* T2 */
#endif
        if
        :: !got -> goto leave /* abandoned */
        :: else
        fi;
#if MUTANT != 1 && MUTANT != 11
        membarrier(); /* T3 */
#endif
#if MUTANT != 3
        if
        :: memory[IN_RUNTIME] == 0 /* T4 */
#if MUTANT != 4
        :: true -> goto give_up
#endif
        fi;
#endif
        use(); /* T5 */
        swap(IS_LOCKED, IS_UNLOCKED, got); /* T6 */
        goto leave;
give_up:
#if MUTANT != 8
        swap(IS_LOCKED, IS_UNLOCKED, got);
#endif
leave:  atomic { FENCED -> spin_taken = false }
    }
}

/* At the end of a run: stop.c:abandon, again and again while the thread does not leave. */
proctype monitor()
{
    byte me = MONITOR;
    byte before, attempt, drained, content;
    bool got;
    do
    :: attempt < ABANDONS ->
        attempt++;
        before = memory[LOCKED];
#if MUTANT != 10
        if
        :: before == IS_LOCKED -> goto later
        :: else
        fi;
#endif
        swap(before, IS_ABANDONED, got);
        if
        :: !got -> goto later
        :: else
        fi;
#if MUTANT != 9
        membarrier();
#endif
        if
        :: memory[IN_RUNTIME] == 0 -> abandoned = true; break
        :: else -> swap(IS_ABANDONED, before, got)
        fi;
later:  skip
    :: else -> break
    od
}

init {
    byte i;
    atomic {
        for (i : 0 .. CPUS - 1) { run store_buffer(i) }
        run owner();
        for (i : 1 .. THIEVES) { run thief(i) }
        run monitor();
        i = 0
    }
}
