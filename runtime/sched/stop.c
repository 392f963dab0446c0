/*
 * stop.c: the end of a run: every thread leaves, or the run does without it.
 *
 * A thread that stays in a system call or a loop of the program is abandoned: it never touches the run again.
 *
 *     the monitor                                     the thread
 *     A1  locked: LOST or UNLOCKED -> ABANDONED       B1  in_runtime = 1
 *     A2  membarrier                                  B2  compiler fence (A2 makes it a real one)
 *     A3  in_runtime == 0? then if `locked` is        B3  ABANDONED? in_runtime = 0, sleep for ever
 *         still ABANDONED it never comes back         B4  use the run, with or without a worker; write the own
 *     A4  else put back what was there                    `locked` as if there were no A1
 *                                                     B5  in_runtime = 0 (release); not when it leaves
 *
 * At B4 a thread may write over A1; that is before B5, so A3 sees it. Nobody else does: a thief and a hand-off start
 * from UNLOCKED by compare-and-swap, and a worker is granted to who AWAITS, which A1 leaves alone. That thread runs no
 * code of the program and leaves by itself.
 */
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/worker.h"

/* Patience with a thread that neither is blocked nor comes to a scheduling point. */
#define STARVED_NS 1500000000

static bool abandon(gos__thread *thread)
{
    uint32_t before = gos__load_relaxed(&thread->locked);
    /* Nor over a thief's GOS_LOCKED, which it would then neither find nor take back: at the next look. */
    if (before == GOS_LOCKED || before == GOS_AWAITS || !gos__cas_seq(&thread->locked, before, GOS_ABANDONED)) /* A1 */
        return false;
    gos__membarrier(); /* A2 */
    if (!gos__load_acquire(&thread->in_runtime))
        return gos__load_relaxed(&thread->locked) == GOS_ABANDONED; /* A3 */
    gos__cas_seq(&thread->locked, GOS_ABANDONED, before); /* A4: it is in the runtime, about to leave by itself */
    return false;
}

bool gos__threads_stop(gos__runtime *rt, int64_t deadline)
{
    for (;;) {
        gos__reap_threads(rt);
        if (!rt->records)
            return true;
        int64_t now = gos__clock_ns();
        /* A thread that could run but did not get to on a busy machine has more patience than one that is blocked. */
        bool late = now >= deadline, too_late = now - deadline >= STARVED_NS;
        gos__thread_record *waited_for = NULL;
        for (gos__thread_record *record = rt->records; record; record = record->next) {
            gos__thread *thread = gos__load_acquire(&record->thread);
            if (gos__load_acquire(&record->left) || record->abandoned)
                continue;
            if (!thread) { /* it has not begun */
                waited_for = record;
                continue;
            }
            gos__preempt(thread);
            gos__thread_wake(thread);
            if (late && (too_late || gos__monitor_sees(thread) > 0) && abandon(thread)) {
                record->abandoned = true;
                pthread_detach(record->pthread);
                gos__store_relaxed(&rt->abandoned, rt->abandoned + 1);
            } else {
                waited_for = record;
            }
        }
        if (waited_for)
            gos__futex_wait(&waited_for->left, 0, gos__clock_ns() + 1000000);
        else if (rt->abandoned)
            return false;
    }
}

void gos__reap_threads(gos__runtime *rt)
{
    for (gos__thread_record **at = &rt->records; *at;) {
        gos__thread_record *record = *at;
        if (gos__load_acquire(&record->left)) {
            *record->thread->limit_word = 0; /* the C library gives the thread's memory to the next one as it is */
            gos__monitor_forgets(record->thread);
            pthread_join(record->pthread, NULL);
            *at = record->next;
            if (rt->roam_next == record)
                rt->roam_next = record->next;
            free(record);
            gos__store_relaxed(&rt->threads_n, rt->threads_n - 1);
        } else {
            at = &record->next;
        }
    }
}
