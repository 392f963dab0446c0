/* Selects that park, with and without a timeout, and waits with deadlines take no memory once they have had it. */
// also: paged
// not-with: address thread (they have a malloc of their own)
#include <gossamer.h>

#include <errno.h>

#include "tests/test.h"

enum { ROUNDS = 2000 };

void *__libc_malloc(size_t size);
static long allocations;

void *malloc(size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

static gos_chan *a, *b, *silent;
static gos_mutex mutex;
static gos_sem sem;

static void echo(void *unused)
{
    (void)unused;
    int n;
    gos_case cases[] = {
        { .chan = silent, .op = GOS_RECV }, { .chan = a, .op = GOS_RECV, .elem = &n },
        { .chan = a, .op = GOS_RECV, .elem = &n }, { .chan = NULL, .op = GOS_SEND },
    };
    for (;;) {
        int chosen = gos_select(cases, 4, -1);
        if (cases[chosen].result == -EPIPE)
            return;
        CHECK_EQ(gos_chan_send(b, &n), 0);
    }
}

static void some_rounds(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        int n = i, answer = -1;
        gos_case out[] = { { .chan = a, .op = GOS_SEND, .elem = &n }, { .chan = silent, .op = GOS_RECV } };
        gos_case in[] = { { .chan = b, .op = GOS_RECV, .elem = &answer }, { .chan = silent, .op = GOS_RECV } };
        CHECK_EQ(gos_select(out, 2, i % 2 ? -1 : 1000000000), 0);
        CHECK_EQ(gos_select(in, 2, i % 2 ? 1000000000 : -1), 0);
        CHECK_EQ(answer, n);
        if (i % 100 == 0) {
            CHECK_EQ(gos_select(&in[1], 1, 1000), -ETIMEDOUT);
            CHECK_EQ(gos_mutex_lock_until(&mutex, gos_now() + 1000), -ETIMEDOUT);
            CHECK_EQ(gos_sem_acquire_until(&sem, 1, gos_now() + 1000), -ETIMEDOUT);
            CHECK_EQ(gos_chan_recv_until(silent, NULL, gos_now() + 1000), -ETIMEDOUT);
        }
    }
}

static int body(void *unused)
{
    (void)unused;
    a = gos_chan_new(sizeof(int), 0);
    b = gos_chan_new(sizeof(int), 0);
    silent = gos_chan_new(0, 0);
    gos_mutex_lock(&mutex);
    CHECK_EQ(gos_go(echo, NULL), 0);
    some_rounds(200);
    long before = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    CHECK(before > 0); /* they are counted */
    some_rounds(ROUNDS);
    CHECK_EQ(__atomic_load_n(&allocations, __ATOMIC_RELAXED) - before, 0);
    CHECK_EQ(gos_chan_close(a), 0);
    gos_mutex_unlock(&mutex);
    return 0;
}

int main(void)
{
    gos_procs(1); /* with more, blocks wander from worker to worker, each of which keeps some */
    CHECK_EQ(gos_run(body, NULL), 0);
    return 0;
}
