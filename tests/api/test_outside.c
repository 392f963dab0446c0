/* Threads that the runtime did not start send, receive and select as tasks do, blocked meanwhile: with tasks, with each
 * other, before a run and across several; and deadlines on channels, from both. */
// timeout: 120
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/test.h"

enum { THREADS = 4, TASKS = 12, EACH = 2000 };
static const int64_t ms = 1000000;
static uint64_t seed;

/* ---- deadlines ---- */

static void send_later(void *chan)
{
    gos_sleep(5 * ms);
    CHECK_EQ(gos_chan_send(chan, &(int){ 7 }), 0);
}

static void close_later(void *chan)
{
    gos_sleep(5 * ms);
    CHECK_EQ(gos_chan_close(chan), 0);
}

static void until(gos_chan *chan)
{
    int n = 0;
    CHECK_EQ(gos_chan_recv_until(chan, &n, 0), -ETIMEDOUT);
    CHECK_EQ(gos_chan_send_until(chan, &n, gos_now()), -ETIMEDOUT);
    int64_t deadline = gos_now() + 3 * ms;
    CHECK_EQ(gos_chan_recv_until(chan, &n, deadline), -ETIMEDOUT);
    CHECK(gos_now() >= deadline);
    deadline = gos_now() + 3 * ms;
    CHECK_EQ(gos_chan_send_until(chan, &n, deadline), -ETIMEDOUT);
    CHECK(gos_now() >= deadline);
}

static void until_met(gos_chan *chan, int64_t deadline)
{
    int n = 0;
    CHECK_EQ(gos_go(send_later, chan), 0);
    CHECK_EQ(gos_chan_recv_until(chan, &n, deadline), 0);
    CHECK_EQ(n, 7);
    CHECK_EQ(gos_go(close_later, chan), 0);
    CHECK_EQ(gos_chan_recv_until(chan, &n, deadline), -EPIPE);
    CHECK_EQ(gos_chan_send_until(chan, &n, deadline), -EPIPE);
    gos_chan_free(chan);
}

static void *until_outside(void *unused)
{
    errno = ERANGE;
    gos_chan *chan = gos_chan_new(sizeof(int), 0);
    until(chan);
    CHECK_EQ(errno, ERANGE);
    gos_chan_free(chan);
    until_met(gos_chan_new(sizeof(int), 0), gos_now() + 60000 * ms);
    until_met(gos_chan_new(sizeof(int), 0), INT64_MAX);
    return unused;
}

static void poison(uintptr_t limit)
{
#if defined(__x86_64__)
    __asm__ volatile("movq %0, %%fs:0x70" : : "r"(limit) : "memory");
#else
    (void)limit; /* there is none that checked code looks at */
#endif
}

/* A thread that has just left its last task may find the limit poisoned in vain, as by the monitor that was late. */
static void *lock_poisoned(void *unused)
{
    gos_mutex mutex = GOS_MUTEX_INIT;
    poison(-1);
    gos_mutex_lock(&mutex);
    int result = gos_mutex_lock_until(&mutex, 0);
    gos_mutex_unlock(&mutex);
    poison(0);
    CHECK_EQ(result, -ETIMEDOUT);
    return unused;
}

/* ---- everything that is sent is received once ---- */

static gos_chan *chans[3];
static uint64_t sent, received;
static gos_waitgroup senders;

static void send_some(uint64_t start)
{
    uint64_t random = seed + start, sum = 0;
    for (int i = 0; i < EACH; i++) {
        uint64_t value = test_random(&random) >> 8;
        gos_case cases[3];
        for (int c = 0; c < 3; c++)
            cases[c] = (gos_case){ .chan = chans[c], .op = GOS_SEND, .elem = &value };
        switch (test_random(&random) % 4) {
        case 0: CHECK_EQ(gos_chan_send(chans[value % 3], &value), 0); break;
        case 1: CHECK(gos_select(cases, 3, -1) >= 0); break;
        case 2:
            while (gos_select(cases, 3, (int64_t)(test_random(&random) % 20000)) < 0)
                continue;
            break;
        case 3:
            while (gos_chan_send_until(chans[value % 3], &value, gos_now() + 10000))
                continue;
            break;
        }
        sum += value;
    }
    __atomic_fetch_add(&sent, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&senders);
}

