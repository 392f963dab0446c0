/*
 * claim.pml: work on a parked task while nobody runs it (sched/claim.h, R1-R4, C1-C5).
 *
 * One task runs ROUNDS times; in between it parks and is made ready, at any time after. The claimer tries CLAIMS times.
 * While it runs the task does what writes `pinned` plainly: gos_pin and gos_unpin (PINS), it is marked as one that blocks
 * (BLOCKS: handoff.c), or it ends and another begins on the same stack (ENDS). With BACKS a park may be taken back at once (netpoll.c:gos__fd_park_c). Holds: nobody runs
 * the task while the claimer is at its stack; the task is never lost, and the depth of its pins is what it made it.
 *
 * config: -DROUNDS=3 -DCLAIMS=2 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0
 * config: -DROUNDS=2 -DCLAIMS=2 -DPINS=1 -DBLOCKS=0 -DENDS=0 -DBACKS=0
 * config: -DROUNDS=2 -DCLAIMS=2 -DPINS=0 -DBLOCKS=0 -DENDS=1 -DBACKS=1
 * config: -DROUNDS=2 -DCLAIMS=2 -DPINS=1 -DBLOCKS=0 -DENDS=1 -DBACKS=1
 * config: -DROUNDS=3 -DCLAIMS=2 -DPINS=0 -DBLOCKS=1 -DENDS=0 -DBACKS=0
 * config: -DROUNDS=2 -DCLAIMS=2 -DPINS=0 -DBLOCKS=1 -DENDS=0 -DBACKS=1
 * mutant: 1 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  C2 is left out
 * mutant: 2 -DROUNDS=3 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=1 -DBACKS=0  C3 does not look at the bits again
 * mutant: 3 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  R3 is left out
 * mutant: 4 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  R4 is a load and a store
 * mutant: 5 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  C5 takes the bits off without looking
 * mutant: 6 -DROUNDS=2 -DCLAIMS=1 -DPINS=1 -DBLOCKS=0 -DENDS=0 -DBACKS=0  gos_pin and gos_unpin keep the bits
 * mutant: 7 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=1  a park is taken back without a look at the bits
 * mutant: 8 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  C3 before C2
 * mutant: 9 -DROUNDS=3 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=1 -DBACKS=0  C3 looks at the bits before the state
 * mutant: 10 -DROUNDS=2 -DCLAIMS=1 -DPINS=0 -DBLOCKS=0 -DENDS=0 -DBACKS=0  a claim given up at C3 leaves the bits
 * mutant: 11 -DROUNDS=3 -DCLAIMS=2 -DPINS=0 -DBLOCKS=1 -DENDS=0 -DBACKS=0  C5 takes a mark for the bit of who waits
 * mutant: 12 -DROUNDS=3 -DCLAIMS=2 -DPINS=0 -DBLOCKS=1 -DENDS=0 -DBACKS=0  the mark is added to a claim
 */
#define CPUS 2
#define VARS 2
#define DEPTH 3
#define STATE 0
#define PINNED 1
#include "tso.pml"

#define RUNNING 1
#define READY 2
#define PARKED 3
#define CLAIMED 128
#define WANTED 64
#define PIN_DEPTH 63

bool runs, is_worked_on, in_shared; /* runs: somebody is on the task's stack */
bool is_over;

inline pin(by)
{
    depth = LOAD(PINNED);
#if MUTANT != 6
    depth = depth & PIN_DEPTH;
#endif
    store(PINNED, depth + by);
    depth = 0
}

/* The task on its thread, and who makes it ready: on one processor, where nothing but the order of the program helps. */
proctype task(byte me)
{
    byte round, depth, seen;
    for (round : 1 .. ROUNDS) {
        atomic { assert(!is_worked_on); runs = true }
        store(STATE, RUNNING);
        if
        :: PINS -> pin(1); assert((LOAD(PINNED) & PIN_DEPTH) == 1); pin(-1)
        :: BLOCKS ->
#if MUTANT != 12
            store(PINNED, WANTED)
#else
            atomic { FENCED; memory[PINNED] = memory[PINNED] | WANTED }
#endif
        :: ENDS ->
            store(STATE, 0);
            runs = false;
            if
            :: store(PINNED, 0) /* it was pinned */
            :: true
            fi;
            runs = true;
            store(STATE, RUNNING)
        :: true
        fi;
        runs = false;
        store(STATE, PARKED);
        if
        :: BACKS ->
            store(STATE, RUNNING); /* R1 */
#if MUTANT != 7
            !(LOAD(PINNED) & CLAIMED);
#endif
            atomic { assert(!is_worked_on); runs = true }
            runs = false;
            store(STATE, PARKED)
        :: true
        fi;
        store(STATE, READY); /* R1 */
again:  seen = LOAD(PINNED); /* R3 */
        if
#if MUTANT == 3
        :: true
#else
        :: !(seen & CLAIMED)
        :: (seen & CLAIMED) ->
#if MUTANT != 4
            atomic { /* R4 */
                FENCED;
                if
                :: memory[PINNED] == CLAIMED -> memory[PINNED] = CLAIMED + WANTED
                :: else -> seen = 0
                fi
            }
#else
            if
            :: LOAD(PINNED) == CLAIMED -> store(PINNED, CLAIMED + WANTED)
            :: else -> seen = 0
            fi;
#endif
            if
            :: seen -> atomic { in_shared -> in_shared = false }
            :: else
            fi;
            goto again
#endif
        fi;
        seen = 0
    }
    is_over = true
}

inline release() /* C5 */
{
#if MUTANT != 5
    atomic {
        FENCED;
        seen = memory[PINNED];
        memory[PINNED] = seen & PIN_DEPTH;
        if
#if MUTANT != 11
        :: (seen & (CLAIMED + WANTED)) == CLAIMED + WANTED -> assert(!in_shared); in_shared = true
#else
        :: seen & WANTED -> assert(!in_shared); in_shared = true
#endif
        :: else
        fi;
        seen = 0
    }
#else
    store(PINNED, 0)
#endif
}

proctype claimer(byte me)
{
    byte claim, seen, state, bits, drained, content;
    for (claim : 1 .. CLAIMS) {
        atomic { LOAD(STATE) == PARKED || is_over }
        atomic { /* C1 */
            FENCED;
            seen = memory[PINNED];
            if
            :: seen == 0 || seen == WANTED -> memory[PINNED] = CLAIMED; seen = 0
            :: else
            fi
        }
        if
        :: seen == 0 ->
#if MUTANT == 8
            state = LOAD(STATE);
            bits = LOAD(PINNED) & CLAIMED;
#endif
#if MUTANT != 1
            membarrier(); /* C2 */
#endif
#if MUTANT == 9
            bits = LOAD(PINNED) & CLAIMED;
            state = LOAD(STATE);
#elif MUTANT != 8
            state = LOAD(STATE); /* C3 */
            bits = LOAD(PINNED) & CLAIMED;
#endif
#if MUTANT == 2
            bits = CLAIMED;
#endif
            if
            :: state == PARKED && bits ->
                atomic { assert(!runs); is_worked_on = true } /* C4 */
                is_worked_on = false;
                release()
            :: else ->
#if MUTANT != 10
                release()
#else
                skip
#endif
            fi
        :: else
        fi;
        seen = 0; state = 0; bits = 0
    }
}

init {
    atomic {
        run task(0);
        run claimer(1);
        run store_buffer(0);
        run store_buffer(1)
    }
}
