/* inside.c: parts of everything.c that stay within the runtime: tasks, stacks, time, channels, locks. */
#define _GNU_SOURCE
#include "tests/fault/everything.h"

#include <errno.h>
#include <gossamer/context.h>
#include <gossamer/group.h>

#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

long start(const char *what, int n, void (*fn)(void *))
{
    long sum = 0;
    for (intptr_t i = 1; i <= n; i++) {
        gos_waitgroup_add(&all, 1);
        if (done(what, gos_go(fn, (void *)i)))
            sum += i;
        else
            gos_waitgroup_done(&all);
    }
    return sum;
}

/* ---- tasks, stacks ---- */

void add_number(void *number)
{
    total += (intptr_t)number;
    if ((intptr_t)number % 3 == 0)
        gos_yield();
    gos_waitgroup_done(&all);
}

void part_storm(void)
{
    total = 0;
    long expected = start("storm", 5000, add_number);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total, expected);
}

__attribute__((noinline)) static long dive(int depth, long number)
{
    volatile long frame[400];
    REAL(frame);
    frame[depth % 400] = number;
    long below = depth ? dive(depth - 1, number) : (gos_chan_recv(gate, NULL), 0);
    return below + frame[depth % 400];
}

/* Five levels are a deep region; a hundred are a large one. */
static void dive_and_add(void *number)
{
    int depth = (intptr_t)number % 50 ? 4 : 99;
    total += dive(depth, (intptr_t)number) / (depth + 1);
    gos_waitgroup_done(&all);
}

void part_depths(void)
{
    total = 0;
    if (!(gate = gos_chan_new(0, 0))) {
        done("gos_chan_new", -ENOMEM);
        return;
    }
    long expected = start("depths", 200, dive_and_add);
    gos_sleep(2 * MS); /* the crowd is parked, deep */
    gos_chan_close(gate);
    gos_waitgroup_wait(&all);
    gos_chan_free(gate);
    CHECK_EQ(total, expected);
}

static void with_alloca(void *number)
{
    size_t size = 1000 + 500 * (size_t)(intptr_t)number;
    char *room = __builtin_alloca(size);
    memset(room, (int)(intptr_t)number, size);
    gos_yield();
    total += room[0] == (char)(intptr_t)number && room[size - 1] == room[0] ? (intptr_t)number : 0;
    gos_waitgroup_done(&all);
}

void part_allocas(void)
{
    total = 0;
    long expected = start("allocas", 60, with_alloca);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total, expected);
}

/* ---- time ---- */

void part_timers(void)
{
    enum { N = 300 };
    gos_timer *made[N];
    long expected = 0;
    total = 0;
    for (intptr_t i = 0; i < N; i++) {
        gos_waitgroup_add(&all, 1);
        made[i] = gos_timer_new(i % 2 ? 3600000ll * MS : i * 10000, add_number, (void *)i);
        if (!made[i]) {
            done("gos_timer_new", -ENOMEM);
            gos_waitgroup_done(&all);
        }
        expected += made[i] && i % 2 == 0 ? i : 0;
    }
    for (intptr_t i = 1; i < N; i += 2)
        if (made[i]) {
            CHECK_EQ(gos_timer_stop(made[i]), 0);
            gos_waitgroup_done(&all);
        }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < N; i++)
        gos_timer_free(made[i]);
    CHECK_EQ(total, expected);
}

static void sleeps_and_adds(void *number)
{
    int64_t until = gos_now() + ((intptr_t)number % 10) * 200000;
    int result = gos_chan_recv_until(gate, NULL, until);
    if (result == -ETIMEDOUT) {
        CHECK(gos_now() >= until);
        gos_sleep(100000);
    } else {
        done("gos_chan_recv_until", result == -EPIPE ? -EBADF : result);
    }
    total += (intptr_t)number;
    gos_waitgroup_done(&all);
}

void part_deadlines(void)
{
    total = 0;
    if (!(gate = gos_chan_new(0, 0))) {
        done("gos_chan_new", -ENOMEM);
        return;
    }
    long expected = start("deadlines", 200, sleeps_and_adds);
    gos_waitgroup_wait(&all);
    gos_chan_free(gate);
    CHECK_EQ(total, expected);
}

