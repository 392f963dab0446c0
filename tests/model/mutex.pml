/*
 * mutex.pml: a mutex that is left to who runs first, and handed over to who has starved (sync/mutex.c, L1-L3, U1-U4),
 * with waits that may end by a deadline (sync/list.h, S1-S2, A1-A3).
 *
 * TASKS tasks lock and unlock it ROUNDS times each; a wait of each of the first TIMED may end at any time, once. Whether
 * one that has waited starves is open at each look. Holds: one at a time has it; it is never set free while somebody
 * starves; whoever waits gets it or runs out of time, and is told once; in the end the word is 0. Stores are seen in their order: all of it is locked instructions and what the spin lock guards.
 *
 * config: -DTASKS=2 -DROUNDS=3 -DTIMED=0
 * config: -DTASKS=3 -DROUNDS=1 -DTIMED=0
 * config: -DTASKS=2 -DROUNDS=2 -DTIMED=1
 * config: -DTASKS=3 -DROUNDS=1 -DTIMED=1
 * mutant: 1 -DTASKS=2 -DROUNDS=2 -DTIMED=0  L2 leaves WOKEN where it finds the mutex locked
 * mutant: 2 -DTASKS=2 -DROUNDS=1 -DTIMED=0  L3 announces itself in two steps
 * mutant: 3 -DTASKS=3 -DROUNDS=1 -DTIMED=0  U1 takes WAITED away although others wait
 * mutant: 4 -DTASKS=3 -DROUNDS=2 -DTIMED=0  U3 does not look for who has begun to starve since U1
 * mutant: 5 -DTASKS=2 -DROUNDS=2 -DTIMED=0  the woken one takes it as anybody does: WOKEN stays
 * mutant: 6 -DTASKS=3 -DROUNDS=1 -DTIMED=1  who runs out of time takes WAITED away although others wait
 * mutant: 7 -DTASKS=2 -DROUNDS=1 -DTIMED=1  U1 does not look whether its heir is out of time
 * mutant: 8 -DTASKS=2 -DROUNDS=2 -DTIMED=1  who runs out of time leaves STARVING
 * mutant: 9 -DTASKS=3 -DROUNDS=2 -DTIMED=0  the quick unlock does not look at STARVING
 */
#define NOBODY 255

mtype = { waits, again, handed, late };

bool locked, waited, woken, starving; /* the word */
bool spin;
byte list[TASKS], n;
bool queued[TASKS], won[TASKS];
mtype told[TASKS] = waits;
byte holders, done;

inline take_spin() { atomic { !spin -> spin = true } }
inline leave_spin() { spin = false }

inline append(who)
{
    list[n] = who; n++; queued[who] = true
}

inline prepend(who)
{
    for (k : 1 .. n) { list[n + 1 - k] = list[n - k] }
    list[0] = who; n++; queued[who] = true; k = 0
}

/* `from`: its place. */
inline take_out(from)
{
    queued[list[from]] = false;
    for (k : from .. n - 1) {
        if
        :: k + 1 < n -> list[k] = list[k + 1]
        :: else -> list[k] = 0
        fi
    }
    n--; k = 0
}

/* A locked instruction that takes it, whatever the other bits are. */
inline lock_at_once()
{
    atomic {
        got = !locked;
        locked = true; /* L1 */
#if MUTANT != 5
        if
        :: been_woken -> /* L2 */
#if MUTANT == 1
            if
            :: got -> woken = false
            :: else
            fi
#else
            woken = false
#endif
        :: else
        fi
#endif
    }
}

/* L3; under the spin lock. */
inline take_or_announce()
{
#if MUTANT == 2
    if
    :: atomic { !locked -> locked = true; got = true }
    :: locked -> waited = true
    fi
#else
    if
    :: atomic { !locked -> locked = true; got = true }
    :: atomic {
            locked -> waited = true;
            if
            :: been_woken -> starving = true
            :: true
            fi
       }
    fi
#endif
}

