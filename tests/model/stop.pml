/*
 * stop.pml: the end of a run that does without a thread (sched/stop.c, A1-A4, B1-B5) which has lost its worker (H4 of
 * thread.c) and comes back: R1-R6, and the grant of a worker (G3) meanwhile. lock.pml has the thread with a worker.
 *
 * One thread outside the runtime, the monitor that ends the run, and another thread that may grant it a worker.
 * Holds: who is abandoned uses the run no more, is granted nothing and never leaves it; one that is not leaves.
 * Stores are seen in their order, which a membarrier and compiler fences see to.
 *
 * config: -DATTEMPTS=3
 * mutant: 1 -DATTEMPTS=1  no B1: a thread without a worker counts as outside
 * mutant: 2 -DATTEMPTS=1  A3 does not look at the word again
 * mutant: 3 -DATTEMPTS=1  A1 takes the word from a thread that AWAITS
 * mutant: 4 -DATTEMPTS=1  a thread that leaves counts as outside before its record says so
 * mutant: 5 -DATTEMPTS=2  A1 takes the word for good, with no A2-A4
 */
mtype = { unlocked, lost, awaits, abandoned };

mtype locked = lost;
bool in_runtime, stopping, listed, granting, gone, asleep, done_without;

/* B4 */
inline use() { assert(!done_without) }

inline set_locked(to) { use(); locked = to }

proctype thread()
{
    bool found;
again: /* sched.c:gos__wait_unlocked */
    in_runtime = false;
    if
    :: locked == abandoned -> goto for_ever
    :: locked == unlocked -> in_runtime = true
    :: locked == lost || locked == awaits ->
#if MUTANT != 1
        in_runtime = true; /* B1 */
#endif
        do /* gos__regain */
        :: locked == abandoned || locked == unlocked -> break
        :: locked == lost && stopping -> goto leave
        :: locked == lost && !stopping ->
            if
            :: set_locked(unlocked) /* R3 */
            :: set_locked(awaits); /* R4 */
                use();
                listed = true
            fi
        :: locked == awaits && stopping -> /* R6 */
            use();
            atomic {
                found = listed;
                listed = false;
                if
                :: found -> locked = lost
                :: else
                fi
            }
            if
            :: found -> goto leave
            :: else -> locked != awaits
            fi
        od
    fi;
    if
    :: locked != unlocked -> goto again
    :: else
    fi;
    use(); /* with the worker, O4 */
    in_runtime = false; /* O5, B5: its task */
    in_runtime = true;
    if
    :: locked != unlocked -> goto again
    :: else
    fi;
    use();
    stopping;
    set_locked(lost); /* gos__worker_detach */
leave: /* the end of thread_main */
    use();
#if MUTANT == 4
    in_runtime = false;
#endif
    atomic { use(); gone = true } /* record->left: it is waited for until then */
    goto left_run;
for_ever:
    asleep = true;
    done_without;
left_run:
    skip
}

/* Gives its worker away: G1-G3. */
proctype granter()
{
    if
    :: atomic { listed -> listed = false; granting = true }
        assert(!done_without);
        in_runtime = true;
        locked = unlocked;
        granting = false
    :: stopping
    fi
}

proctype monitor()
{
    mtype before;
    byte attempt;
    stopping = true;
    do
    :: gone -> break
    :: !gone && (attempt < ATTEMPTS || asleep) ->
        attempt = (attempt < ATTEMPTS -> attempt + 1 : ATTEMPTS);
        before = locked;
        if
#if MUTANT != 3
        :: before == awaits -> goto later
#endif
        :: else
        fi;
        atomic { /* A1 */
            if
            :: locked == before && !gone -> locked = abandoned
            :: else -> goto later
            fi
        }
        if
        :: !in_runtime || MUTANT == 5 -> /* A2, A3 */
            if
            :: locked == abandoned || MUTANT == 2 -> done_without = true; break
            :: else
            fi
        :: else ->
            atomic {
                if
                :: locked == abandoned -> locked = before /* A4 */
                :: else
                fi
            }
        fi;
later:  skip
    od
}

init { atomic { run thread(); run granter(); run monitor() } }
