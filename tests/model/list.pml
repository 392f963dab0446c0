/*
 * list.pml: waiting in a list, with and without a deadline, as a task and as a thread (sync/list.h, S1-S3, A1-A3;
 * list.c: gos__list_await, gos__list_await_outside), for units of a semaphore (sem.c), or for the end of a group
 * (waitgroup.c).
 *
 * TASKS tasks and then THREADS threads without a task take a unit each and give it back; the waits of the first TIMED
 * tasks and of all threads may be over at any time. UNITS come, one by one. With GROUP they wait for UNITS counts
 * instead, the last of which is taken off by a count that may find them waiting. With BIG the first one wants more than
 * there ever is. Holds: a wait ends once, by who serves or by its alarm; units are neither lost nor made; nobody waits
 * for ever; neither an alarm nor the last count touches the object when all calls have returned and it may be freed.
 *
 * config: -DTASKS=3 -DTHREADS=0 -DTIMED=2 -DUNITS=2 -DGROUP=0
 * config: -DTASKS=2 -DTHREADS=1 -DTIMED=1 -DUNITS=2 -DGROUP=0
 * config: -DTASKS=1 -DTHREADS=2 -DTIMED=1 -DUNITS=1 -DGROUP=0
 * config: -DTASKS=2 -DTHREADS=1 -DTIMED=1 -DUNITS=1 -DGROUP=0 -DBIG=1
 * config: -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=2 -DGROUP=1
 * config: -DTASKS=1 -DTHREADS=1 -DTIMED=1 -DUNITS=1 -DGROUP=1
 * mutant: 1 -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=0  S2 does not look who was first
 * mutant: 2 -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=0  A1 is a load and a store
 * mutant: 3 -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=0  A2 removes without looking whether it is there
 * mutant: 4 -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=0 -DBIG=1  A2 does not serve who comes next
 * mutant: 5 -DTASKS=1 -DTHREADS=1 -DTIMED=0 -DUNITS=1 -DGROUP=0  a thread leaves without looking whether it was served
 * mutant: 6 -DTASKS=1 -DTHREADS=0 -DTIMED=0 -DUNITS=1 -DGROUP=0  the object is looked at, and then locked to wait
 * mutant: 7 -DTASKS=2 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=0  S3 before S1
 * mutant: 8 -DTASKS=1 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=1  an alarm does not stay where the group is ending
 * mutant: 9 -DTASKS=1 -DTHREADS=0 -DTIMED=1 -DUNITS=1 -DGROUP=1  an alarm that stays does not take A1 back
 * mutant: 10 -DTASKS=2 -DTHREADS=0 -DTIMED=2 -DUNITS=1 -DGROUP=1  the last one leaves the mark of who waits
 */
#define ALL (TASKS + THREADS)
#define NOBODY 255

#ifdef BIG
#define NEED(who) (who == 0 -> UNITS + 1 : 1) /* which the first one never gets */
#else
#define NEED(who) 1
#endif

mtype = { waits, served, late };

byte count, given;        /* units; with GROUP: what is not done yet */
bool marked;              /* GROUP: somebody waits */
bool spin;
byte list[ALL], n;
bool queued[ALL], won[ALL], asleep[ALL];
mtype told[ALL] = waits;
byte ended;
bool all_came;

inline take_spin() { atomic { !spin -> spin = true } }
inline leave_spin() { spin = false }

inline append(who) { list[n] = who; n++; queued[who] = true }

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

/* S1, S2, of the first that is in time; NOBODY. */
inline claim()
{
    whom = NOBODY;
    do
    :: whom == NOBODY && n > 0 && (GROUP || NEED(list[0]) <= count) ->
        whom = list[0];
        take_out(0);
#if MUTANT != 1
        if
        :: whom < TIMED && won[whom] -> whom = NOBODY
        :: else -> won[whom] = true
        fi
#endif
    :: else -> break
    od
}

/* S3, A3 */
inline end_wait(who, with)
{
    atomic {
        assert(told[who] == waits && asleep[who]);
        told[who] = with
    }
}

/* Of what is to be had: gives it to who is first, if anybody is. */
inline serve_first()
{
    d_step {
        claim();
        count = (whom != NOBODY -> count - 1 : count)
    }
}

inline give()
{
    take_spin();
    count++;
#if MUTANT == 7
    if
    :: n > 0 -> whom = list[0]; end_wait(whom, served)
    :: else
    fi;
#endif
    serve_first();
    leave_spin();
    if
    :: whom != NOBODY -> end_wait(whom, served)
    :: else
    fi
}

