/* A group whose waiter gives up, or adds to it, at the very moment at which the last one is done with what it waited
 * for: the next wait is for what was added, and the group may be freed after it. */
// timeout: 120
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "tests/test.h"

typedef struct group {
    gos_waitgroup all;
    uint32_t ended;
    uint64_t spins; /* of the first one, before it is done */
} group;

static group *next; /* for the first one of it, which is a thread: it runs beside us */

static void spin(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        gos__cpu_relax();
}

static void *first(void *rounds)
{
    for (uintptr_t i = 0; i < (uintptr_t)rounds; i++) {
        group *it;
        for (int looks = 0; !(it = __atomic_exchange_n(&next, NULL, __ATOMIC_ACQ_REL)); looks++)
            if (looks > 1000)
                sched_yield();
        spin(it->spins);
        __atomic_fetch_add(&it->ended, 1, __ATOMIC_RELEASE);
        gos_waitgroup_done(&it->all);
    }
    return NULL;
}

static void second(void *arg)
{
    group *it = arg;
    gos_yield();
    __atomic_fetch_add(&it->ended, 1, __ATOMIC_RELEASE);
    gos_waitgroup_done(&it->all);
}

static void hand_over(group *it)
{
    __atomic_store_n(&next, it, __ATOMIC_RELEASE);
}

/* `at_once`: the first one ends when the wait does, or else when its waiter has given up. */
static void one(uint64_t draw, bool at_once)
{
    group *it = calloc(1, sizeof *it);
    CHECK(it != NULL);
    it->spins = draw % 4;
    gos_waitgroup_add(&it->all, 1);
    if (at_once)
        hand_over(it);
    int result = gos_waitgroup_wait_until(&it->all, gos_now() + 500 + (at_once ? (int64_t)(draw / 32 % 1024) : 0));
    CHECK(result ? result == -ETIMEDOUT : at_once && it->ended == 1);
    if (!at_once) {
        hand_over(it);
        spin(draw / 32 % 8);
    }
    gos_waitgroup_add(&it->all, 1);
    CHECK_EQ(gos_go(second, it), 0);
    gos_waitgroup_wait(&it->all);
    CHECK_EQ(__atomic_load_n(&it->ended, __ATOMIC_ACQUIRE), 2);
    memset(it, 0xa5, sizeof *it);
    free(it);
}

static int body(void *rounds)
{
    pthread_t thread;
    uint64_t random = test_seed();
    CHECK_EQ(pthread_create(&thread, NULL, first, rounds), 0);
    for (uintptr_t i = 0; i < (uintptr_t)rounds; i++)
        one(test_random(&random), i % 2);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    gos_procs(1);
    return gos_run(body, (void *)(uintptr_t)(san && *san ? 2000 : 50000));
}
