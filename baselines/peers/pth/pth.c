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

#include "baselines/peers/cond_sync.inc"

static size_t stack_size = 64 * 1024;
static long live;
static uint64_t made;
static peer_cond ended;
static pth_attr_t attributes;

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
    if (!pth_spawn(attributes, begin, to)) {
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
    if (!ready && (!pth_init() || !peer_cond_open(&ended)))
        return -ENOMEM;
    ready = true;
    attributes = pth_attr_new();
    pth_attr_set(attributes, PTH_ATTR_JOINABLE, FALSE);
    pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, (unsigned)stack_size);
    made = 1;
    fn(arg);
    while (live)
        peer_cond_wait(&ended);
    pth_attr_destroy(attributes);
    return 0;
}

static void stack_room(size_t bytes)
{
    if (bytes + 16384 > stack_size)
        stack_size = bytes + 16384;
}

static void yield(void)
{
    pth_yield(NULL);
}

static void sleep_for(int64_t ns)
{
    pth_nap(pth_time(ns / 1000000000, ns % 1000000000 / 1000));
}

static uint64_t how_many(void)
{
    return __atomic_load_n(&made, __ATOMIC_RELAXED);
}

static const contender pth = {
    .name = "pth",
    .label = "GNU Pth",
    .isolates = "user-level threads of one kernel thread, stacks of 64 KiB by malloc, priorities",
    .max_threads = 1,
    .run = run, .stack_room = stack_room, .spawn = spawn, .yield = yield, PEER_SYNC, .sleep = sleep_for,
    .made = how_many,
};

const contender *const contenders[] = {&pth, NULL};
