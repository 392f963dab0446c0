/* sync.h: what units pass and share, one means a program; counters prove the work. */
#ifndef SYNC_H
#define SYNC_H

#include "workload.h"

enum { CROWD = 100 };

typedef struct sync_work {
    const contender *who;
    uint64_t n;                          /* operations: words one way, or times that the lock was held */
    void (*main)(struct sync_work *);    /* the program, on the first unit */
    uint64_t done;                       /* operations that the units counted */
    uint64_t spawned;
    bool no_memory;
    int64_t begin, end;
} sync_work;

void sync_recv(sync_work *s);        /* n words go to and fro between two units that receive them */
void sync_select(sync_work *s);      /* the same, but each receives from either of two channels */
void sync_buffered(sync_work *s);    /* n words from one unit to another through a channel with room for 64 */
void sync_mutex(sync_work *s);       /* one unit locks and unlocks */
void sync_crowd(sync_work *s);       /* CROWD units do, in loops */
void sync_held(sync_work *s);        /* and yield while they have it, so that others always wait for it */

/* First unit. */
void sync_main(void *arg);

#endif
