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

static bool peer_start(void *(*fn)(void *), void *arg, size_t stack)
{
    return st_thread_create(fn, arg, 0, (int)stack) != NULL;
}

#include "baselines/peers/cond_sync.inc"

static int run(int threads, void (*fn)(void *), void *arg)
{
    static bool ready;
    if (threads != 1)
        return -EINVAL;
    if (!ready && (st_set_eventsys(ST_EVENTSYS_ALT) || st_init() || !peer_cond_open(&peer.ended)))
        return errno ? -errno : -ENOMEM;
    ready = true;
    peer_run(fn, arg);
    return 0;
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

static int run_small(int threads, void (*fn)(void *), void *arg)
{
    peer_small_stacks();
    return run(threads, fn, arg);
}

static const contender st = {
    .name = "st",
    .label = "State Threads",
    .isolates = "user-level threads of one kernel thread, each stack an mmap with two guard pages",
    .max_threads = 1,
    .run = run, .yield = yield, .sleep = sleep_for, PEER_OPERATIONS,
};

static const contender st_small = {
    .name = "st-small",
    .label = "State Threads, small stacks",
    .isolates = "the stack: st with stacks of 16 KiB, which suffice for the units of the suite",
    .max_threads = 1,
    .run = run_small, .yield = yield, .sleep = sleep_for, PEER_OPERATIONS,
};

const contender *const contenders[] = {&st, &st_small, NULL};
