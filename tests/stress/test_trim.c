/*
 * Memory is taken from under parked tasks as fast as can be while they are made ready, by timers, by each other and by
 * a thread of the program: nothing that lies above their stack pointers changes. Each goes down and up at random, parks
 * where it has just been deeper, and looks at every frame on its way up.
 */
// env: GOS_DEBUG=trim=1
// also: paged
// timeout: 120
#include "tests/shrink.h"

#include <pthread.h>

#include "base/config.h"

enum { TASKS = 64, ROUNDS = 120 };

typedef struct worm {
    uint64_t draws;
    gos_sem turn;
    struct worm *other;
    int depth;
} worm;

static worm worms[TASKS];
static gos_waitgroup ended;
static uint64_t seed;
static int over;

static long most;

static void park_somehow(worm *w)
{
    switch (test_random(&w->draws) % 4) {
    case 0: gos_sleep((int64_t)(test_random(&w->draws) % 4000000)); break;
    case 1: gos_sem_release(&w->other->turn, 1); gos_sem_acquire(&w->turn, 1); break;
    case 2: gos_sem_acquire(&w->turn, 1); break;
    case 3: gos_yield(); break;
    }
}

static void deeper(void *arg)
{
    worm *w = arg;
    long room = most >> w->depth;
    descend((long)(test_random(&w->draws) % (uint64_t)room), NULL, NULL);
    park_somehow(w);
    if (++w->depth < 3)
        descend((long)(test_random(&w->draws) % (uint64_t)(room / 2)), deeper, w);
    w->depth--;
    park_somehow(w);
}

static void worm_main(void *arg)
{
    worm *w = arg;
    for (int i = 0; i < ROUNDS; i++) {
        w->depth = 0;
        descend((long)(test_random(&w->draws) % 20000), deeper, w);
    }
    gos_waitgroup_done(&ended);
}

/* Nobody waits for long. */
static void *wake_all(void *unused)
{
    (void)unused;
    uint64_t draws = seed;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        gos_sem_release(&worms[test_random(&draws) % TASKS].turn, 1);
        usleep(20);
    }
    return NULL;
}

static int run(void *unused)
{
    (void)unused;
    pthread_t waker;
    CHECK_EQ(pthread_create(&waker, NULL, wake_all, NULL), 0);
    gos_waitgroup_add(&ended, TASKS);
    for (int i = 0; i < TASKS; i++) {
        worms[i].draws = seed + (uint64_t)i * 1000003;
        worms[i].other = &worms[(i + 1) % TASKS];
        CHECK_EQ(gos_go(worm_main, &worms[i]), 0);
    }
    gos_waitgroup_wait(&ended);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(waker, NULL);
    return 0;
}

int main(void)
{
    const char *debug = getenv("GOS_DEBUG");
    seed = test_seed();
    most = GOS_SAN || (debug && strstr(debug, "paged")) ? 16 * 1024 : 200 * 1024;
    CHECK_EQ(gos_run(run, NULL), 0);
    printf("%ld times pages were given back\n", discards);
    CHECK(discards > 0 || (debug && strstr(debug, "paged")));
    return 0;
}
