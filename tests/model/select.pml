/*
 * select.pml: waiting for one of several channels (sync/select.c), beside whoever waits in one of them (sync/chan.c).
 *
 * A selects do {receive from 0, send to 1}, B selects {receive from 1, send to 0}, C selects {send to 0, receive from
 * 0}; each ROUNDS times. SENDERS send to channel 0 and RECEIVERS receive from channel 1, once each; the channels have no
 * buffer. With TIMED the alarm of each select may fire at any time after it has parked. With CLOSES somebody closes
 * channel 0 at any time. With OUTSIDE the selects are of threads without a task, whose block is on their stack.
 * Holds: a select that waits is ended once, by a partner, a close or its alarm; what was sent is received once, and a
 * select that was told of another end has moved nothing; nobody waits for ever; nobody touches a block that was given
 * back, and no waiter of it is left in a channel. Stores are seen in their order: what matters here is what the locks
 * guard and one locked instruction.
 *
 * config: -DA=1 -DB=1 -DROUNDS=2
 * config: -DA=1 -DROUNDS=2 -DSENDERS=1 -DRECEIVERS=1
 * config: -DA=2 -DSENDERS=1 -DRECEIVERS=1
 * config: -DC=2 -DROUNDS=2
 * config: -DA=1 -DB=1 -DTIMED=1
 * config: -DA=1 -DB=1 -DTIMED=1 -DOUTSIDE=1
 * config: -DA=1 -DB=1 -DCLOSES=1
 * config: -DA=2 -DSENDERS=1 -DTIMED=1 -DCLOSES=1
 * mutant: 1 -DA=2 -DSENDERS=1 -DRECEIVERS=1  `won` is a load and a store
 * mutant: 2 -DA=1 -DB=1  locks in the order of the cases
 * mutant: 3 -DA=1 -DROUNDS=2 -DSENDERS=1 -DRECEIVERS=1  not all are locked at once
 * mutant: 4 -DA=1 -DB=1  it parks without a last look
 * mutant: 5 -DA=1 -DROUNDS=2 -DSENDERS=1 -DRECEIVERS=1  other waiters stay where they are
 * mutant: 6 -DA=1 -DROUNDS=2 -DSENDERS=1 -DRECEIVERS=1  take_out looks before it locks
 * mutant: 7 -DA=1 -DROUNDS=2 -DSENDERS=1 -DRECEIVERS=1  who takes a waiter out leaves `queued`
 * mutant: 8 -DA=2 -DB=1 -DSENDERS=1 -DCLOSES=1  who finds one that was won looks no further
 * mutant: 9 -DA=1 -DB=1  unlock_all begins with the first
 * mutant: 10 -DC=1 -DTIMED=1  a channel twice is locked twice
 * mutant: 11 -DA=1 -DB=1 -DTIMED=1  the alarm does not look at `won`
 * mutant: 12 -DA=1 -DB=1 -DTIMED=1 -DOUTSIDE=1  a thread that is late does not look at `won`
 * mutant: 13 -DA=1 -DSENDERS=1 -DOUTSIDE=1  the end is told, then the result written
 * mutant: 14 -DA=1 -DB=1 -DTIMED=1  the alarm leaves the waiters
 * mutant: 15 -DA=1 -DSENDERS=1 -DCLOSES=1  close leaves the selects
 * mutant: 16 -DA=1 -DB=1 -DTIMED=1 -DOUTSIDE=1  who is late and has lost does not wait for the end
 */
#ifndef A
#define A 0
#endif
#ifndef B
#define B 0
#endif
#ifndef C
#define C 0
#endif
#ifndef SENDERS
#define SENDERS 0
#endif
#ifndef RECEIVERS
#define RECEIVERS 0
#endif
#ifndef TIMED
#define TIMED 0
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef OUTSIDE
#define OUTSIDE 0
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define SELECTS (A + B + C)
#define BLOCKS (SELECTS * ROUNDS)
#define PLAIN (2 * BLOCKS) /* from here on a waiter is a task's own; below it is 2 * block + case */
#define ALL (PLAIN + SENDERS + RECEIVERS)
#define NOBODY 255
#define EPIPE 98
#define LATE 99

