// not-with: paged (no nurseries)
// timeout: 120
/*
 * Claims (sched/claim.h) against tasks that are made ready meanwhile: a thread claims tasks at random, scribbles over
 * what lies below their stack pointers on nurseries and looks whether it is still there a little later. A task that
 * runs meanwhile would write over it, or be damaged by it. Tasks meet in pairs, on descriptors, pin themselves, end
 * and begin again. All must get done: one that a claim lost would be waited for for ever.
 */
#include <gossamer.h>

#include <pthread.h>

#include "base/config.h"
#include "sched/claim.h"
#include "stack/stack.h"
#include "tests/test.h"

enum { PAIRS = 40, ROUNDS = 3000, STACKS = 4096, LINES = 4 };

static gos__task *stacks[STACKS];
static int stacks_n;
static int over;
static uint64_t seed;
static long claimed, wanted;

/* ---- the claimer: code for a thread of its own ---- */

static void note(const gos__task *task, void *unused)
{
    (void)unused;
    if (stacks_n < STACKS && task->kind == GOS_NURSERY)
        stacks[stacks_n++] = (gos__task *)(uintptr_t)task;
}

static void scribble(gos__task *task, uint64_t pattern)
{
    uint64_t *low = (uint64_t *)((uintptr_t)task - GOS_NURSERY_SIZE + GOS_TASK_SIZE) + 2; /* above canary and allocas */
    uint64_t *sp = task->sp;
    if (task->region || sp <= low || (uintptr_t)sp > (uintptr_t)task)
        return;
    for (uint64_t *at = low; at < sp; at++)
        __atomic_store_n(at, pattern, __ATOMIC_RELAXED);
    for (int i = 0; i < 200; i++)
        gos__cpu_relax();
    for (uint64_t *at = low; at < sp; at++)
        CHECK_EQ(__atomic_load_n(at, __ATOMIC_RELAXED), pattern);
}

static void *claim_at_random(void *unused)
{
    (void)unused;
    uint64_t state = seed;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        stacks_n = 0;
        gos__stacks_walk(note, NULL);
        gos__task *some[GOS_CLAIMS];
        uint32_t n = 0;
        for (int i = 0; i < GOS_CLAIMS; i++) {
            gos__task *task = stacks[test_random(&state) % (uint64_t)stacks_n];
            bool twice = false;
            for (uint32_t k = 0; k < n; k++)
                twice |= some[k] == task;
            if (!twice && (gos__parked_since_last_look(task) || test_random(&state) % 8 == 0))
                some[n++] = task;
        }
        n = gos__claim(some, n);
        claimed += n;
        for (uint32_t i = 0; i < n; i++) {
            scribble(some[i], test_random(&state));
            wanted += gos__claim_is_wanted(some[i]);
            if (test_random(&state) % 2)
                gos__claim_settle(some[i]);
            gos__claim_release(some[i]);
        }
    }
    return NULL;
}

/* ---- the tasks ---- */

typedef struct pair {
    gos_chan *there, *back;
    int ends[2];
    gos_waitgroup *group;
} pair;

static void child(void *group)
{
    gos_yield();
    gos_waitgroup_done(group);
}

static void answer(void *arg)
{
    pair *p = arg;
    int64_t n;
    while (!gos_chan_recv(p->there, &n)) {
        n++;
        if (n % 7 == 0)
            CHECK_EQ(write(p->ends[1], &n, 1), 1);
        CHECK_EQ(gos_chan_send(p->back, &n), 0);
    }
    gos_waitgroup_done(p->group);
}

static void ask(void *arg)
{
    pair *p = arg;
    uint64_t state = seed + (uintptr_t)p;
    gos_waitgroup children = GOS_WAITGROUP_INIT;
    for (int64_t i = 0; i < ROUNDS; i++) {
        int64_t n = i;
        char byte;
        CHECK_EQ(gos_chan_send(p->there, &n), 0);
        if ((n + 1) % 7 == 0)
            CHECK_EQ(read(p->ends[0], &byte, 1), 1);
        CHECK_EQ(gos_chan_recv(p->back, &n), 0);
        CHECK_EQ(n, i + 1);
        switch (test_random(&state) % 64) {
        case 0: gos_sleep(1000); break;
        case 1: gos_pin(), gos_yield(), gos_unpin(); break;
        case 2: gos_pin(), gos_unpin(); break;
        case 3: gos_waitgroup_add(&children, 1), gos_go(child, &children); break;
        }
    }
    gos_waitgroup_wait(&children);
    gos_chan_close(p->there);
    gos_waitgroup_done(p->group);
}

static int run(void *unused)
{
    (void)unused;
    static pair pairs[PAIRS];
    static gos_waitgroup group = GOS_WAITGROUP_INIT;
    pthread_t claimer;
    CHECK_EQ(pthread_create(&claimer, NULL, claim_at_random, NULL), 0);
    gos_waitgroup_add(&group, 2 * PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        pair *p = &pairs[i];
        *p = (pair){ .there = gos_chan_new(8, 0), .back = gos_chan_new(8, 0), .group = &group };
        CHECK_EQ(pipe(p->ends), 0);
        CHECK_EQ(gos_go(answer, p), 0);
        CHECK_EQ(gos_go(ask, p), 0);
    }
    gos_waitgroup_wait(&group);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(claimer, NULL);
    for (int i = 0; i < PAIRS; i++) {
        gos_chan_free(pairs[i].there);
        gos_chan_free(pairs[i].back);
        close(pairs[i].ends[0]);
        close(pairs[i].ends[1]);
    }
    return 0;
}

int main(void)
{
    if (GOS_SAN)
        SKIP("no nurseries under a sanitizer");
    seed = test_seed();
    CHECK_EQ(gos_run(run, NULL), 0);
    printf("%ld claims, %ld of them wanted meanwhile\n", claimed, wanted);
    CHECK(claimed > 0);
    return 0;
}
