/*
 * retire.pml: a worker that goes out of use, and its timers (run.c: gos__retire, bequeath_timers, gos__inherit,
 * take_back_bequest, gos__worker_start; handoff.c:retake; timer.c: gos__timers_steal, change_owner, gos__timers_hand_on,
 * gos__alarm_return, take_back). The steps U, V and W are in run.c and timer.c.
 *
 * Worker 1 has an alarm, goes out of use, by itself or by the monitor while it is blocked, and with AGAIN comes into use
 * once more. Worker 0, and 2 if there are three, inherit and steal (STEALS times in all). The program gives the alarm
 * back at some time, on worker GIVER's thread, or on a foreign one (9). Holds: one at a time uses a worker's timers; an
 * alarm that is not given back goes off, once; one that is, is freed, out of its heap, and by its owner; no worker is
 * bequeathed twice; nobody waits for ever. Stores are seen in their order, and the biased lock is one step: lock.pml.
 *
 * config: -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=1
 * config: -DWORKERS=3 -DGIVER=9 -DSTEALS=2 -DAGAIN=0
 * config: -DWORKERS=2 -DGIVER=0 -DSTEALS=2 -DAGAIN=1
 * config: -DWORKERS=3 -DGIVER=2 -DSTEALS=1 -DAGAIN=0
 * mutant: 1 -DWORKERS=3 -DGIVER=9 -DSTEALS=1 -DAGAIN=0  V2 without worker->lock
 * mutant: 2 -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=0  W3 does not look at the owner again
 * mutant: 3 -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=0  a theft although the victim keeps its worker
 * mutant: 4 -DWORKERS=2 -DGIVER=9 -DSTEALS=0 -DAGAIN=0  retake although the blocked thread keeps its worker
 * mutant: 5 -DWORKERS=2 -DGIVER=9 -DSTEALS=0 -DAGAIN=1  V5 is left out: a worker starts with its bequest standing
 * mutant: 6 -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=0  U1 does not look at `returned`
 * mutant: 7 -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=0  the owner changes without the timers' lock
 * mutant: 8 -DWORKERS=2 -DGIVER=9 -DSTEALS=0 -DAGAIN=0  V4 forgets what was given back
 * mutant: 9 -DWORKERS=2 -DGIVER=9 -DSTEALS=0 -DAGAIN=0  V4 frees what was given back as it is
 * mutant: 10 -DWORKERS=2 -DGIVER=9 -DSTEALS=1 -DAGAIN=1  a new thread takes its worker without worker->lock
 */
#define NONE 9
#define VICTIM 1

/* The alarm. */
byte owner = VICTIM, heap = VICTIM; /* in whose */
bool prepares = true; /* its program relies on its not going off */
bool given, fired, freed, patient; /* patient: it is given back when it has gone off */

bool spin_taken[WORKERS], inside[WORKERS], taken[WORKERS], threaded[WORKERS], keeps[WORKERS], quit[WORKERS];
bool left[WORKERS], timers_lock[WORKERS], returned[WORKERS];
byte users[WORKERS];
chan retired = [WORKERS] of { byte };
bool retired_lock, lost, changed;
byte steals = STEALS;

#define OVER (freed && changed)
#define LOST (lost && me == VICTIM && !again) /* this thread its worker */
#define MAY_ENTER (!taken[me] && !LOST)
#define GIVES (!prepares && !given && (fired || !patient))

inline lock(word) { atomic { !word -> word = true } }

/* O1-O3, T1-T4 of lock.pml; `taken` is GOS_LOCKED. */
inline enter(w) { atomic { !taken[w] -> inside[w] = true } }
inline unlock_worker(w) { atomic { taken[w] = false; spin_taken[w] = false } }

/* Who holds a worker has its timers for himself. */
inline begin(w) { atomic { users[w]++; assert(users[w] == 1) } }
inline finish(w) { users[w]-- }

/* timer.c:gos__alarm_return, on the thread of worker `self`, or of none. */
inline alarm_return(self)
{
    do
    :: true ->
        assert(!freed);
        from = owner; /* W1 */
        if
        :: from == self -> /* W2: drop */
            if
            :: heap == self -> heap = NONE
            :: else
            fi;
            atomic { assert(heap == NONE && owner == self && !freed); freed = true }
            break
        :: else
        fi;
        lock(timers_lock[from]);
        got = owner == from || MUTANT == 2; /* W3 */
        if
        :: got -> returned[from] = true
        :: else
        fi;
        timers_lock[from] = false;
        if
        :: got -> break
        :: else
        fi
    od;
    got = false; from = 0
}

/* timer.c:gos__timers_hand_on: V3, V4 */
inline hand_on(w, heir)
{
    begin(w);
    if
    :: heap == w -> heap = NONE; heap = heir
    :: else
    fi;
    lock(timers_lock[w]);
    back = returned[w];
    returned[w] = false;
    if
    :: owner == w -> owner = heir /* W4 */
    :: else
    fi;
    timers_lock[w] = false;
    finish(w);
    if
#if MUTANT == 8
    :: back
#elif MUTANT == 9
    :: back -> atomic { assert(heap == NONE && owner == heir && !freed); freed = true }
#else
    :: back -> alarm_return(heir) /* V4 */
#endif
    :: else
    fi;
    back = false
}

