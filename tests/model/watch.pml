/*
 * watch.pml: pinned tasks that watch a channel before they park in it (sync/watch.c, M1-M5, N1-N3), and who closes or
 * frees it meanwhile.
 *
 * SENDERS send ROUNDS elements each and RECEIVERS receive as many each, over a channel with a buffer for CAPACITY; the
 * first PINNED of either kind watch, if they may. With CLOSES somebody closes the channel at any time; with FREES whose
 * call is done first may free it at once (one element then, and no buffer). Holds: what was sent is received once, by
 * each receiver in the order in which one sender sent it, and nothing else is; who watches is served before nobody that
 * came first, and not after a close; who is told that the channel is closed has sent and received nothing; nobody waits
 * for ever; nobody touches it when it is freed. Stores are seen in their order: the locked instructions are what
 * matters here.
 *
 * config: -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=3 -DCLOSES=0 -DFREES=0
 * config: -DSENDERS=2 -DRECEIVERS=1 -DPINNED=2 -DROUNDS=1 -DCLOSES=1 -DFREES=0
 * config: -DSENDERS=1 -DRECEIVERS=2 -DPINNED=1 -DROUNDS=2 -DCLOSES=0 -DFREES=0
 * config: -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=2 -DCLOSES=1 -DFREES=0
 * config: -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=1
 * config: -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=3 -DCLOSES=1 -DFREES=0 -DCAPACITY=1
 * config: -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=4 -DCLOSES=0 -DFREES=0 -DCAPACITY=2
 * config: -DSENDERS=2 -DRECEIVERS=1 -DPINNED=2 -DROUNDS=1 -DCLOSES=1 -DFREES=0 -DCAPACITY=1
 * mutant: 1 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  N1 looks at the state twice
 * mutant: 2 -DSENDERS=2 -DRECEIVERS=2 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  N1 is a load and a store
 * mutant: 3 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  N1 does not look at the lock
 * mutant: 4 -DSENDERS=2 -DRECEIVERS=2 -DPINNED=1 -DROUNDS=2 -DCLOSES=0 -DFREES=0  N1 compares the state, not the word
 * mutant: 5 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  M4 does not look again
 * mutant: 6 -DSENDERS=2 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=1 -DFREES=0  N2 does not claim
 * mutant: 7 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=1  N3: SERVED before the unlock
 * mutant: 8 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=1  gos_chan_free does not wait
 * mutant: 9 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=1  M3: watch = 0, then the word
 * mutant: 10 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=1 -DFREES=0  close forgets who watches
 * mutant: 11 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=1  M5 takes a claim for an answer
 * mutant: 12 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  M1 reads the lists early
 * mutant: 13 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=0 -DFREES=0  M1 takes no lock
 * mutant: 14 -DSENDERS=2 -DRECEIVERS=1 -DPINNED=2 -DROUNDS=1 -DCLOSES=0 -DFREES=0  M1 does not look at the state
 * mutant: 15 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=2 -DCLOSES=0 -DFREES=0 -DCAPACITY=1  M1 reads the ring early
 * mutant: 16 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=1 -DCLOSES=1 -DFREES=0  M1 reads early whether it is open
 * mutant: 17 -DSENDERS=1 -DRECEIVERS=1 -DPINNED=1 -DROUNDS=2 -DCLOSES=0 -DFREES=0 -DCAPACITY=1  M1 and M2 are one CAS
 */
#define TASKS (SENDERS + RECEIVERS)
#define EPIPE 99
#define ELEMENTS (SENDERS * ROUNDS)
#ifndef CAPACITY
#define CAPACITY 0
#endif

mtype = { nobody, claimed, watched, offered, served, shut };

mtype state = nobody; /* `watch` is this and whose it is */
byte whose, word;
bool lock, closed, freed;
chan ring = [CAPACITY + 1] of { byte };
chan receivers = [TASKS] of { byte };
chan senders = [TASKS] of { byte };
byte elem[TASKS];  /* of who is parked */
byte answer[TASKS]; /* its result; 0: parked */
byte seen[ELEMENTS + 1];
byte sent, received, done;

#define TOUCH assert(!freed)
#define HAS_LISTS (len(senders) + len(receivers) > 0)
#define IS_QUIET (!HAS_LISTS && len(ring) == 0 && !closed)

