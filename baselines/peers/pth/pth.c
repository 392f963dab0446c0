/* pth.c: GNU Pth, threads of one process without preemption (Debian: libpth-dev). */
#include <errno.h>
#include <pth.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct peer_cond {
    pth_cond_t cond;
    pth_mutex_t mutex; /* which pth_cond_await demands */
} peer_cond;

static inline bool peer_cond_open(peer_cond *cond)
{
    return pth_cond_init(&cond->cond) && pth_mutex_init(&cond->mutex);
}

static inline void peer_cond_close(peer_cond *cond)
{
    (void)cond;
}

static inline void peer_cond_wait(peer_cond *cond)
{
    pth_mutex_acquire(&cond->mutex, FALSE, NULL);
    pth_cond_await(&cond->cond, &cond->mutex, NULL);
    pth_mutex_release(&cond->mutex);
}

static inline void peer_cond_signal(peer_cond *cond)
{
    pth_cond_notify(&cond->cond, FALSE);
}

static inline void peer_cond_broadcast(peer_cond *cond)
{
    pth_cond_notify(&cond->cond, TRUE);
}

static pth_attr_t attributes;

static bool peer_start(void *(*fn)(void *), void *arg, size_t stack)
{
    pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, (unsigned)stack);
    return pth_spawn(attributes, fn, arg) != NULL;
}

#include "baselines/peers/cond_sync.inc"

static int run(int threads, void (*fn)(void *), void *arg)
{
    static bool ready;
    if (threads != 1)
        return -EINVAL;
    if (!ready && (!pth_init() || !peer_cond_open(&peer.ended)))
        return -ENOMEM;
    ready = true;
    attributes = pth_attr_new();
    pth_attr_set(attributes, PTH_ATTR_JOINABLE, FALSE);
    peer_run(fn, arg);
    pth_attr_destroy(attributes);
    return 0;
}

static void yield(void)
{
    pth_yield(NULL);
}

static void sleep_for(int64_t ns)
{
    pth_nap(pth_time(ns / 1000000000, ns % 1000000000 / 1000));
}

static int run_small(int threads, void (*fn)(void *), void *arg)
{
    peer_small_stacks();
    return run(threads, fn, arg);
}

static const contender pth = {
    .name = "pth",
    .label = "GNU Pth",
    .isolates = "user-level threads of one kernel thread, stacks of 64 KiB by malloc, priorities",
    .max_threads = 1,
    .run = run, .yield = yield, .sleep = sleep_for, PEER_OPERATIONS,
};

static const contender pth_small = {
    .name = "pth-small",
    .label = "GNU Pth, small stacks",
    .isolates = "the stack: pth with stacks of 16 KiB, which suffice for the units of the suite",
    .max_threads = 1,
    .run = run_small, .yield = yield, .sleep = sleep_for, PEER_OPERATIONS,
};

const contender *const contenders[] = {&pth, &pth_small, NULL};