static void receive_some(uint64_t start)
{
    uint64_t random = seed + start, sum = 0, value;
    for (bool open = true; open;) {
        gos_case cases[3];
        uint64_t values[3];
        for (int c = 0; c < 3; c++)
            cases[c] = (gos_case){ .chan = chans[c], .op = GOS_RECV, .elem = &values[c] };
        uint64_t draw = test_random(&random);
        if (draw % 3 == 0) {
            int result = gos_chan_recv_until(chans[draw / 3 % 3], &value, gos_now() + 20000);
            sum += result ? 0 : value;
            open = result != -EPIPE;
        } else {
            int chosen = gos_select(cases, 3, draw % 3 == 1 ? -1 : 20000);
            CHECK(chosen >= 0 || chosen == -ETIMEDOUT);
            open = chosen < 0 || cases[chosen].result == 0;
            sum += chosen >= 0 && open ? values[chosen] : 0;
        }
    }
    for (int c = 0; c < 3; c++)
        while (!gos_chan_recv(chans[c], &value))
            sum += value;
    __atomic_fetch_add(&received, sum, __ATOMIC_RELAXED);
}

static gos_waitgroup receivers;

static void task_sends(void *arg)
{
    send_some((uintptr_t)arg);
}

static void task_receives(void *arg)
{
    receive_some((uintptr_t)arg + 100);
    gos_waitgroup_done(&receivers);
}

static void *thread_mixes(void *arg)
{
    if ((uintptr_t)arg % 2)
        receive_some((uintptr_t)arg + 200);
    else
        send_some((uintptr_t)arg + 300);
    return NULL;
}

static void mix(void)
{
    pthread_t threads[THREADS];
    sent = received = 0;
    for (size_t c = 0; c < 3; c++)
        chans[c] = gos_chan_new(sizeof(uint64_t), c);
    gos_waitgroup_add(&senders, TASKS + THREADS / 2);
    gos_waitgroup_add(&receivers, TASKS);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, thread_mixes, (void *)i), 0);
    for (uintptr_t i = 0; i < TASKS; i++) {
        CHECK_EQ(gos_go(task_sends, (void *)i), 0);
        CHECK_EQ(gos_go(task_receives, (void *)i), 0);
    }
    gos_waitgroup_wait(&senders);
    for (int c = 0; c < 3; c++)
        CHECK_EQ(gos_chan_close(chans[c]), 0);
    gos_waitgroup_wait(&receivers);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(sent, received);
    for (int c = 0; c < 3; c++)
        gos_chan_free(chans[c]);
}

/* ---- a thread that serves whichever run there is ---- */

static gos_chan *questions, *answers;

static void *answer(void *unused)
{
    for (int n; gos_chan_recv(questions, &n) == 0;) {
        n *= 2;
        CHECK_EQ(gos_chan_send(answers, &n), 0);
    }
    return unused;
}

static int ask(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        int n;
        CHECK_EQ(gos_chan_send(questions, &i), 0);
        CHECK_EQ(gos_chan_recv(answers, &n), 0);
        CHECK_EQ(n, 2 * i);
    }
    return 0;
}

static int body(void *unused)
{
    pthread_t thread;
    until_outside(unused);
    CHECK_EQ(pthread_create(&thread, NULL, until_outside, NULL), 0);
    mix();
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, lock_poisoned, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

static void *many_cases(void *chan)
{
    gos_case cases[100];
    int n = 0;
    for (int i = 0; i < 100; i++)
        cases[i] = (gos_case){ .chan = i == 50 ? chan : NULL, .op = GOS_RECV, .elem = &n };
    CHECK_EQ(gos_select(cases, 100, -1), 50);
    CHECK_EQ(n, 9);
    CHECK_EQ(gos_select(cases, 100, ms), -ETIMEDOUT);
    CHECK_EQ(gos_select(cases, 100, 0), -EAGAIN);
    CHECK_EQ(gos_select(NULL, 65537, 0), -EINVAL);
    return NULL;
}

int main(void)
{
    pthread_t thread, other;
    seed = test_seed();
    questions = gos_chan_new(sizeof(int), 0);
    answers = gos_chan_new(sizeof(int), 0);
    CHECK_EQ(pthread_create(&thread, NULL, answer, NULL), 0);
    ask(NULL); /* between threads, without a run */
    CHECK_EQ(pthread_create(&other, NULL, many_cases, answers), 0);
    CHECK_EQ(gos_chan_send(answers, &(int){ 9 }), 0);
    CHECK_EQ(pthread_join(other, NULL), 0);
    for (int procs = 1; procs <= 3; procs++) {
        gos_procs(procs);
        CHECK_EQ(gos_run(ask, NULL), 0);
        CHECK_EQ(gos_run(body, NULL), 0);
    }
    CHECK_EQ(gos_chan_close(questions), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_chan_free(questions);
    gos_chan_free(answers);
    return 0;
}