/* Cases 0 and 1 of a select: `who` < A does {receive 0, send 1}, the next B {receive 1, send 0}, the rest C. */
#define IS_C(who) ((who) >= A + B)
#define CHAN(who, i) (((who) < A) * (i) + ((who) >= A && (who) < A + B) * (1 - (i)))
#define SENDS(who, i) (IS_C(who) == ((i) == 0))
#define OWNER(waiter) ((waiter) / 2 / ROUNDS)
#define VALUE(waiter) ((waiter) + 1)
#define TOUCH(waiter) assert((waiter) >= PLAIN || alive[(waiter) / 2])

bool lock[2], closed;
chan senders0 = [ALL] of { byte };
chan senders1 = [ALL] of { byte };
chan receivers0 = [ALL] of { byte };
chan receivers1 = [ALL] of { byte };
bool alive[BLOCKS + 1], won[BLOCKS + 1], queued[PLAIN + 1];
byte elem[ALL + 1];  /* of who is parked */
byte result[ALL + 1]; /* of a block at 2 * block: 1 + its case; of a task at its waiter */
bool told[ALL + 1];
bool failed[ALL + 1]; /* a case that was done because of a close */
bool seen[ALL + 2];
byte sent, received, done;

inline take_lock(c) { atomic { !lock[c] -> lock[c] = true } }
inline unlock(c) { lock[c] = false }

inline first_of(c, are_senders, waiter)
{
    waiter = NOBODY;
    if
    :: c == 0 && are_senders && len(senders0) > 0 -> senders0?waiter
    :: c == 0 && !are_senders && len(receivers0) > 0 -> receivers0?waiter
    :: c == 1 && are_senders && len(senders1) > 0 -> senders1?waiter
    :: c == 1 && !are_senders && len(receivers1) > 0 -> receivers1?waiter
    :: else
    fi
}

inline append(c, is_sender, waiter)
{
    if
    :: c == 0 && is_sender -> senders0!waiter
    :: c == 0 && !is_sender -> receivers0!waiter
    :: c == 1 && is_sender -> senders1!waiter
    :: c == 1 && !is_sender -> receivers1!waiter
    fi
}

/* Without it there it is a corrupt list. */
inline remove(c, is_sender, waiter)
{
    if
    :: c == 0 && is_sender -> assert(senders0??[eval(waiter)]); senders0??eval(waiter)
    :: c == 0 && !is_sender -> assert(receivers0??[eval(waiter)]); receivers0??eval(waiter)
    :: c == 1 && is_sender -> assert(senders1??[eval(waiter)]); senders1??eval(waiter)
    :: c == 1 && !is_sender -> assert(receivers1??[eval(waiter)]); receivers1??eval(waiter)
    fi
}

/* chan.c:dequeue: `waiter` is who still waits, or NOBODY. The channel is locked. */
inline dequeue(c, are_senders, waiter)
{
    do
    :: atomic {
            first_of(c, are_senders, waiter);
            if
            :: waiter == NOBODY || waiter >= PLAIN -> break
            :: else -> TOUCH(waiter)
#if MUTANT != 7
               ; queued[waiter] = false
#endif
            fi
       };
#if MUTANT == 1
       if
       :: !won[waiter / 2] -> won[waiter / 2] = true; break
       :: else
       fi
#else
       atomic {
            TOUCH(waiter); /* gos__select_win */
            if
            :: !won[waiter / 2] -> won[waiter / 2] = true; break
#if MUTANT == 8
            :: else -> waiter = NOBODY; break
#else
            :: else
#endif
            fi
       }
#endif
    od
}