/* A2: out of the list, if it is in it. */
inline leave_list()
{
    at = 0;
    do
    :: at < n && list[at] != me -> at++
    :: else -> break
    od;
    take_out(at);
    at = 0
}

proctype waiter(byte me)
{
    byte k, at, whom;
    bool got;
#if MUTANT == 6
    bool seen = count > 0;
#endif
    take_spin();
    d_step {
#if GROUP
        got = count == 0 && !marked;
        marked = !got;
#elif MUTANT == 6
        got = seen && count > 0;
        count = (got -> count - 1 : count);
#else
        got = NEED(me) <= count && n == 0;
        count = (got -> count - 1 : count);
#endif
        if
#if MUTANT == 6
        :: !got && !seen -> asleep[me] = true; append(me)
#else
        :: !got -> asleep[me] = true; append(me)
#endif
        :: else
        fi
    }
    leave_spin();
    if
    :: asleep[me] ->
        if
        :: told[me] != waits
        :: me >= TASKS -> /* a thread, whose time is over */
            take_spin();
            d_step {
                if
#if MUTANT == 5
                :: true ->
#elif GROUP
                :: queued[me] && !(n == 1 && count == 0 && marked) ->
                    marked = n > 1;
#else
                :: queued[me] ->
#endif
                    leave_list();
                    told[me] = late
                :: else
                fi
            }
            whom = NOBODY;
#if !GROUP
            serve_first();
#endif
            leave_spin();
            if
            :: whom != NOBODY -> end_wait(whom, served)
            :: else
            fi;
            told[me] != waits
        fi;
        got = told[me] == served
    :: else
    fi;
#if !GROUP
    if
    :: got -> give()
    :: else
    fi;
#endif
    ended++
}

proctype alarm(byte me)
{
    byte k, at, whom;
    bool stays;
    do
    :: asleep[me] && told[me] == waits ->
#if MUTANT == 2
        if
        :: won[me] -> break
        :: else
        fi;
        won[me] = true;
#else
        if
        :: atomic { !won[me] -> won[me] = true } /* A1 */
        :: won[me] -> break
        fi;
#endif
        atomic { !spin -> assert(ended < ALL); spin = true };
        d_step { /* A2 */
            stays = false;
#if GROUP && MUTANT != 8
            stays = queued[me] && n == 1 && count == 0 && marked;
#endif
            if
#if MUTANT == 3
            :: !stays ->
#else
            :: queued[me] && !stays ->
#endif
#if GROUP && MUTANT != 10
                marked = n > 1;
#endif
                leave_list()
            :: else
            fi
        }
        whom = NOBODY;
#if !GROUP && MUTANT != 4
        serve_first();
#endif
#if MUTANT != 9
        if
        :: stays -> won[me] = false
        :: else
        fi;
#endif
        atomic { assert(ended < ALL); spin = false };
        if
        :: whom != NOBODY -> end_wait(whom, served)
        :: else
        fi;
        if
        :: stays
        :: else -> end_wait(me, late); break /* A3 */
        fi
    :: told[me] != waits || ended == ALL -> break
    od
}

#if GROUP
/* Who is done; the last one wakes all, unless nobody waits: then it touches the group no more. */
proctype giver()
{
    byte k, whom, rest;
    bool wake;
    do
    :: given < UNITS ->
        atomic { given++; count--; wake = count == 0 && marked };
        if
        :: wake ->
            atomic { !spin -> assert(ended < ALL); spin = true };
            rest = 0;
            do
            :: d_step { claim() };
                if
                :: whom == NOBODY -> break
                :: else -> rest = rest | (1 << whom)
                fi
            od;
            atomic { assert(ended < ALL); marked = false; spin = false };
            for (k : 0 .. ALL - 1) {
                if
                :: rest & (1 << k) -> end_wait(k, served)
                :: else
                fi
            }
        :: else
        fi
    :: else -> break
    od;
    all_came = true
}
#else
proctype giver()
{
    byte k, whom;
    do
    :: given < UNITS -> given++; give()
    :: else -> break
    od;
    all_came = true
}
#endif

init {
    byte i;
    atomic {
#if GROUP
        count = UNITS;
#endif
        do
        :: i < ALL -> run waiter(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < TIMED -> run alarm(i); i++
        :: else -> break
        od;
        run giver()
    }
    ended == ALL && all_came;
    assert(n == 0 && !marked && !spin);
#if !GROUP
    assert(count == UNITS)
#endif
}
