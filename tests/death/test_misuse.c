/* Misuse that can only be a bug ends the program at once, with one line that says what was wrong. */
#include <gossamer.h>
#include <gossamer/context.h>

#include <limits.h>

#include "tests/death/death.h"

static void in_a_run(void *fn)
{
    gos_run((int (*)(void *))fn, NULL);
}

static int unlock_unlocked(void *unused)
{
    (void)unused;
    gos_mutex mutex = GOS_MUTEX_INIT;
    gos_mutex_lock(&mutex);
    gos_mutex_unlock(&mutex);
    gos_mutex_unlock(&mutex);
    return 0;
}

static int below_zero(void *unused)
{
    (void)unused;
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    gos_waitgroup_add(&group, 2);
    gos_waitgroup_add(&group, -3);
    return 0;
}

/* Twice as much would be 0. */
static int far_below_zero(void *unused)
{
    (void)unused;
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    gos_waitgroup_add(&group, LONG_MIN);
    return 0;
}

static int too_many(void *unused)
{
    (void)unused;
    gos_waitgroup group = GOS_WAITGROUP_INIT;
    gos_waitgroup_add(&group, LONG_MAX / 2);
    gos_waitgroup_add(&group, 1);
    return 0;
}

static int send_on_null(void *unused)
{
    (void)unused;
    int n = 0;
    return gos_chan_send(NULL, &n);
}

static int try_receive_from_null(void *unused)
{
    (void)unused;
    int n = 0;
    return gos_chan_try_recv(NULL, &n);
}

static int close_null(void *unused)
{
    (void)unused;
    return gos_chan_close(NULL);
}

static int lock_null(void *unused)
{
    (void)unused;
    gos_mutex_lock(NULL);
    return 0;
}

static int lock_null_until(void *unused)
{
    (void)unused;
    return gos_mutex_lock_until(NULL, 0);
}

static int send_null_until(void *unused)
{
    (void)unused;
    return gos_chan_send_until(NULL, NULL, 0);
}

static int acquire_negative(void *unused)
{
    (void)unused;
    static gos_sem sem;
    return gos_sem_acquire_until(&sem, -1, 0);
}

static int cancel_for_no_cause(void *unused)
{
    (void)unused;
    return gos_context_cancel(gos_context_new(NULL, INT64_MAX), 0);
}

static int tick_never(void *unused)
{
    (void)unused;
    return gos_ticker_new(0) != NULL;
}

static int notify_wrong_elements(void *unused)
{
    (void)unused;
    return gos_signal_notify(gos_chan_new(8, 1), SIGUSR1);
}

static int go_null(void *unused)
{
    (void)unused;
    return gos_go(NULL, NULL);
}

static void yield_outside(void *unused)
{
    (void)unused;
    gos_yield();
}

static void sleep_outside(void *unused)
{
    (void)unused;
    gos_sleep(5);
}

static void receive_null_outside(void *unused)
{
    (void)unused;
    gos_chan_recv(NULL, NULL);
}

static void wait_unlocked_outside(void *unused)
{
    (void)unused;
    static gos_cond cond;
    static gos_mutex mutex;
    gos_cond_wait_until(&cond, &mutex, 0);
}

static void pin_outside(void *unused)
{
    (void)unused;
    gos_pin();
}

static void exit_outside(void *unused)
{
    (void)unused;
    gos_exit();
}

int main(void)
{
    static const struct {
        const char *name;
        int (*fn)(void *);
        const char *said[2];
    } inside[] = {
        { "unlock", unlock_unlocked, { "gossamer: gos_mutex_unlock: the mutex is not locked" } },
        { "below zero", below_zero, { "gossamer: gos_waitgroup: the count fell below zero, *" } },
        { "far below", far_below_zero, { "gossamer: gos_waitgroup: the count fell below zero, *" } },
        { "too many", too_many, { "gossamer: gos_waitgroup: the count *, or rose above 2^62 - 1" } },
        { "send", send_on_null, { "gossamer: gos_chan_send: the channel is NULL" } },
        { "try_recv", try_receive_from_null, { "gossamer: gos_chan_try_recv: the channel is NULL" } },
        { "close", close_null, { "gossamer: gos_chan_close: the channel is NULL" } },
        { "lock", lock_null, { "gossamer: gos_mutex_lock: the mutex is NULL" } },
        { "lock_until", lock_null_until, { "gossamer: gos_mutex_lock: the mutex is NULL" } },
        { "send_until", send_null_until, { "gossamer: gos_chan_send: the channel is NULL" } },
        { "acquire_until", acquire_negative, { "gossamer: gos_sem_acquire: -1 units" } },
        { "cancel", cancel_for_no_cause, { "gossamer: gos_context_cancel: the cause is 0, not a -errno" } },
        { "ticker", tick_never, { "gossamer: gos_ticker_new: a period of 0 ns" } },
        { "notify", notify_wrong_elements, { "gossamer: gos_signal_notify: the channel is not one of int" } },
        { "go", go_null, { "gossamer: gos_go: fn is NULL" } },
        { "run", NULL, { "gossamer: gos_run: fn is NULL" } },
    };
    static const struct {
        void (*fn)(void *);
        const char *said[2];
    } outside[] = {
        { yield_outside, { "gossamer: gos_yield called outside a task" } },
        { sleep_outside, { "gossamer: gos_sleep called outside a task" } },
        { pin_outside, { "gossamer: gos_pin called outside a task" } },
        { receive_null_outside, { "gossamer: gos_chan_recv: the channel is NULL" } },
        { wait_unlocked_outside, { "gossamer: gos_cond_wait: the mutex is not locked" } },
        { exit_outside, { "gossamer: gos_exit called outside a task" } },
    };
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        expect_death(inside[i].name, in_a_run, (void *)inside[i].fn, SIGABRT, 0, inside[i].said);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        expect_death("outside", outside[i].fn, NULL, SIGABRT, 0, outside[i].said);
    return 0;
}