/* The waiters of the select of `first` but for that of case `but`. */
inline take_out(first, but)
{
    for (i : 0 .. 1) {
        if
        :: i == but
#if MUTANT == 6
        :: i != but && !queued[first + i]
        :: i != but && queued[first + i] ->
#else
        :: i != but ->
#endif
            take_lock(CHAN(OWNER(first), i));
            atomic {
                TOUCH(first);
                if
                :: queued[first + i] ->
                    remove(CHAN(OWNER(first), i), SENDS(OWNER(first), i), first + i);
                    queued[first + i] = false
                :: else
                fi
            };
            unlock(CHAN(OWNER(first), i))
        fi
    }
    i = 0
}

/* chan.c:gos__chan_met, gos__select_end; the channel is not locked any more. */
inline meet(waiter, why)
{
    if
    :: waiter >= PLAIN -> atomic { result[waiter] = why; told[waiter] = true }
    :: else ->
#if MUTANT != 5
        take_out(waiter - waiter % 2, waiter % 2);
#endif
        atomic {
            TOUCH(waiter);
            failed[waiter] = why == EPIPE;
            result[waiter - waiter % 2] = 1 + waiter % 2;
#if MUTANT == 13
        };
        told[waiter - waiter % 2] = true;
        TOUCH(waiter);
        atomic {
#endif
            if
            :: !OUTSIDE -> alive[waiter / 2] = false
            :: else
            fi;
            told[waiter - waiter % 2] = true
        }
    fi
}

/* `mine` sends to or receives from c, which is locked: what chan.c:put and get do. now: 0 if it cannot yet. */
inline try(c, is_sender, mine, met, now)
{
    now = 0; met = NOBODY;
    if
    :: c == 0 && closed -> now = EPIPE
    :: else ->
        dequeue(c, !is_sender, met);
        if
        :: met != NOBODY ->
            now = 1;
            TOUCH(met);
            if
            :: is_sender -> elem[met] = VALUE(mine)
            :: else -> elem[mine] = elem[met]
            fi
        :: else
        fi
    fi
}

/* What has been moved, from the point of view of who moved it. */
inline moved(is_sender, mine)
{
    atomic {
        if
        :: is_sender -> sent++
        :: else ->
            assert(elem[mine] > 0 && !seen[elem[mine]]);
            seen[elem[mine]] = true;
            received++
        fi
    }
}

proctype plain(byte mine, c; bool is_sender)
{
    byte met, now, i;
    take_lock(c);
    try(c, is_sender, mine, met, now);
    if
    :: now ->
        unlock(c);
        if
        :: met != NOBODY -> meet(met, 1)
        :: else
        fi
    :: else ->
        atomic {
            if
            :: is_sender -> elem[mine] = VALUE(mine)
            :: else
            fi;
            append(c, is_sender, mine)
        };
        unlock(c);
        told[mine];
        now = result[mine]
    fi;
    if
    :: now == 1 -> moved(is_sender, mine)
    :: else
    fi;
    done++
}

#define FIRST (2 * (who * ROUNDS + round)) /* of this select's waiters */
#define MINE(k) (FIRST + k)

inline enqueue(k)
{
    atomic {
        TOUCH(FIRST);
        elem[MINE(k)] = SENDS(who, k) * VALUE(MINE(k));
        queued[MINE(k)] = true;
        append(CHAN(who, k), SENDS(who, k), MINE(k))
    }
}

inline lock_all()
{
#if MUTANT == 2 || MUTANT == 10
    take_lock(CHAN(who, 0)); take_lock(CHAN(who, 1));
#else
    if
    :: IS_C(who) -> take_lock(0)
    :: else -> take_lock(0); take_lock(1)
    fi
#endif
}

/* The order in which to go through the channels is in the block. */
inline unlock_all()
{
    TOUCH(FIRST);
    if
    :: IS_C(who) -> unlock(0)
#if MUTANT == 9
    :: else -> unlock(0); TOUCH(FIRST); unlock(1); TOUCH(FIRST)
#else
    :: else -> unlock(1); TOUCH(FIRST); unlock(0)
#endif
    fi
}

