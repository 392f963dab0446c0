/*
 * pthread.c: one kernel thread per unit, twice: with the default stack and with the smallest one.
 *
 * The first unit runs on the caller's thread. Threads are detached: nobody has to remember or join them, which is
 * the cheapest way to have very many. Waiting is mutex and condition variable, at latches a semaphore. Gates signal
 * with the mutex held, so that whoever is woken may free the object: the waker's last touch is the unlock, which POSIX
 * allows. Channels signal after the unlock: on one processor the woken thread runs at once and would stumble over the
 * mutex, which made a hand-over twice as dear.
 */
#include "baselines.h"
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_attr_t attr;
    pthread_mutex_t lock;     /* guards store and ended */
    pthread_cond_t all_ended;
    job_store store;
    bool ended;
    _Atomic long live;        /* units that have not ended; 0 between runs */
    _Atomic uint64_t made;    /* threads that have begun to run their unit */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .all_ended = PTHREAD_COND_INITIALIZER};

static void unit_begins(void)
{
    atomic_fetch_add_explicit(&state.made, 1, memory_order_relaxed);
}

/* acq_rel: what every unit did comes before what run's caller does next. */
static void unit_ends(void)
{
    if (atomic_fetch_sub_explicit(&state.live, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_lock(&state.lock);
    state.ended = true;
    pthread_cond_signal(&state.all_ended);
    pthread_mutex_unlock(&state.lock);
}

static void *thread_main(void *arg)
{
    job *mine = arg;
    pthread_mutex_lock(&state.lock);
    job todo = *mine;
    job_give(&state.store, mine);
    pthread_mutex_unlock(&state.lock);
    unit_begins();
    todo.fn(todo.arg);
    unit_ends();
    return NULL;
}

static int spawn(void (*fn)(void *), void *arg)
{
    pthread_mutex_lock(&state.lock);
    job *todo = job_take(&state.store);
    pthread_mutex_unlock(&state.lock);
    if (!todo)
        return -ENOMEM;
    todo->fn = fn;
    todo->arg = arg;
    atomic_fetch_add_explicit(&state.live, 1, memory_order_relaxed); /* cannot be the first: the caller is live */

    pthread_t thread;
    int error = pthread_create(&thread, &state.attr, thread_main, todo);
    if (error) {
        atomic_fetch_sub_explicit(&state.live, 1, memory_order_relaxed);
        pthread_mutex_lock(&state.lock);
        job_give(&state.store, todo);
        pthread_mutex_unlock(&state.lock);
    }
    return -error;
}

/* ---- run ---- */

/* Threads of this process: /proc/self/task has one subdirectory each. 0 where that is not to be had. */
static unsigned long threads_now(void)
{
    struct stat task;
    return stat("/proc/self/task", &task) ? 0 : (unsigned long)task.st_nlink;
}

/* A detached thread outlives its unit by the time the kernel takes to end it, with its stack. Waiting here keeps
 * these remains out of what is measured after the run. Gives up after about a second: other threads of the
 * process may have come. */
static void wait_for_exits(unsigned long before)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000};
    for (int i = 0; i < 6000 && threads_now() > before; i++)
        nanosleep(&pause, NULL);
}

static int prepare_attr(size_t stack_size)
{
    int error = pthread_attr_init(&state.attr);
    if (error)
        return error;
    error = pthread_attr_setdetachstate(&state.attr, PTHREAD_CREATE_DETACHED);
    if (!error && stack_size)
        error = pthread_attr_setstacksize(&state.attr, stack_size);
    if (error)
        pthread_attr_destroy(&state.attr);
    return error;
}