void part_contexts(void)
{
    gos_context *outer = gos_context_new(NULL, INT64_MAX);
    gos_context *inner = outer ? gos_context_new(outer, gos_now() + 2 * MS) : NULL;
    if (inner) {
        int result = gos_chan_recv(gos_context_done(inner), NULL);
        CHECK_EQ(result, -EPIPE);
        CHECK_EQ(gos_context_cause(inner), -ETIMEDOUT);
    } else {
        done("gos_context_new", -ENOMEM);
    }
    if (inner)
        gos_context_free(inner);
    if (outer)
        gos_context_free(outer);
    gos_ticker *ticker = gos_ticker_new(MS / 2);
    int64_t last = 0, due;
    if (!ticker)
        done("gos_ticker_new", -ENOMEM);
    for (int i = 0; ticker && i < 3; i++, last = due) {
        CHECK_EQ(gos_chan_recv(gos_ticker_chan(ticker), &due), 0);
        CHECK(due > last);
    }
    gos_ticker_free(ticker);
}

/* ---- channels, locks ---- */

static gos_chan *from[40];
static gos_mutex mutex;
static gos_rwmutex rwmutex;
static gos_cond cond;
static gos_sem sem = GOS_SEM_INIT(2);
static long guarded;

static void send_number(void *number)
{
    int64_t n = (intptr_t)number;
    gos_chan *to = from[n % 40];
    int result = gos_chan_send(to, &n);
    CHECK(result == 0);
    gos_sem_acquire(&sem, 1);
    gos_mutex_lock(&mutex);
    guarded += n;
    gos_cond_signal(&cond);
    gos_mutex_unlock(&mutex);
    gos_sem_release(&sem, 1);
    gos_rwmutex_rlock(&rwmutex);
    total += guarded > 0;
    gos_rwmutex_runlock(&rwmutex);
    gos_waitgroup_done(&all);
}

/* As many as were started; who is refused a select receives from each. */
static long receive_all(int n, int channels)
{
    long sum = 0;
    int64_t got;
    gos_case cases[40];
    while (n) {
        for (int i = 0; i < channels; i++)
            cases[i] = (gos_case){ from[i], GOS_RECV, &got, 0 };
        int which = gos_select(cases, (size_t)channels, -1);
        if (done("gos_select", which)) {
            CHECK_EQ(cases[which].result, 0);
            sum += got;
            n--;
        } else {
            for (int i = 0; i < channels && n; i++)
                if (!gos_chan_try_recv(from[i], &got)) {
                    sum += got;
                    n--;
                }
            gos_yield();
        }
    }
    return sum;
}

void part_channels(void)
{
    int made = 0;
    total = guarded = 0;
    while (made < 40 && (from[made] = gos_chan_new(sizeof(int64_t), (size_t)made % 3)))
        made++;
    if (made < 40)
        done("gos_chan_new", -ENOMEM);
    long expected = 0, started = 0;
    for (intptr_t i = 1; i <= 400 && made == 40; i++) {
        gos_waitgroup_add(&all, 1);
        if (!done("channels", gos_go(send_number, (void *)i))) {
            gos_waitgroup_done(&all);
            continue;
        }
        expected += i;
        started++;
    }
    CHECK_EQ(receive_all((int)started, made), expected);
    gos_mutex_lock(&mutex);
    while (guarded != expected)
        gos_cond_wait(&cond, &mutex);
    gos_mutex_unlock(&mutex);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total, started);
    while (made)
        gos_chan_free(from[--made]);
}

static int half_fails(void *number)
{
    total += (intptr_t)number;
    return 0;
}

static void add_range(long begin, long end, void *unused)
{
    (void)unused;
    for (long i = begin; i < end; i++)
        total += i;
}

void part_groups(void)
{
    gos_group group = GOS_GROUP_INIT;
    long expected = 0;
    total = 0;
    for (intptr_t i = 1; i <= 50; i++)
        if (done("gos_group_go", gos_group_go(&group, half_fails, (void *)i)))
            expected += i;
    int result = gos_group_wait(&group);
    done("gos_group_wait", result);
    CHECK_EQ(total, expected);
    total = 0;
    gos_parallel_for(0, 2000, 50, add_range, NULL);
    CHECK_EQ(total, 2000 * 1999 / 2);
}