inline take_lock() { atomic { TOUCH; !lock -> lock = true } }
inline unlock() { atomic { TOUCH; lock = false } }

/* N1: `with` waits; `value` is put or taken. */
inline serve(with, value)
{
    atomic { TOUCH; saw = state; whom = whose }
    ok = false;
    if
    :: saw == with ->
        atomic { TOUCH; before = word };
#if MUTANT == 1
        atomic { TOUCH; saw = state; whom = whose };
#endif
#if MUTANT == 2
        ok = !lock && state == saw && whose == whom && word == before;
#endif
        atomic {
            TOUCH;
#if MUTANT == 1
            ok = !lock && state == saw && whose == whom && word == before;
#elif MUTANT == 3
            ok = state == saw && whose == whom && word == before;
#elif MUTANT == 4
            ok = !lock && state == saw && whose == whom;
#elif MUTANT != 2
            ok = !lock && state == saw && whose == whom && word == before;
#endif
            if
            :: ok ->
                state = served;
                assert(!closed && len(ring) == 0);
                if
                :: with == watched -> assert(len(senders) == 0); word = value
                :: else -> assert(len(receivers) == 0); value = before
                fi
            :: else
            fi
        }
    :: else
    fi;
    before = 0; whom = 0; saw = nobody
}

/* N2, N3; locked. */
inline serve_locked(with, value)
{
    if
    :: with == watched -> word = value
    :: else -> value = word
    fi;
#if MUTANT != 6
    state = claimed;
#endif
#if MUTANT == 7
    state = served;
    unlock()
#else
    unlock();
    atomic { TOUCH; state = served }
#endif
}

/* Goes on at `told` when it was answered, with ok when it is to park, holding the lock, and else without: it is for who
 * holds the lock to say. */
inline watch(list, as, value)
{
    ok = false;
    atomic { TOUCH; may = me_pinned && state == nobody && IS_QUIET && (as == watched || CAPACITY == 0) };
    if
    :: may ->
#if MUTANT == 13
        may = state == nobody && IS_QUIET;
#elif MUTANT == 17
        atomic {
            may = !lock && state == nobody;
            if
            :: may -> state = as; whose = me; word = value
            :: else
            fi
        };
        if
        :: may && !IS_QUIET ->
            take_lock();
            if
            :: state == as && whose == me -> state = nobody; may = false
            :: else
            fi;
            unlock()
        :: else
        fi;
#else
        take_lock(); /* M1 */
#if MUTANT == 12
        may = state == nobody && len(ring) == 0 && !closed;
#elif MUTANT == 14
        may = IS_QUIET;
#elif MUTANT == 15
        may = state == nobody && !HAS_LISTS && !closed;
#elif MUTANT == 16
        may = state == nobody && !HAS_LISTS && len(ring) == 0;
#else
        may = state == nobody && IS_QUIET;
#endif
#endif
#if MUTANT != 17
        if
        :: may ->
            word = value; /* M2 */
            atomic { state = as; whose = me }
        :: else
        fi;
#endif
#if MUTANT != 13 && MUTANT != 17
        unlock()
#endif
    :: else
    fi;
    if
    :: may ->
        if
        :: atomic { state != as || whose != me -> skip } /* M3 */
        :: true -> /* the end of patience */
            take_lock(); /* M4 */
            if
#if MUTANT == 5
            :: true ->
#else
            :: state == as && whose == me ->
#endif
                state = nobody;
                may = false;
                ok = true
            :: else -> unlock()
            fi
        fi
    :: else
    fi;
    if
    :: may ->
#if MUTANT == 11
        TOUCH;
#else
        atomic { state == served || state == shut -> TOUCH }; /* M5 */
#endif
        if
        :: state == shut -> result = EPIPE
        :: else -> result = 1
        fi;
#if MUTANT == 9
        state = nobody;
        atomic { TOUCH; value = word };
#else
        value = word;
        state = nobody;
#endif
        goto told
    :: else
    fi
}

inline park(list, value)
{
    answer[me] = 0;
    elem[me] = value;
    list!me;
    unlock()
}

