/*
 * trim.c: the monitor gives memory of stacks back to the kernel, a little at a time.
 *
 * In rounds, which begin a period apart: it looks at all regions and paged stacks once; a task that is deep and has
 * been parked since the last round is claimed (claim.h), and the pages below its stack pointer go, once for each park.
 * Then regions that nobody needed during the last period go cold (stack/region.c), and free stacks that nobody needed
 * give back their pages where whole ones are free (stack/vacant.c). The stocks of workers that have been
 * asleep since the last round go where that is seen to; others give what they did not need when they next fall
 * asleep. Tasks that run notice nothing of it: each step is short, and holds no lock and no worker for longer than it
 * takes to unlink something.
 */
#include "sched/trim.h"

#include "base/env.h"
#include "os/os.h"
#include "sched/claim.h"
#include "sched/worker.h"

/* Steps while tasks run, so that all of it takes at most a fortieth of a processor; and while all workers sleep. */
#define BUSY_STEP_NS 50000
#define BUSY_PAUSE_NS 2000000
#define IDLE_STEP_NS 1000000

/* Tasks are claimed for so long, and what is left of a system call. */
#define CLAIM_NS 50000

/* Headers looked at before the clock is; each is likely to be a miss of the cache and of the TLB. */
enum { LOOKS = 64 };

static struct {
    int64_t next_round, next_step;
    bool is_walking;            /* over regions and stacks */
    bool is_trimming;           /* regions */
    bool is_clearing;           /* free stacks */
    bool is_pending;            /* this round met what the next one may have to do with */
    bool is_quiet;              /* all workers slept and a whole round met nothing */
    gos__deep_walk walk;
    gos__task *due[GOS_CLAIMS]; /* parked and deep for long */
    uint32_t due_n;
} trim;

void gos__trim_begin(void)
{
    trim.next_round = trim.next_step = 0;
    trim.is_walking = trim.is_trimming = trim.is_clearing = trim.is_quiet = false;
    trim.due_n = 0;
    gos__regions_forget_work();
}

/* The stock of a worker that has slept since the last round. */
static void settle_stock(gos__worker *worker)
{
    uint32_t tick = gos__load_relaxed(&worker->tick);
    bool slept = tick == worker->trim_tick;
    if (!slept || (!worker->trim_settled && gos__membarrier_works()))
        trim.is_pending = true;
    worker->trim_settled &= slept;
    worker->trim_tick = tick;
    gos__store_relaxed(&worker->trim_asked, !slept);
    if (!slept || worker->trim_settled || !gos__membarrier_works() || !gos__worker_lock(worker))
        return;
    if (worker->dozing) {
        if (worker->thread)
            gos__spares_of(worker->thread, &worker->stacks);
        gos__regions_settle(&worker->stacks);
        worker->trim_settled = true;
    }
    gos__worker_unlock(worker);
}

static void begin_round(gos__runtime *rt, int64_t now)
{
    trim.next_round = now + gos__env_get()->trim_ms * 1000000;
    trim.is_walking = true;
    trim.is_pending = false;
    trim.walk = (gos__deep_walk){ .part = 0 };
    for (uint32_t i = 0; i < rt->made; i++)
        settle_stock(rt->workers[i]);
    gos__regions_period();
    gos__vacant_period();
}

/* Fills `due`; false: the walk is over. */
static bool walk_on(int64_t until)
{
    while (trim.due_n < GOS_CLAIMS) {
        gos__task *task;
        if (!gos__stacks_next_deep(&trim.walk, &task, LOOKS))
            return false;
        if (task && gos__load_relaxed(&task->state) != GOS_PARKED_SETTLED) {
            if (gos__parked_since_last_look(task))
                trim.due[trim.due_n++] = task;
            else
                trim.is_pending = true;
        }
        if (gos__clock_ns() >= until)
            break;
    }
    return true;
}

static void trim_due(void)
{
    int64_t until = gos__clock_ns() + CLAIM_NS;
    uint32_t n = gos__claim(trim.due, trim.due_n), left = 0;
    for (uint32_t i = 0; i < n; i++) {
        gos__task *task = trim.due[i];
        bool is_late = gos__clock_ns() >= until || gos__claim_is_wanted(task);
        if (!is_late && gos__stack_trim(task, until))
            gos__claim_settle(task);
        else if (!gos__claim_is_wanted(task))
            trim.due[left++] = task;
        gos__claim_release(task);
    }
    trim.due_n = left;
}

/* False: the round is over. */
static bool step(int64_t until)
{
    do {
        if (trim.due_n == GOS_CLAIMS || (trim.due_n && !trim.is_walking)) {
            trim_due();
        } else if (trim.is_walking) {
            trim.is_walking = walk_on(until);
            trim.is_trimming = trim.is_clearing = true;
        } else if (trim.is_trimming) {
            trim.is_trimming = gos__regions_trim(until);
        } else if (trim.is_clearing) {
            trim.is_clearing = gos__vacant_clear(until);
        } else {
            return false;
        }
    } while (gos__clock_ns() < until);
    return true;
}

int64_t gos__trim(gos__runtime *rt, int64_t now, bool idle)
{
    if (!gos__env_get()->trim_ms)
        return INT64_MAX;
    trim.is_quiet &= idle;
    if (trim.is_quiet)
        return INT64_MAX;
    if (!idle && now < trim.next_step)
        return trim.next_step;
    bool in_round = trim.is_walking || trim.is_trimming || trim.is_clearing || trim.due_n;
    if (!in_round && now < trim.next_round)
        return trim.next_round;
    if (!in_round)
        begin_round(rt, now);
    if (step(now + (idle ? IDLE_STEP_NS : BUSY_STEP_NS))) {
        trim.next_step = gos__clock_ns() + BUSY_PAUSE_NS;
        return idle ? now : trim.next_step;
    }
    trim.is_quiet = idle && !trim.is_pending && !gos__regions_any_warm() && !gos__vacant_any_left();
    return trim.is_quiet ? INT64_MAX : trim.next_round;
}
