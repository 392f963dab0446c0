/* st.c: State Threads, the library below several streaming servers (Debian: libst-dev). */
#include <errno.h>
#include <st.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct peer_cond {
    st_cond_t cond;
} peer_cond;

static inline bool peer_cond_open(peer_cond *cond)
{
    cond->cond = st_cond_new();
    return cond->cond != NULL;
}

static inline void peer_cond_close(peer_cond *cond)
{
    st_cond_destroy(cond->cond);
}

static inline void peer_cond_wait(peer_cond *cond)
{
    st_cond_wait(cond->cond);
}

static inline void peer_cond_signal(peer_cond *cond)
{
    st_cond_signal(cond->cond);
}

static inline void peer_cond_broadcast(peer_cond *cond)
{
    st_cond_broadcast(cond->cond);
}

#include "baselines/peers/cond_sync.inc"

static size_t stack_size = 64 * 1024;
static long live;
static uint64_t made;
static peer_cond ended;

typedef struct start {
    void (*fn)(void *);
    void *arg;
} start;

static void *begin(void *arg)
{
    start now = *(start *)arg;
    free(arg);
    made++;
    now.fn(now.arg);
    if (--live == 0)
        peer_cond_signal(&ended);
    return NULL;
}

static int spawn(void (*fn)(void *), void *arg)
{
    start *to = malloc(sizeof *to);
    if (!to)
        return -ENOMEM;
    *to = (start){fn, arg};
    if (!st_thread_create(begin, to, 0, (int)stack_size)) {
        free(to);
        return -ENOMEM;
    }
    live++;
    return 0;
}

static int run(int threads, void (*fn)(void *), void *arg)
{
    static bool ready;
    if (threads != 1)
        return -EINVAL;
    if (!ready && (st_set_eventsys(ST_EVENTSYS_ALT) || st_init() || !peer_cond_open(&ended)))
        return errno ? -errno : -ENOMEM;
    ready = true;
    made = 1;
    fn(arg);
    while (live)
        peer_cond_wait(&ended);
    return 0;
}

static void stack_room(size_t bytes)
{
    if (bytes + 16384 > stack_size)
        stack_size = bytes + 16384;
}

/* The library has no yield of its own in this version; a sleep of 0 puts the thread behind those that are ready. */
static void yield(void)
{
    st_usleep(0);
}

static void sleep_for(int64_t ns)
{
    st_usleep((st_utime_t)((ns + 999) / 1000));
}

static uint64_t how_many(void)
{
    return __atomic_load_n(&made, __ATOMIC_RELAXED);
}

static const contender st = {
    .name = "st",
    .label = "State Threads",
    .isolates = "user-level threads of one kernel thread, each stack an mmap with two guard pages",
    .max_threads = 1,
    .run = run, .stack_room = stack_room, .spawn = spawn, .yield = yield, PEER_SYNC, .sleep = sleep_for,
    .made = how_many,
};

const contender *const contenders[] = {&st, NULL};
