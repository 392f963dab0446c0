/* Work comes in bursts with pauses, from threads outside, by channels and pipes, and from sleepers, so that workers
 * fall asleep and are woken all the time, as pollers too. A lost wake-up shows as a burst that does not end, and so as
 * the end of the test's time. */
// timeout: 120
#include <gossamer.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/test.h"

enum { THREADS = 3, MOST = 20 };

static int bursts;
static _Atomic long ran;
static gos_waitgroup threads_done;
static gos_chan *chan;
static int pipes[2];
static _Atomic long written, read_back;

static void work(void *left)
{
    atomic_fetch_add(&ran, 1);
    atomic_fetch_sub((_Atomic int *)left, 1);
}

static void pause_ns(uint64_t ns)
{
    struct timespec t = { .tv_nsec = (long)ns };
    nanosleep(&t, NULL);
}

/* Each burst must have run before the next begins; nobody else gives the workers a reason to look. */
static void *submit(void *arg)
{
    uint64_t state = test_seed() + (uintptr_t)arg;
    for (int i = 0; i < bursts; i++) {
        uint64_t draw = test_random(&state);
        int n = 1 + (int)(draw % MOST);
        _Atomic int left = n;
        for (int k = 0; k < n; k++)
            CHECK_EQ(gos_go(work, (void *)&left), 0);
        while (left)
            pause_ns(1000);
        if (draw >> 33 & 1) {
            CHECK_EQ(write(pipes[1], "", 1), 1);
            for (long mine = atomic_fetch_add(&written, 1) + 1; read_back < mine;)
                pause_ns(1000);
        }
        if (draw >> 32 & 1)
            CHECK_EQ(gos_chan_try_send(chan, NULL), 0);
        pause_ns(draw >> 40 & 0x3ffff); /* up to 262 us: workers search for 20, then sleep */
    }
    gos_waitgroup_done(&threads_done);
    return NULL;
}

static void receive(void *unused)
{
    (void)unused;
    while (gos_chan_recv(chan, NULL) == 0)
        ;
}

static void read_pipe(void *unused)
{
    (void)unused;
    char byte;
    while (read(pipes[0], &byte, 1) == 1)
        atomic_fetch_add(&read_back, 1);
}

static void sleep_and_start(void *arg)
{
    uint64_t state = (uintptr_t)arg;
    for (int i = 0; i < bursts; i++) {
        _Atomic int left = 3;
        for (int k = 0; k < 3; k++)
            CHECK_EQ(gos_go(work, (void *)&left), 0);
        while (left)
            gos_sleep(1 + (int64_t)(test_random(&state) & 0x1ffff));
    }
    gos_waitgroup_done(&threads_done);
}

static int run(void *unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    CHECK((chan = gos_chan_new(0, (size_t)THREADS * bursts)) != NULL);
    CHECK_EQ(gos_go(receive, NULL), 0);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(gos_go(read_pipe, NULL), 0);
    gos_waitgroup_add(&threads_done, THREADS + 2);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, submit, (void *)i), 0);
    for (uintptr_t i = 0; i < 2; i++)
        CHECK_EQ(gos_go(sleep_and_start, (void *)i), 0);
    gos_waitgroup_wait(&threads_done);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close(pipes[1]);
    close(pipes[0]);
    return ran > 0 ? 0 : 1;
}

int main(void)
{
    const char *san = getenv("SAN");
    bursts = san && *san ? 200 : 1000;
    for (int workers = 1; workers <= 4; workers += 3) {
        gos_procs(workers);
        CHECK_EQ(gos_run(run, NULL), 0);
        gos_chan_free(chan);
    }
    return 0;
}