/* U1 */
inline take_heir()
{
    take_spin();
    d_step {
        heir = NOBODY;
        do
        :: heir == NOBODY && n > 0 ->
            heir = list[0];
            take_out(0); /* S1 */
#if MUTANT != 7
            if
            :: won[heir] -> heir = NOBODY
            :: else -> won[heir] = true /* S2 */
            fi
#endif
        :: else -> break
        od;
        hand = heir != NOBODY && starving
    }
    atomic {
#if MUTANT == 3
        waited = false;
#else
        waited = waited && n > 0;
#endif
        if
        :: n == 0 || heir == NOBODY -> starving = false
        :: else ->
            if
            :: true -> starving = false
            :: true /* the heir has starved: the next ones may have */
            fi
        fi
    }
    leave_spin()
}

inline unlock()
{
    heir = NOBODY;
    hand = false;
    do
    :: hand -> break
    :: else ->
        atomic { saw_waited = waited; saw_woken = woken; saw_starving = starving };
        if
#if MUTANT != 4
        :: heir != NOBODY && saw_starving -> hand = true
#endif
#if MUTANT == 9
        :: heir == NOBODY && saw_waited && !saw_woken -> take_heir()
#else
        :: heir == NOBODY && saw_waited && (!saw_woken || saw_starving) -> take_heir()
#endif
        :: else ->
            atomic { /* U3 */
                if
                :: saw_waited == waited && saw_woken == woken && saw_starving == starving ->
                    assert(locked && !starving);
                    locked = false;
                    woken = woken || heir != NOBODY;
                    break
                :: else
                fi
            }
        fi
    od;
    saw_waited = false; saw_woken = false; saw_starving = false;
    if
    :: heir != NOBODY -> /* U4 */
        atomic {
            assert(told[heir] == waits);
            told[heir] = (hand -> handed : again)
        }
    :: else
    fi;
    heir = 0; hand = false
}

proctype task(byte me)
{
    byte round, heir, k;
    bool got, been_woken, hand, saw_waited, saw_woken, saw_starving;
    do
    :: round < ROUNDS ->
        been_woken = false;
try:
        lock_at_once();
        if
        :: got -> goto have
        :: else
        fi;
        take_spin();
        take_or_announce();
        if
        :: got -> leave_spin(); goto have
        :: else
        fi;
        d_step {
            told[me] = waits;
            won[me] = false;
            if
            :: been_woken -> prepend(me)
            :: else -> append(me)
            fi
        };
        leave_spin();
        told[me] != waits;
        if
        :: told[me] == again -> been_woken = true; goto try
        :: told[me] == handed -> goto have
        :: told[me] == late -> goto next
        fi;
have:
        atomic { assert(holders == 0); holders++; got = false };
        holders--;
        unlock();
next:
        round++
    :: else -> break
    od;
    done++
}

/* Fires once, at any time, while its task waits. */
proctype alarm(byte me)
{
    byte k, at;
    if
    :: atomic { queued[me] && !won[me] -> won[me] = true } /* A1 */
    :: done == TASKS -> goto over
    fi;
    take_spin();
    d_step {
        if
        :: queued[me] ->
            do
            :: list[at] != me -> at++
            :: else -> break
            od;
            take_out(at) /* A2 */
        :: else
        fi;
        at = 0
    }
    atomic {
#if MUTANT == 6
        waited = false; starving = false
#elif MUTANT == 8
        waited = waited && n > 0
#else
        waited = waited && n > 0;
        starving = starving && n > 0
#endif
    }
    leave_spin();
    atomic { assert(told[me] == waits); told[me] = late } /* A3 */
over:
}

init {
    byte i, started;
    atomic {
        for (i : 0 .. TASKS - 1) { run task(i) }
        do
        :: started < TIMED -> run alarm(started); started++
        :: else -> break
        od
    }
    done == TASKS;
    assert(!locked && !waited && !woken && !starving && n == 0)
}
