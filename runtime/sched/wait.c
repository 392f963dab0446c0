/* wait.c: how a wait (netpoll.h) ends, and the heap of those with a deadline. */
#include <errno.h>
#include <stdlib.h>

#include "base/spin.h"
#include "sched/netpoll.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sched/worker.h"

/* A binary heap. */
static gos__spin deadlines_lock;
static gos__fd_wait **deadlines; /* from 1 */
static uint32_t deadlines_n, deadlines_room;
static int64_t first_deadline = INT64_MAX; /* read without the lock */

/* ---- the deadlines; under their lock ---- */

static void place(uint32_t at, gos__fd_wait *wait)
{
    deadlines[at] = wait;
    wait->at = at;
}

static void sift(uint32_t at, gos__fd_wait *wait)
{
    for (; at > 1 && deadlines[at / 2]->deadline > wait->deadline; at /= 2)
        place(at, deadlines[at / 2]);
    for (uint32_t child; (child = 2 * at) <= deadlines_n; at = child) {
        if (child < deadlines_n && deadlines[child + 1]->deadline < deadlines[child]->deadline)
            child++;
        if (deadlines[child]->deadline >= wait->deadline)
            break;
        place(at, deadlines[child]);
    }
    place(at, wait);
}

static void note_first(void)
{
    gos__store_relaxed(&first_deadline, deadlines_n ? deadlines[1]->deadline : INT64_MAX);
}

static void take(gos__fd_wait *wait)
{
    uint32_t at = wait->at;
    gos__fd_wait *last = deadlines[deadlines_n--];
    if (last != wait)
        sift(at, last);
    wait->at = 0;
    note_first();
}

int gos__deadline_add(gos__fd_wait *wait)
{
    gos__spin_lock(&deadlines_lock);
    if (deadlines_n + 1 >= deadlines_room) {
        uint32_t room = deadlines_room ? 2 * deadlines_room : 64;
        gos__fd_wait **grown = realloc(deadlines, room * sizeof(gos__fd_wait *));
        if (!grown) {
            gos__spin_unlock(&deadlines_lock);
            return -ENOMEM;
        }
        deadlines = grown;
        deadlines_room = room;
    }
    sift(++deadlines_n, wait);
    note_first();
    gos__spin_unlock(&deadlines_lock);
    return 0;
}

void gos__deadline_drop(gos__fd_wait *wait)
{
    gos__spin_lock(&deadlines_lock);
    if (wait->at)
        take(wait);
    gos__spin_unlock(&deadlines_lock);
}

int64_t gos__deadline_first(void)
{
    return gos__load_relaxed(&first_deadline);
}

void gos__deadlines_expire(bool has_worker)
{
    if (gos__load_relaxed(&first_deadline) == INT64_MAX)
        return;
    int64_t now = gos__task_clock();
    gos__task *woken = NULL;
    gos__spin_lock(&deadlines_lock);
    while (deadlines_n && deadlines[1]->deadline <= now) {
        gos__fd_wait *wait = deadlines[1];
        take(wait);
        gos__fd_end(wait, GOS_FD_LATE, &woken);
    }
    gos__spin_unlock(&deadlines_lock);
    gos__fd_ready_all(woken, has_worker);
}

void gos__deadlines_forget(void)
{
    deadlines_lock = 0; /* of another process, if this is a child */
    deadlines_n = 0;
    note_first();
}

/* ---- ending waits ---- */

int32_t gos__fd_result(uint32_t state)
{
    return state == GOS_FD_CLOSED ? -EBADF : state == GOS_FD_LATE ? -ETIMEDOUT
         : state == GOS_FD_INTERRUPTED ? -EINTR : 0;
}

bool gos__fd_end(gos__fd_wait *wait, enum gos__fd_state how, gos__task **woken)
{
    for (;;) {
        uint32_t before = gos__load_acquire(&wait->state);
        if (before >= GOS_FD_READY)
            return false;
        gos__task *task = wait->task;
        if (!gos__cas_seq(&wait->state, before, how)) /* seq: releases nothing; orders with the arming thread's own */
            continue;
        if (before == GOS_FD_WAITING) {
            task->result = gos__fd_result(how);
            task->next = *woken;
            *woken = task;
        }
        return true;
    }
}

void gos__fd_ready_all(gos__task *woken, bool has_worker)
{
    while (woken) {
        gos__task *next = woken->next;
        gos__add_relaxed(&gos__netpoll_waits, -1u);
        if (has_worker) {
            gos__ready(woken, false);
        } else {
            gos__store_relaxed(&woken->state, (uint8_t)GOS_READY);
            gos__trace_ready_outside(gos__rt, woken);
            gos__shared_push(woken, woken, 1);
            gos__wake_one(NULL);
        }
        woken = next;
    }
}
