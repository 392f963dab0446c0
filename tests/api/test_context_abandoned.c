/* A thread that is no worker's ends contexts while a run ends without threads that stay in a system call or a loop:
 * tasks wait for these ends beside channels of such a thread's worker. */
// also: paged
// env: GOS_PROCS=3
// timeout: 60
// not-with: address thread (their threads may not be left behind)
#define _GNU_SOURCE 1
#include <gossamer.h>
#include <gossamer/context.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/test.h"

enum { WAITERS = 1000 };

static gos_context *contexts[WAITERS];
static gos_chan *own[WAITERS];
static int waiting, begins;

static void wait_for_end(void *arg)
{
    int i = (int)(intptr_t)arg;
    uint64_t word;
    own[i] = gos_chan_new(sizeof word, 0); /* of this worker, since nobody else has used it */
    gos_case cases[] = { { .chan = own[i], .op = GOS_RECV, .elem = &word },
                         { .chan = gos_context_done(contexts[i]), .op = GOS_RECV } };
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    gos_select(cases, 2, -1);
}

static int waiters(void)
{
    return __atomic_load_n(&waiting, __ATOMIC_SEQ_CST);
}

static void start_and_block(void *unused)
{
    (void)unused;
    for (intptr_t i = 0; i < WAITERS; i++)
        CHECK_EQ(gos_go(wait_for_end, (void *)i), 0);
    while (waiters() < WAITERS)
        gos_yield();
    for (;;)
        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

static void compute(void *unused)
{
    (void)unused;
    for (volatile unsigned i = 0;; i++)
        continue;
}

static void *end_all(void *unused)
{
    while (!__atomic_load_n(&begins, __ATOMIC_SEQ_CST))
        usleep(100);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(gos_context_cancel(contexts[i], -1), 0);
        usleep(300); /* so that it lasts until the run is over */
    }
    return unused;
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_go(start_and_block, NULL), 0);
    while (waiters() < WAITERS)
        gos_sleep(1000000);
    gos_sleep(100000000);
    CHECK_EQ(gos_go(compute, NULL), 0);
    gos_sleep(50000000);
    __atomic_store_n(&begins, 1, __ATOMIC_SEQ_CST);
    return 0;
}

int main(void)
{
    pthread_t thread;
    for (int i = 0; i < WAITERS; i++)
        CHECK((contexts[i] = gos_context_new(NULL, INT64_MAX)) != NULL);
    CHECK_EQ(pthread_create(&thread, NULL, end_all, NULL), 0);
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    for (int i = 0; i < WAITERS; i++)
        gos_context_free(contexts[i]);
    return 0;
}