/* stack_size 0: the default. */
static int run_with(size_t stack_size, void (*fn)(void *), void *arg)
{
    long idle = 0;
    if (!atomic_compare_exchange_strong_explicit(&state.live, &idle, 1, memory_order_acquire, memory_order_relaxed))
        return -EBUSY;
    int error = prepare_attr(stack_size);
    if (error) {
        atomic_store_explicit(&state.live, 0, memory_order_release);
        return -error;
    }
    unsigned long before = threads_now();
    state.ended = false;
    atomic_store_explicit(&state.made, 0, memory_order_relaxed);
    unit_begins();
    fn(arg);
    unit_ends();

    pthread_mutex_lock(&state.lock);
    while (!state.ended)
        pthread_cond_wait(&state.all_ended, &state.lock);
    job_store_clear(&state.store);
    pthread_mutex_unlock(&state.lock);
    wait_for_exits(before);
    pthread_attr_destroy(&state.attr);
    return 0;
}

static size_t wanted_size; /* 0: the default will do */

static void stack_room(size_t bytes)
{
    pthread_attr_t attr;
    size_t size = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (bytes + 16 * page + page - 1) / page * page; /* with what glibc and the unit's own calls take */
    if (pthread_attr_init(&attr))
        return;
    if (pthread_attr_getstacksize(&attr, &size) == 0 && whole > size)
        wanted_size = whole;
    pthread_attr_destroy(&attr);
}

static int run_default(int threads, void (*fn)(void *), void *arg)
{
    (void)threads;
    return run_with(wanted_size, fn, arg);
}

/* The smallest stack that the system vouches for, in whole pages; the guard page comes on top of it. */
static int run_min(int threads, void (*fn)(void *), void *arg)
{
    (void)threads;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    return run_with((least + page - 1) / page * page, fn, arg);
}

static uint64_t made(void)
{
    return atomic_load_explicit(&state.made, memory_order_relaxed);
}

static void yield(void)
{
    sched_yield();
}

/* ---- gate ---- */

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
} gate;