inline inherit(heir)
{
    lock(retired_lock); /* V1 */
    begin(heir);
    do
    :: nempty(retired) ->
        retired?v;
#if MUTANT != 1
        lock(spin_taken[v]); /* V2 */
#endif
        hand_on(v, heir);
#if MUTANT != 1
        spin_taken[v] = false
#endif
    :: empty(retired) -> break
    od;
    v = 0;
    finish(heir);
    retired_lock = false
}

/* run.c:gos__worker_clear, by who holds the worker. */
inline clear(w)
{
    begin(w);
#if MUTANT != 6
    back = heap == w || owner == w || returned[w]; /* U1 */
#else
    back = heap == w || owner == w;
#endif
    finish(w);
    if
    :: back ->
        lock(retired_lock); /* U2 */
        atomic { assert(!retired??[eval(w)]); retired!w }
        retired_lock = false;
        lock(spin_taken[0]); /* U3: wakes worker 0 */
        spin_taken[0] = false
    :: else
    fi;
    back = false
}

proctype worker(byte me; bool again)
{
    byte v, from;
    bool got, back;
    if
    :: again ->
#if MUTANT != 10
        atomic { !spin_taken[me] -> threaded[me] = true } /* thread_main */
#else
        threaded[me] = true
#endif
    :: me == VICTIM && !again -> /* a select, which has left the runtime in the midst of its preparations */
        enter(me);
        keeps[me] = false;
        prepares = false;
        inside[me] = false
    :: else
    fi;
    do
    :: LOST || OVER -> break
    :: atomic { MAY_ENTER && quit[me] -> inside[me] = true } /* gos__retire */
        clear(me);
        atomic { !spin_taken[me] -> threaded[me] = false } /* U4 */
        inside[me] = false;
        left[me] = true; /* U5 */
        break
    :: atomic { MAY_ENTER && !quit[me] && nempty(retired) -> inside[me] = true }
        inherit(me);
        inside[me] = false
    :: atomic { MAY_ENTER && !quit[me] && returned[me] -> inside[me] = true } /* take_back */
        lock(timers_lock[me]);
        atomic { back = returned[me]; returned[me] = false }
        timers_lock[me] = false;
        begin(me);
        if
        :: back -> alarm_return(me) /* W5 */
        :: else
        fi;
        finish(me);
        back = false;
        inside[me] = false
    :: atomic { MAY_ENTER && !quit[me] && heap == me -> inside[me] = true } /* gos__timers_run */
        begin(me);
        heap = NONE;
        atomic {
            assert(!freed && !fired && !prepares);
            if
            :: !given -> fired = true
            :: else
            fi
        }
        finish(me);
        inside[me] = false
    :: atomic { me == GIVER && MAY_ENTER && GIVES -> inside[me] = true; given = true }
        begin(me);
        alarm_return(me);
        finish(me);
        inside[me] = false
    :: atomic { me != VICTIM && steals && heap != NONE && heap != me && MAY_ENTER && !spin_taken[heap] &&
                !(threaded[heap] && inside[heap]) ->
                steals--; inside[me] = true; v = heap; spin_taken[v] = true; taken[v] = threaded[v] }
        if
#if MUTANT != 3
        :: threaded[v] && keeps[v]
#endif
        :: !threaded[v] || !keeps[v] || MUTANT == 3 -> /* gos__timers_steal */
            begin(v);
            if
            :: heap == v ->
                heap = NONE;
                begin(me);
                heap = me;
#if MUTANT != 7
                lock(timers_lock[v]);
#endif
                owner = me; /* W4: change_owner */
#if MUTANT != 7
                timers_lock[v] = false;
#endif
                finish(me)
            :: else
            fi;
            finish(v)
        fi;
        unlock_worker(v);
        v = 0;
        inside[me] = false
    od;
}

proctype foreign()
{
    byte from;
    bool got;
    atomic { GIVES -> given = true }
    alarm_return(NONE)
}

/* monitor.c:change_procs: out of use, and in use again. */
proctype monitor()
{
    byte v, from;
    bool got, back;
    quit[VICTIM] = true;
    if
    :: left[VICTIM]
    :: atomic { threaded[VICTIM] && !inside[VICTIM] && !spin_taken[VICTIM] && (!keeps[VICTIM] || MUTANT == 4) ->
                spin_taken[VICTIM] = true; taken[VICTIM] = true } /* gos__hand_off */
        clear(VICTIM); /* retake */
        atomic { threaded[VICTIM] = false; lost = true; taken[VICTIM] = false; spin_taken[VICTIM] = false }
        left[VICTIM] = true
    fi;
    if
    :: AGAIN ->
#if MUTANT != 5
        lock(retired_lock); /* V5: take_back_bequest */
        if
        :: retired??[VICTIM] -> retired??VICTIM
        :: else
        fi;
        retired_lock = false;
#endif
        quit[VICTIM] = false;
        left[VICTIM] = false;
        run worker(VICTIM, true)
    :: else
    fi;
    changed = true
}

init {
    byte i;
    atomic {
        for (i : 0 .. WORKERS - 1) { threaded[i] = true; run worker(i, false) }
        keeps[VICTIM] = true;
        run monitor();
        if
        :: patient = true
        :: patient = false
        fi;
        if
        :: GIVER == NONE -> run foreign()
        :: else
        fi;
        i = 0
    }
}
