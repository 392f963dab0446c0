/* claim.c: work on parked tasks while nobody runs them. Protocol: claim.h. */
#include "sched/claim.h"

#include "os/os.h"
#include "sched/worker.h"

/* A claim of a task that runs, or is about to, is noticed by the claimer at once (C3), so this is short. */
void gos__claim_await(gos__task *task)
{
    gos__compiler_fence(); /* R2, partner: the membarrier of C2 */
    for (int spins = 0; gos__load_acquire(&task->pinned) & GOS_CLAIMED; spins++) {
        if (spins < 200)
            gos__cpu_relax();
        else
            sched_yield();
    }
}

bool gos__claim_leave(gos__task *task)
{
    uint8_t from = GOS_CLAIMED;
    /* seq: releases to C5 what was done to the task; acquires what the claimer did when it has gone */
    return __atomic_compare_exchange_n(&task->pinned, &from, GOS_CLAIMED | GOS_WANTED, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_ACQUIRE);
}

static bool holds(gos__task *task)
{
    /* acquire: the look at the bits comes after that at the state; pairs with the release of GOS_PARKED */
    return gos__is_parked(gos__load_acquire(&task->state)) &&
           gos__load_acquire(&task->pinned) & GOS_CLAIMED; /* C3 */
}

uint32_t gos__claim(gos__task **tasks, uint32_t n)
{
    if (!n || !gos__membarrier_works())
        return 0;
    uint32_t tried = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t from = gos__load_relaxed(&tasks[i]->pinned) & GOS_BLOCKS; /* a mark that old is worth nothing */
        if (__atomic_compare_exchange_n(&tasks[i]->pinned, &from, GOS_CLAIMED, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) /* C1; seq: no partner but C2 */
            tasks[tried++] = tasks[i];
    }
    gos__membarrier(); /* C2 */
    uint32_t held = 0;
    for (uint32_t i = 0; i < tried; i++) {
        if (holds(tasks[i]))
            tasks[held++] = tasks[i];
        else
            gos__claim_release(tasks[i]);
    }
    return held;
}

void gos__claim_settle(gos__task *task)
{
    uint8_t from = GOS_PARKED_SEEN;
    __atomic_compare_exchange_n(&task->state, &from, GOS_PARKED_SETTLED, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void gos__claim_release(gos__task *task)
{
    uint8_t both = GOS_CLAIMED | GOS_WANTED;
    uint8_t before = __atomic_fetch_and(&task->pinned, (uint8_t)~both, __ATOMIC_SEQ_CST); /* seq: pairs with R3, R4 */
    if ((before & both) != both)
        return;
    gos__shared_push(task, task, 1);
    gos__wake_one(NULL);
}
