/*
 * cold.pml: pages of parked tasks' stacks that are packed away (stack/cold.h K1-K3, P1-P3, F1-F5; sched/cold.c).
 *
 * One page, in which one task is: its header (state, saved sp) and a variable that is live, which a stranger has the
 * address of. The task runs, writes, parks and is made ready by the stranger, whenever; the keeper packs its page at
 * any time, cold or not; another thread forks. An access to a page that is missing waits and is served by the keeper.
 * Holds: every read gives what was written last, here and in the child; nobody waits for ever.
 * The kernel does one call at once, but a fork copies the page and the keeper's memory at different moments, in either
 * order. Stores are seen in their order.
 *
 * config: -DPACKS=2 -DTURNS=2 -DFORKS=1
 * mutant: 1 -DPACKS=1 -DTURNS=1 -DFORKS=0  K1 copies the page and drops it then
 * mutant: 2 -DPACKS=1 -DTURNS=1 -DFORKS=0  K2 goes by the state that the task had before K1
 * mutant: 3 -DPACKS=1 -DTURNS=1 -DFORKS=0  K2 takes a free stack for empty
 * mutant: 4 -DPACKS=1 -DTURNS=1 -DFORKS=0  P2 puts the page there before its contents
 * mutant: 5 -DPACKS=1 -DTURNS=1 -DFORKS=1  no F1: pages are taken during a fork
 * mutant: 6 -DPACKS=1 -DTURNS=1 -DFORKS=1  no F2
 * mutant: 7 -DPACKS=1 -DTURNS=1 -DFORKS=1  P3 takes the note away
 * mutant: 8 -DPACKS=2 -DTURNS=2 -DFORKS=1  F5 goes by what is away, not by the notes
 * mutant: 9 -DPACKS=2 -DTURNS=1 -DFORKS=1  notes are cleared up during a fork
 */
mtype = { free, running, parked, ready };

/* The page: contents, and whether it is there. */
bool here = true;
mtype state = free;
byte sp_saved;            /* 1: what is below the variable is dead */
byte variable, frame;     /* frame: lies below the saved context when the task is parked, above while it runs */

/* The keeper's memory. */
bool away, note, hold, busy;
mtype p_state;
byte p_sp, p_variable, p_frame;

/* The staging area. */
mtype s_state;
byte s_sp, s_variable, s_frame;

byte wanted;              /* what the variable should be */
bool asked, over_task, over_stranger, over_fork;

/* X1, X2: an access is one step with the test that the page is there; who was woken tries again. */
#define ON_PAGE(step) \
    do \
    :: atomic { here -> step; break } \
    :: atomic { !here -> asked = true }; !asked \
    od

proctype task()
{
    byte turn, mine;
    do
    :: turn == TURNS -> break
    :: turn < TURNS ->
        turn++;
        /* Somebody puts it on a free stack: contents first, then the state. */
        ON_PAGE(frame = turn);
        ON_PAGE(state = ready);
        ON_PAGE(state = running; sp_saved = 0);
        ON_PAGE(mine = frame);
        assert(mine == turn);
        ON_PAGE(frame = turn + 10);
        ON_PAGE(mine = frame);
        assert(mine == turn + 10);
        ON_PAGE(sp_saved = 1); /* the door: nothing is below any more */
        ON_PAGE(state = parked);
        /* The stranger makes it ready, or it is so by a timer. */
        ON_PAGE(state = running; sp_saved = 0);
        ON_PAGE(frame = turn + 20);
        ON_PAGE(mine = frame);
        assert(mine == turn + 20);
        ON_PAGE(state = free)
    od;
    over_task = true
}

/* Writes to the variable, by its address, and reads it. */
proctype stranger()
{
    byte turn, seen;
    do
    :: turn == TURNS -> break
    :: turn < TURNS ->
        turn++;
        ON_PAGE(variable = turn; wanted = turn);
        ON_PAGE(seen = variable);
        assert(seen == turn)
    od;
    over_stranger = true
}

inline put_back()
{
    if
    :: here -> asked = false
    :: !here && away -> /* P1 */
#if MUTANT == 4
        here = true;
        asked = false;
        state = p_state; sp_saved = p_sp; variable = p_variable; frame = p_frame;
#else
        atomic { /* P2 */
            state = p_state; sp_saved = p_sp; variable = p_variable; frame = p_frame;
            here = true; asked = false
        };
#endif
        away = false /* P3 */
#if MUTANT == 7
        ; note = false
#endif
    fi
}

inline take()
{
#if MUTANT == 2
    s_state = state; s_sp = sp_saved;
#endif
#if MUTANT == 1
    atomic { s_state = state; s_sp = sp_saved; s_variable = variable; s_frame = frame };
    here = false; state = free; sp_saved = 0; variable = 0; frame = 0;
#else
    atomic { /* K1 */
#if MUTANT != 2
        s_state = state; s_sp = sp_saved;
#endif
        s_variable = variable; s_frame = frame;
        here = false; variable = 0; frame = 0;
#if MUTANT == 2
        p_state = state; p_sp = sp_saved;
#endif
        state = free; sp_saved = 0
    };
#endif
    /* K2 */
#if MUTANT != 2
    p_state = s_state; p_sp = s_sp;
#endif
    p_variable = s_variable;
    p_frame = s_frame;
    if
    :: (s_state == parked || s_state == ready) && s_sp -> p_frame = 0
#if MUTANT == 3
    :: s_state == free -> p_frame = 0
#endif
    :: else
    fi;
    note = true; /* K3 */
    away = true
}

proctype keeper()
{
    byte packs;
end:
    do
    :: asked -> put_back()
    :: packs < PACKS && here ->
        packs++;
        busy = true;
        if
#if MUTANT != 5
        :: hold -> busy = false
#endif
        :: !hold || MUTANT == 5 -> take(); busy = false
        fi
    :: note && !away && here -> /* gos__cold_tidy */
#if MUTANT == 9
        note = false
#else
        busy = true;
        if
        :: !hold -> note = false
        :: hold
        fi;
        busy = false
#endif
    :: over_task && over_stranger && over_fork && !asked -> break
    od
}

proctype forker()
{
    bool c_here, c_note, c_away;
    byte c_variable, c_packed, c_wanted, forks;
    do
    :: forks == FORKS -> break
    :: forks < FORKS ->
        forks++;
#if MUTANT != 5
        hold = true; /* F1 */
#endif
#if MUTANT != 6
        !busy; /* F2 */
#endif
        /* F3: what the variable was meant to be is known where the page, or what is in its place, is copied. */
        if
        :: atomic { c_here = here; c_variable = variable; c_wanted = wanted };
            atomic { c_note = note; c_away = away; c_packed = p_variable }
        :: atomic { c_note = note; c_away = away; c_packed = p_variable };
            atomic { c_here = here; c_variable = variable; c_wanted = wanted }
        fi;
        hold = false; /* F4 */
        /* F5: the child reads the variable. */
        if
        :: c_here -> assert(c_variable == c_wanted)
#if MUTANT == 8
        :: !c_here -> assert(c_away && c_packed == c_wanted)
#else
        :: !c_here -> assert(c_note && c_packed == c_wanted)
#endif
        fi
    od;
    over_fork = true
}

init { atomic { run task(); run stranger(); run keeper(); run forker() } }
