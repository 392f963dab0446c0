/* Groups in groups, drawn from a seed: each waits for all of its own, tells one of its failures when there is one, and
 * only then; a failure cancels the group's context; loops and barriers in between keep count. */
// also: paged
// env: GOS_PROCS=4
// timeout: 120
#include <gossamer.h>
#include <gossamer/group.h>

#include <stdbool.h>

#include "tests/test.h"

#if defined(GOS_ASAN) || defined(GOS_TSAN)
enum { ROUNDS = 40 };
#else
enum { ROUNDS = 400 };
#endif
enum { DEEPEST = 4, MOST = 6, PARTIES = 3, TURNS = 5, LONGEST = 300 };

static long started, ended;

static void add(long *to, long n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

/* What a node does, all drawn before it starts, so that what comes of it is known. */
typedef struct node {
    uint64_t state;
    int depth, error;
    gos_context *context;
} node;

static void sum_up(long from, long to, void *sum)
{
    for (; from < to; from++)
        add(sum, from);
    if (from % 7 == 0)
        gos_yield();
}

static void loops(uint64_t *state)
{
    long sum = 0, n = (long)(test_random(state) % LONGEST), grain = 1 + (long)(test_random(state) % 20);
    gos_parallel_for(0, n, grain, sum_up, &sum);
    CHECK_EQ(sum, n * (n - 1) / 2);
}

typedef struct meeting {
    gos_barrier barrier;
    long turns[PARTIES + 1], lasts;
    long next;
} meeting;

static int meets(void *arg)
{
    meeting *it = arg;
    long me = __atomic_fetch_add(&it->next, 1, __ATOMIC_RELAXED);
    for (long turn = 1; turn <= TURNS; turn++) {
        __atomic_store_n(&it->turns[me], turn, __ATOMIC_RELAXED);
        if (gos_barrier_wait(&it->barrier))
            add(&it->lasts, 1);
        for (int i = 0; i < PARTIES; i++) { /* nobody is behind, nor two turns ahead */
            long seen = __atomic_load_n(&it->turns[i], __ATOMIC_RELAXED);
            CHECK(seen == turn || seen == turn + 1);
        }
    }
    return 0;
}

static void barriers(void)
{
    meeting it = { .barrier = GOS_BARRIER_INIT(PARTIES) };
    gos_group group = GOS_GROUP_INIT;
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(gos_group_go(&group, meets, &it), 0);
    CHECK_EQ(gos_group_wait(&group), 0);
    CHECK_EQ(it.lasts, TURNS);
}

static int run_node(void *arg);

/* Its children's errors are in a range of their own: the group's is one of them. */
static void children(node *it)
{
    node below[MOST];
    gos_group group = GOS_GROUP_INIT;
    int n = (int)(test_random(&it->state) % (MOST + 1)), failures = 0;
    group.context = test_random(&it->state) % 2 ? gos_context_new(it->context, INT64_MAX) : NULL;
    for (int i = 0; i < n; i++) {
        bool fails = test_random(&it->state) % 8 == 0;
        below[i] = (node){ test_random(&it->state), it->depth + 1, fails ? -(100 + i) : 0, group.context };
        failures += fails;
    }
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_group_go(&group, run_node, &below[i]), 0);
    int error = gos_group_wait(&group);
    CHECK((error != 0) == (failures > 0));
    CHECK(!error || (error <= -100 && error > -100 - n && below[-error - 100].error == error));
    if (group.context) {
        if (error)
            CHECK(gos_context_cause(group.context) != 0);
        gos_context_free(group.context);
    }
}

static int run_node(void *arg)
{
    node *it = arg;
    add(&started, 1);
    for (uint64_t i = test_random(&it->state) % 3; i > 0; i--)
        gos_yield();
    switch (test_random(&it->state) % 4) {
    case 0: loops(&it->state); break;
    case 1: barriers(); break;
    default: break;
    }
    if (it->depth < DEEPEST)
        children(it);
    add(&ended, 1);
    return it->error;
}

static int rounds(void *arg)
{
    uint64_t state = *(uint64_t *)arg + 51;
    for (int i = 0; i < ROUNDS; i++) {
        node root = { .state = test_random(&state) };
        CHECK_EQ(run_node(&root), 0);
        CHECK_EQ(started, ended);
    }
    fprintf(stderr, "%ld nodes\n", started);
    CHECK(started > ROUNDS * 5);
    while (gos_ntasks() > 1) /* who was waited for may still be about to end */
        gos_yield();
    return 0;
}

int main(void)
{
    uint64_t seed = test_seed();
    return gos_run(rounds, &seed);
}