inline note_end()
{
    atomic {
        done++;
        if
        :: FREES && !freed -> goto frees
        :: true
        fi
    }
}

/* gos_chan_free */
inline free_it()
{
    atomic {
        if
        :: !freed ->
#if MUTANT != 8
            state == nobody;
#endif
            freed = true
        :: else
        fi
    }
}

proctype sender(byte me; bool me_pinned)
{
    byte round, value, before, whom, result, partner;
    mtype saw = nobody;
    bool ok, may;
    for (round : 1 .. ROUNDS) {
        value = me * ROUNDS + round;
        serve(watched, value);
        if
        :: ok -> result = 1
        :: else ->
            watch(senders, offered, value);
            if
            :: ok -> goto parks
            :: else
            fi;
            take_lock();
            if
            :: closed -> unlock(); result = EPIPE
            :: !closed && state == watched -> serve_locked(watched, value); result = 1
            :: !closed && state != watched && nempty(receivers) ->
                receivers?partner;
                elem[partner] = value;
                unlock();
                answer[partner] = 1;
                result = 1
            :: !closed && state != watched && empty(receivers) && len(ring) < CAPACITY ->
                ring!value;
                unlock();
                result = 1
            :: !closed && state != watched && empty(receivers) && len(ring) >= CAPACITY ->
parks:          park(senders, value);
                answer[me] != 0;
                result = answer[me]
            fi
        fi;
told:   if
        :: result == EPIPE -> break
        :: else -> sent++
        fi
    }
    note_end();
    goto end;
frees:
    free_it();
end: skip
}

proctype receiver(byte me; bool me_pinned)
{
    byte round, value, before, whom, result, partner;
    mtype saw = nobody;
    bool ok, may;
    byte newest[SENDERS];
    for (round : 1 .. ELEMENTS / RECEIVERS) {
        value = 0;
        serve(offered, value);
        if
        :: ok -> result = 1
        :: else ->
            watch(receivers, watched, value);
            if
            :: ok -> goto parks
            :: else
            fi;
            take_lock();
            if
            :: state == offered -> serve_locked(offered, value); result = 1
            :: state != offered && nempty(ring) ->
                ring?value;
                if
                :: nempty(senders) ->
                    senders?partner;
                    ring!elem[partner];
                    unlock();
                    answer[partner] = 1
                :: empty(senders) -> unlock()
                fi;
                result = 1
            :: state != offered && empty(ring) && nempty(senders) ->
                senders?partner;
                value = elem[partner];
                unlock();
                answer[partner] = 1;
                result = 1
            :: state != offered && empty(ring) && empty(senders) && closed -> unlock(); result = EPIPE
            :: state != offered && empty(ring) && empty(senders) && !closed ->
parks:          park(receivers, value);
                answer[me] != 0;
                result = answer[me];
                value = elem[me]
            fi
        fi;
told:   if
        :: result == EPIPE -> break
        :: else ->
            assert(value > 0 && value <= ELEMENTS && !seen[value]);
            assert(value > newest[(value - 1) / ROUNDS]);
            newest[(value - 1) / ROUNDS] = value;
            seen[value] = 1;
            received++
        fi
    }
    note_end();
    goto end;
frees:
    free_it();
end: skip
}

/* gos_chan_close */
proctype closer()
{
    byte partner;
    bool was_watched;
    take_lock();
    closed = true;
#if MUTANT != 10
    was_watched = state == watched || state == offered;
    if
    :: was_watched -> state = claimed
    :: else
    fi;
#endif
    do
    :: receivers?partner -> answer[partner] = EPIPE
    :: empty(receivers) && nempty(senders) -> senders?partner; answer[partner] = EPIPE
    :: empty(receivers) && empty(senders) -> break
    od;
    unlock();
    if
    :: was_watched -> state = shut
    :: else
    fi;
    partner = 0
}

init {
    byte i;
    atomic {
        for (i : 0 .. SENDERS - 1) { run sender(i, i < PINNED) }
        for (i : 0 .. RECEIVERS - 1) { run receiver(SENDERS + i, i < PINNED) }
        if
        :: CLOSES -> run closer()
        :: else
        fi;
        i = 0
    }
    done == TASKS;
    assert(sent == received && (CLOSES || sent == ELEMENTS))
}
