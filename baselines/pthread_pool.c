/*
 * pthread_pool.c: a fixed set of threads that take jobs from one first-in-first-out queue.
 *
 * What threads cost when they are not made per unit. The caller's thread is one of the `threads`: it runs the first
 * unit, and jobs while that unit waits or is over. One lock guards everything; finishing a job and taking the next
 * share one hold of it, and nobody is signalled unless somebody sleeps. glibc (2.36, say) can lose a signal while
 * several threads sleep (its bug 25847): that costs parallelism for a moment and never progress, as whoever spawns
 * takes jobs itself before it sleeps, and what is complete is told by broadcast.
 */
#include "baselines.h"
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static struct {
    pthread_mutex_t lock;     /* guards all of it, and latch.complete */
    pthread_cond_t changed;   /* a job came, or something that a sleeper waits for is complete */
    int sleepers;
    job *head, *tail;         /* the queue */
    job_store store;
    long unfinished;          /* the first unit and all jobs; 0 between runs */
    bool ended;               /* unfinished has come down to 0 */
    uint64_t made;            /* units that were begun */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The lock is held. */
static void unit_ends(void)
{
    if (--pool.unfinished == 0) {
        pool.ended = true;
        pthread_cond_broadcast(&pool.changed);
    }
}

/* Runs jobs until *complete, which the lock guards. */
static void work_until(const bool *complete)
{
    pthread_mutex_lock(&pool.lock);
    while (!*complete) {
        job *next = pool.head;
        if (!next) {
            pool.sleepers++;
            pthread_cond_wait(&pool.changed, &pool.lock);
            pool.sleepers--;
            continue;
        }
        pool.head = next->next;
        job todo = *next;
        job_give(&pool.store, next);
        pool.made++;
        pthread_mutex_unlock(&pool.lock);
        todo.fn(todo.arg);
        pthread_mutex_lock(&pool.lock);
        unit_ends();
    }
    pthread_mutex_unlock(&pool.lock);
}

static int spawn(void (*fn)(void *), void *arg)
{
    pthread_mutex_lock(&pool.lock);
    job *todo = job_take(&pool.store);
    if (!todo) {
        pthread_mutex_unlock(&pool.lock);
        return -ENOMEM;
    }
    *todo = (job){.fn = fn, .arg = arg};
    if (pool.head)
        pool.tail->next = todo;
    else
        pool.head = todo;
    pool.tail = todo;
    pool.unfinished++;
    bool wake = pool.sleepers > 0;
    pthread_mutex_unlock(&pool.lock);
    if (wake)
        pthread_cond_signal(&pool.changed); /* after the unlock, which the woken thread would run into */
    return 0;
}

static void *worker_main(void *unused)
{
    work_until(&pool.ended);
    return unused;
}

/* Begins a run: false when one is active. */
static bool open_run(void)
{
    pthread_mutex_lock(&pool.lock);
    bool idle = pool.unfinished == 0;
    if (idle) {
        pool.unfinished = 1;
        pool.ended = false;
        pool.made = 0;
    }
    pthread_mutex_unlock(&pool.lock);
    return idle;
}

static int run(int threads, void (*fn)(void *), void *arg)
{
    if (threads < 1)
        return -EINVAL;
    pthread_t *workers = malloc(sizeof(pthread_t) * (size_t)threads);
    if (!workers)
        return -ENOMEM;
    if (!open_run()) {
        free(workers);
        return -EBUSY;
    }
    int started = 0, error = 0;
    while (started < threads - 1 && !error) {
        error = pthread_create(&workers[started], NULL, worker_main, NULL);
        started += !error;
    }
    if (!error) {
        pthread_mutex_lock(&pool.lock);
        pool.made++;
        pthread_mutex_unlock(&pool.lock);
        fn(arg);
    }
    pthread_mutex_lock(&pool.lock);
    unit_ends();
    pthread_mutex_unlock(&pool.lock);
    work_until(&pool.ended);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
    job_store_clear(&pool.store);
    free(workers);
    return -error;
}

static uint64_t made(void)
{
    pthread_mutex_lock(&pool.lock);
    uint64_t n = pool.made;
    pthread_mutex_unlock(&pool.lock);
    return n;
}

/* ---- latch: all but the last done are one atomic instruction ---- */

typedef struct latch {
    _Atomic long missing;
    bool complete;
} latch;

static void *latch_new(long n)
{
    latch *l = malloc(sizeof *l);
    if (l)
        *l = (latch){.missing = n, .complete = n <= 0};
    return l;
}

static void latch_done(void *arg)
{
    latch *l = arg;
    if (atomic_fetch_sub_explicit(&l->missing, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_lock(&pool.lock);
    l->complete = true;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
}

/* Runs jobs meanwhile, so that the caller's thread is no idle extra one. */
static void latch_wait(void *arg)
{
    latch *l = arg;
    work_until(&l->complete);
}

const contender contender_pool = {
    .name = "pool",
    .label = "pthread pool",
    .isolates = "kernel threads without making one per unit: a job has no stack of its own and cannot wait",
    .lacks = "a job that waits keeps its thread: no gate, channel or yield; only the first unit may wait at a latch",
    .run = run,
    .spawn = spawn,
    .latch_new = latch_new,
    .latch_done = latch_done,
    .latch_wait = latch_wait,
    .latch_free = free,
    .made = made,
};
