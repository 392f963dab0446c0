/* A task that owns a recursive lock of the C library parks in every kind of call that parks, or ends: it goes on on its
 * thread, and no other task is taken for the owner meanwhile. */
// also: paged
// env: GOS_PROCS=2
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/test.h"

enum { BY_YIELD, BY_SLEEP, BY_RECV, BY_SELECT, BY_GROUP, BY_END, WAYS };
static pthread_mutex_t held = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static gos_chan *word;
static gos_waitgroup all, parks, released;
static int tried;

static void own_and_park(void *arg)
{
    int way = (int)(intptr_t)arg;
    pid_t thread = gettid();
    CHECK_EQ(pthread_mutex_lock(&held), 0);
    gos_waitgroup_done(&parks);
    gos_case one = { .chan = word, .op = GOS_RECV };
    if (way == BY_RECV)
        CHECK_EQ(gos_chan_recv(word, NULL), 0);
    else if (way == BY_SELECT)
        CHECK_EQ(gos_select(&one, 1, -1), 0);
    else if (way == BY_GROUP)
        gos_waitgroup_wait(&released);
    else
        while (way != BY_END && !__atomic_load_n(&tried, __ATOMIC_ACQUIRE))
            way == BY_YIELD ? gos_yield() : gos_sleep(10000);
    if (way == BY_END)
        return;
    CHECK_EQ(gettid(), thread);
    CHECK_EQ(pthread_mutex_unlock(&held), 0);
    gos_waitgroup_done(&all);
}

static void try_held(void *arg)
{
    (void)arg;
    CHECK_EQ(pthread_mutex_trylock(&held), EBUSY);
    gos_waitgroup_done(&released);
}

static int run(void *arg)
{
    (void)arg;
    for (int way = 0; way < WAYS; way++) {
        word = gos_chan_new(0, 0);
        tried = 0;
        gos_waitgroup_add(&parks, 1);
        gos_waitgroup_add(&all, way != BY_END);
        gos_waitgroup_add(&released, 20);
        CHECK_EQ(gos_go(own_and_park, (void *)(intptr_t)way), 0);
        gos_waitgroup_wait(&parks);
        CHECK_EQ(pthread_mutex_trylock(&held), EBUSY);
        for (int i = 0; i < 20; i++) {
            CHECK_EQ(gos_go(try_held, NULL), 0);
            gos_yield();
        }
        gos_waitgroup_wait(&released);
        __atomic_store_n(&tried, 1, __ATOMIC_RELEASE);
        if (way == BY_RECV || way == BY_SELECT)
            CHECK_EQ(gos_chan_send(word, NULL), 0);
        gos_waitgroup_wait(&all);
        gos_chan_free(word);
    }
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