/* time_out, await_outside: by the alarm, or by a thread that has waited long enough; `ok`: it ends the select. */
inline time_out()
{
    atomic {
#if MUTANT == 11 || MUTANT == 12
        ok = true;
#else
        ok = !won[FIRST / 2];
#endif
        won[FIRST / 2] = true
    };
    if
    :: ok ->
#if MUTANT != 14
        take_out(FIRST, 2);
#endif
        atomic { TOUCH(FIRST); result[FIRST] = LATE; alive[FIRST / 2] = false; told[FIRST] = true }
    :: else
    fi
}

proctype alarm(byte who, round)
{
    bool ok;
    byte i;
    time_out()
}

proctype selector(byte who)
{
    byte round, k, met, now, i, chosen;
    bool ok;
    for (round : 0 .. ROUNDS - 1) {
        alive[FIRST / 2] = true;
        now = 0;
#if MUTANT == 3
        for (k : 0 .. 1) {
            take_lock(CHAN(who, k));
            try(CHAN(who, k), SENDS(who, k), MINE(k), met, now);
            if
            :: now -> chosen = k; unlock(CHAN(who, k)); break
            :: else -> enqueue(k); unlock(CHAN(who, k))
            fi
        }
#else
        lock_all();
        for (k : 0 .. 1) {
#if MUTANT != 4
            try(CHAN(who, k), SENDS(who, k), MINE(k), met, now);
#endif
            if
            :: now -> chosen = k; break
            :: else
            fi
        }
        if
        :: !now -> enqueue(0); enqueue(1)
        :: else
        fi;
        unlock_all();
#endif
        if
        :: now ->
            if
            :: met != NOBODY -> meet(met, 1)
            :: else
            fi;
            alive[FIRST / 2] = false /* answer */
        :: else ->
            if
            :: TIMED && !OUTSIDE -> run alarm(who, round)
            :: else
            fi;
            if
            :: told[FIRST]
            :: TIMED && OUTSIDE ->
                time_out();
                if
#if MUTANT == 16
                :: true
#else
                :: told[FIRST]
#endif
                fi
            fi;
            alive[FIRST / 2] = false;
            if
            :: result[FIRST] == LATE -> now = LATE
            :: else ->
                assert(result[FIRST]);
                chosen = result[FIRST] - 1;
                now = (failed[MINE(chosen)] -> EPIPE : 1)
            fi
        fi;
        if
        :: now == 1 -> moved(SENDS(who, chosen), MINE(chosen))
        :: else
        fi;
        k = 0; chosen = 0; met = 0
    }
    done++
}

/* gos_chan_close of channel 0 */
proctype closer()
{
    byte waiter, i, n;
    byte those[ALL + 1];
    bool are_senders = false;
    take_lock(0);
    closed = true;
    do
    :: dequeue(0, are_senders, waiter);
       if
#if MUTANT == 15
       :: waiter < PLAIN
       :: waiter >= PLAIN && waiter != NOBODY -> those[n] = waiter; n++
#else
       :: waiter != NOBODY -> those[n] = waiter; n++
#endif
       :: waiter == NOBODY && !are_senders -> are_senders = true
       :: waiter == NOBODY && are_senders -> break
       fi
    od;
    unlock(0);
    do
    :: n > 0 -> n--; waiter = those[n]; those[n] = 0; meet(waiter, EPIPE)
    :: else -> break
    od;
    done++
}

init {
    byte i;
    atomic {
        for (i : 0 .. SELECTS - 1) { run selector(i) }
        i = 0;
        do
        :: i < SENDERS -> run plain(PLAIN + i, 0, true); i++
        :: i >= SENDERS && i < SENDERS + RECEIVERS -> run plain(PLAIN + i, 1, false); i++
        :: else -> break
        od;
        if
        :: CLOSES -> run closer()
        :: else
        fi;
        i = 0
    }
    done == SELECTS + SENDERS + RECEIVERS + CLOSES;
    assert(sent == received);
    assert(len(senders0) + len(receivers0) + len(senders1) + len(receivers1) == 0)
}