static void *gate_new(void)
{
    gate *g = malloc(sizeof *g);
    if (g)
        *g = (gate){.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    return g;
}

static void gate_wait(void *arg)
{
    gate *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->open)
        pthread_cond_wait(&g->opened, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(void *arg)
{
    gate *g = arg;
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->opened);
    pthread_mutex_unlock(&g->lock);
}

static void gate_free(void *arg)
{
    gate *g = arg;
    pthread_cond_destroy(&g->opened);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* ---- latch: all but the last done are one atomic instruction; small, since it may lie on a unit's stack ---- */

typedef struct latch {
    _Atomic long missing;
    sem_t complete;           /* posted by the last done; whoever has waited for it may free the latch */
} latch;

static void latch_init(void *arg, long n)
{
    _Static_assert(sizeof(latch) <= LATCH_BYTES, "pthread: a latch must fit the caller's place");
    latch *l = arg;
    atomic_init(&l->missing, n);
    sem_init(&l->complete, 0, n <= 0);
}

static void *latch_new(long n)
{
    latch *l = malloc(sizeof *l);
    if (l)
        latch_init(l, n);
    return l;
}

static void latch_done(void *arg)
{
    latch *l = arg;
    if (atomic_fetch_sub_explicit(&l->missing, 1, memory_order_acq_rel) == 1)
        sem_post(&l->complete);
}

static void latch_wait(void *arg)
{
    latch *l = arg;
    while (sem_wait(&l->complete) != 0) {
    }
}

static void latch_free(void *arg)
{
    free(arg);
}

/*
 * ---- channel: a ring ----
 *
 * A rendezvous is a ring of one slot. Its send is over as soon as there are receivers for all words in the ring: each
 * of them will take one. Waiting for that to happen would cost a second wake-up per word.
 *
 * Broadcast throughout, though one could run: glibc (2.36, say) can lose a signal while several threads wait (its bug
 * 25847), and four senders and receivers on a ring of one do stop for ever. With one waiter both cost the same.
 */

typedef struct chan {
    pthread_mutex_t lock;
    pthread_cond_t words;     /* something to receive */
    pthread_cond_t room;      /* a slot came free */
    pthread_cond_t met;       /* rendezvous: a word was taken */
    bool rendezvous;
    size_t slots;
    size_t receivers;         /* threads in chan_recv that have no word yet */
    uint64_t sent, taken;     /* words since the start; slot of word i: i % slots */
    uint64_t ring[];
} chan;

static void *chan_new(size_t capacity)
{
    size_t slots = capacity ? capacity : 1;
    if (slots > (SIZE_MAX - sizeof(chan)) / sizeof(uint64_t))
        return NULL;
    chan *c = malloc(sizeof *c + slots * sizeof c->ring[0]);
    if (c)
        *c = (chan){.lock = PTHREAD_MUTEX_INITIALIZER, .words = PTHREAD_COND_INITIALIZER,
                    .room = PTHREAD_COND_INITIALIZER, .met = PTHREAD_COND_INITIALIZER,
                    .rendezvous = capacity == 0, .slots = slots};
    return c;
}

static void wait_until_taken(chan *c, uint64_t ticket)
{
    pthread_mutex_lock(&c->lock);
    while (c->taken <= ticket)
        pthread_cond_wait(&c->met, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void chan_send(void *arg, const void *word)
{
    chan *c = arg;
    pthread_mutex_lock(&c->lock);
    while (c->sent - c->taken == c->slots)
        pthread_cond_wait(&c->room, &c->lock);
    uint64_t ticket = c->sent++;
    c->ring[ticket % c->slots] = *(const uint64_t *)word;
    bool over = !c->rendezvous || c->receivers >= c->sent - c->taken;
    pthread_mutex_unlock(&c->lock);
    pthread_cond_broadcast(&c->words);
    if (!over)
        wait_until_taken(c, ticket);
}

static void chan_recv(void *arg, void *word)
{
    chan *c = arg;
    pthread_mutex_lock(&c->lock);
    c->receivers++;
    while (c->sent == c->taken)
        pthread_cond_wait(&c->words, &c->lock);
    c->receivers--;
    *(uint64_t *)word = c->ring[c->taken++ % c->slots];
    pthread_mutex_unlock(&c->lock);
    if (c->rendezvous)
        pthread_cond_broadcast(&c->met);
    pthread_cond_broadcast(&c->room);
}

static void chan_free(void *arg)
{
    chan *c = arg;
    pthread_cond_destroy(&c->met);
    pthread_cond_destroy(&c->room);
    pthread_cond_destroy(&c->words);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- mutex ---- */

static void *mutex_new(void)
{
    pthread_mutex_t *mutex = malloc(sizeof *mutex);
    if (mutex)
        pthread_mutex_init(mutex, NULL);
    return mutex;
}

static void mutex_free(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
}

/* The results are 0 or a mistake of the harness, whose counts show it. */
#define CALL(fn) ((void (*)(void *))(void (*)(void))(fn))

/* A unit has a thread of its own already. */
static void pin(void)
{
}

/* ---- the tables ---- */

#define OPERATIONS                                                                                                     \
    .spawn = spawn, .yield = yield,                                                                                    \
    .gate_new = gate_new, .gate_wait = gate_wait, .gate_open = gate_open, .gate_free = gate_free,                      \
    .latch_new = latch_new, .latch_done = latch_done, .latch_wait = latch_wait, .latch_free = latch_free,              \
    .chan_new = chan_new, .chan_send = chan_send, .chan_recv = chan_recv, .chan_free = chan_free,                      \
    .latch_init = latch_init, .post = chan_send, .pin = pin, .made = made,                                             \
    .mutex_new = mutex_new, .mutex_lock = CALL(pthread_mutex_lock), .mutex_unlock = CALL(pthread_mutex_unlock),        \
    .mutex_free = mutex_free

const contender contender_pthread = {
    .name = "pthread",
    .label = "pthread per task",
    .isolates = "the kernel makes, schedules and stores every unit",
    .run = run_default,
    .stack_room = stack_room,
    OPERATIONS,
};

const contender contender_pthread_min = {
    .name = "pthread-min",
    .label = "pthread, smallest stack",
    .isolates = "against pthread: only the reserved stack size",
    .run = run_min,
    OPERATIONS,
};
