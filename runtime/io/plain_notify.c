/*
 * plain_notify.c: signals for channels. The handler leaves a bit for the monitor, which sends the number: to send from
 * a handler could be to wait for what it has interrupted.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/check.h"
#include "io/lock.h"
#include "sched/interrupt.h"
#include "sched/worker.h"
#include "sync/chan.h"
#include "sync/sync.h"

enum { SIGNALS = 64 };

static gos__spin lock; /* of the first two */
static gos_chan *channels[SIGNALS + 1];
static struct sigaction formers[SIGNALS + 1];
static int sending; /* the number for whose channel the monitor is at work, without the lock; 0: none */

/* On the monitor. */
static void send(uint64_t arrived)
{
    for (int number = 1; number <= SIGNALS; number++) {
        if (!(arrived >> (number - 1) & 1))
            continue;
        gos__spin_lock(&lock);
        gos_chan *chan = channels[number];
        gos__store_relaxed(&sending, chan ? number : 0);
        gos__spin_unlock(&lock);
        if (chan)
            gos__chan_try_send(chan, &number);
        gos__store_release(&sending, 0); /* pairs with the acquire in gos__signal_notify */
    }
}

/* A child process has another monitor, which sends nothing yet. */
static void before_fork(void)
{
    gos__spin_lock(&lock);
}

static void after_fork(void)
{
    gos__spin_unlock(&lock);
}

static void in_child(void)
{
    sending = 0;
    after_fork();
}

static void handle(int number)
{
    gos__signal_arrived(number);
}

static bool is_possible(int number)
{
    switch (number) {
    case SIGKILL: case SIGSTOP: case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP: case SIGSYS:
        return false; /* they cannot be caught, or belong to what a thread itself does */
    default:
        return number > 0 && number <= SIGNALS;
    }
}

/* Under the lock. */
static int change(gos_chan *chan, int number)
{
    gos_chan *former = channels[number];
    int result = 0;
    if (chan && !former) {
        struct sigaction ours = { .sa_handler = handle, .sa_flags = SA_RESTART };
        sigfillset(&ours.sa_mask);
        result = gos__plain_sigaction(number, &ours, &formers[number]);
    } else if (!chan && former) {
        result = gos__plain_sigaction(number, &formers[number], NULL);
    }
    if (result)
        return -errno;
    channels[number] = chan;
    return 0;
}

int gos__signal_notify(gos_chan *chan, int number)
{
    if (!is_possible(number))
        return -EINVAL;
    gos__require(!chan || chan->elem_size == sizeof number, "gos_signal_notify: the channel is not one of int");
    static bool watches_forks;
    int error = errno;
    gos__spin_lock(&lock);
    bool first = !watches_forks;
    watches_forks = true;
    gos__store_relaxed(&gos__signals_send, send);
    int result = change(chan, number);
    uint64_t bit = 1ull << (number - 1);
    if (channels[number])
        gos__or_seq(&gos__signals_wanted, bit); /* seq: no weaker one is named */
    else
        gos__and_seq(&gos__signals_wanted, ~bit);
    gos__spin_unlock(&lock);
    if (first)
        pthread_atfork(before_fork, after_fork, in_child);
    while (gos__load_acquire(&sending) == number) { /* to the former channel, and waits for our worker, perhaps */
        if (gos__self.worker)
            gos__let_others_in();
        else
            gos__give_way();
    }
    errno = error;
    return result;
}
