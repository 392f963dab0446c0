/* seed.c: decisions drawn from GOS_SEED: seed.h. */
#include "sched/seed.h"

#include "base/check.h"
#include "base/env.h"
#include "sched/netpoll.h"
#include "sched/trace.h"

/* Where the clock of tasks starts: no time that has passed is 0 or less. */
#define START_NS 1000000000

/* Descriptors are looked at once in so many switches, and whenever nothing else may run. */
enum { POLL_PERIOD = 16 };

/* A task is interrupted at one in 2 to 2^MOST_RARELY of its chances. */
enum { MOST_RARELY = 9 };

int64_t gos__seed_now;

static gos__rng draws;
static uint32_t rarity; /* interrupted at one in 2^rarity */
static bool is_lost;

void gos__seed_begin(void)
{
    const gos__env *env = gos__env_get();
    if (!env->seeded)
        return;
    draws = (gos__rng){ .state = env->seed };
    rarity = 1 + gos__rng_below(&draws, MOST_RARELY);
    is_lost = false;
    gos__store_relaxed(&gos__seed_now, (int64_t)START_NS);
}

void gos__seed_end(void)
{
    gos__store_relaxed(&gos__seed_now, (int64_t)0);
}

uint64_t gos__seed_of_worker(uint32_t index)
{
    return gos__is_seeded() ? gos__env_get()->seed + index : 0x676f7373u + index;
}

gos__task *gos__seed_pick(gos__worker *worker)
{
    gos__store_relaxed(&gos__seed_now, gos__seed_now + GOS_SEED_SWITCH_NS);
    if (gos__load_relaxed(&gos__netpoll_waits) &&
        (worker->front == worker->back || worker->tick % POLL_PERIOD == 0))
        gos__netpoll();
    gos__timers_run(worker);
    gos__deadlines_expire(true);
    gos__task *shared = gos__shared_take(worker);
    if (shared)
        gos__push_back(worker, shared);
    uint32_t n = worker->back - worker->front;
    if (!n)
        return NULL;
    gos__task **first = &worker->queue[worker->front & (GOS_QUEUE_SIZE - 1)];
    gos__task **drawn = &worker->queue[(worker->front + gos__rng_below(&draws, n)) & (GOS_QUEUE_SIZE - 1)];
    gos__task *task = *drawn;
    *drawn = *first;
    gos__store_relaxed(&worker->front, worker->front + 1);
    return task;
}

gos__task *gos__seed_find(gos__worker *worker)
{
    for (;;) {
        gos__task *task = gos__seed_pick(worker);
        if (task)
            return task;
        int64_t first = worker->timers.first, deadline = gos__deadline_first();
        if (deadline < first)
            first = deadline;
        if (first == INT64_MAX)
            return NULL;
        if (first > gos__seed_now)
            gos__store_relaxed(&gos__seed_now, first);
    }
}

gos__task *gos__seed_turn(gos__task *task)
{
    gos__worker *worker = gos__self.worker;
    /* Claims of the monitor, which go by the machine's clock, change no draw. */
    if (gos__load_relaxed(&task->pinned) & GOS_PIN_DEPTH ||
        (!(gos__load_relaxed(&worker->attention) & GOS_ATTEND) &&
         (worker->front == worker->back || gos__rng_next(&draws) >> (64 - rarity))))
        return task;
    gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
    gos__push_back(worker, task);
    return gos__next(worker, GOS_LEFT_PREEMPTED);
}

gos__task *gos__seed_chance(void *a, void *b, void *c, gos__task *self)
{
    (void)a, (void)b, (void)c;
    self->result = 0;
    return self;
}

void gos__seed_lost(void)
{
    if (is_lost)
        return;
    is_lost = true;
    gos__warn("GOS_SEED=%llu: a task blocks its thread in a call that is not this library's: from here on another run "
              "may differ", (unsigned long long)gos__env_get()->seed);
}
