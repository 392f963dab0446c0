/* event.h: what is recorded (os/ring.h) of a worker, and what each record holds. debug/trace_json.c and flight.c say it
 * in words. A task is given by its address, an entry function as gos__entry_of has it. */
#ifndef GOS_STACK_EVENT_H
#define GOS_STACK_EVENT_H

enum gos__event_kind {
    /* Often: while the worker is traced (sched/trace.h). */
    GOS_EV_RUNS = 1, /* task, entry, since when it was ready: a stamp whose lowest byte is 1 if GOS_EV_READY said so */
    GOS_EV_LEAVES,   /* task, what it waits on, how | why << 8 | where << 16 | 1 << 24: the second is a descriptor */
    GOS_EV_READY,    /* task, enum gos__readied_by, 1: GOS_EV_RUNS will name this record's stamp */
    GOS_EV_SPAWN,    /* task, entry and GOS_SPAWN_WAITS, parent: 0: a timer or a thread outside */
    GOS_EV_SEARCH,   /* for work */
    GOS_EV_IDLE,     /* the thread sleeps, */
    GOS_EV_WAKE,     /* and no more */
    GOS_EV_GAP,      /* from here on not traced */
    GOS_EV_GAP_END,  /* switches, tasks started and ended in it */
    /* Seldom. */
    GOS_EV_THREAD,   /* task or 0, entry, thread: it has the worker now */
    GOS_EV_HANDOFF,  /* task, entry, thread: it blocks, and its worker goes to another */
    GOS_EV_GIVEN,    /* 0, 0, thread: it lets go of its worker */
    GOS_EV_STEAL,    /* victim, tasks */
    GOS_EV_PREEMPT,  /* task */
    GOS_EV_TIMER,    /* entry: of a gos_timer */
    GOS_EV_GROW,     /* task, bytes wanted, 1: a large region */
    GOS_EV_DEEPER,   /* task, bytes of the region in use from now on */
    GOS_EV_BEGINS,   /* 0, 0, thread: it starts; outside any worker */
    GOS_EV_ENDS,     /* 0, 0, thread */
    GOS_EV_KINDS
};

/* It does not run at once: GOS_EV_RUNS will name this record's stamp. */
#define GOS_SPAWN_WAITS (1ul << 63)

/* How a task leaves. */
enum gos__left { GOS_LEFT_PARKED, GOS_LEFT_YIELDED, GOS_LEFT_PREEMPTED, GOS_LEFT_ENDED, GOS_LEFT_SPAWNED };

/* On which stack it is then. */
enum gos__where { GOS_ON_NURSERY, GOS_ON_REGION, GOS_ON_LARGE, GOS_ON_PAGED };

enum gos__readied_by { GOS_BY_TASK, GOS_BY_TIMER, GOS_BY_OUTSIDE };

#endif
