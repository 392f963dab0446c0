/* The units of the case `sync`: see sync.h. Task code; stamp() alone calls libc, and outside the loops only. */
#include "sync.h"

enum { BUFFER = 64 };

static const uint64_t STOP = UINT64_MAX;   /* the last word of a channel */

static sync_work *now;   /* the one under way */

/* The program's objects. */
static void *there, *back, *silent[2];   /* channels */
static void *mutex, *gate;
static void *finished;                   /* latch */
static uint64_t held;                    /* how often, under the mutex */

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

static void spawn(void (*fn)(void *), void *arg)
{
    if (now->who->spawn(fn, arg) == 0) now->spawned++;
    else fn(arg);   /* so that the others can end; the counts show it */
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

static void receive(void *chan, void *other, uint64_t *word)
{
    if (other != NULL) now->who->chan_recv_either(chan, other, word);
    else now->who->chan_recv(chan, word);
}

static void ping(void *unused)
{
    (void)unused;
    uint64_t word, right = 0;
    now->begin = stamp();
    for (uint64_t i = 0; i < now->n / 2; i++) {
        word = i;
        now->who->chan_send(there, &word);
        receive(back, silent[0], &word);
        right += word == i + 1;
    }
    now->end = stamp();
    now->who->chan_send(there, &STOP);
    now->done += 2 * right;
    now->who->latch_done(finished);
}

static void pong(void *unused)
{
    (void)unused;
    uint64_t word;
    for (receive(there, silent[1], &word); word != STOP; receive(there, silent[1], &word)) {
        word++;
        now->who->chan_send(back, &word);
    }
    now->who->latch_done(finished);
}

static void two_units(sync_work *s, void (*one)(void *), void (*other)(void *))
{
    finished = s->who->latch_new(2);
    s->no_memory |= finished == NULL;
    if (s->no_memory) return;
    spawn(one, NULL);
    spawn(other, NULL);
    s->who->latch_wait(finished);
    s->who->latch_free(finished);
}

static void *channel(sync_work *s, size_t capacity)
{
    void *chan = s->who->chan_new(capacity);
    s->no_memory |= chan == NULL;
    return chan;
}

void sync_recv(sync_work *s)
{
    silent[0] = silent[1] = NULL;
    there = channel(s, 0);
    back = channel(s, 0);
    two_units(s, ping, pong);
    s->who->chan_free(there);
    s->who->chan_free(back);
}

void sync_select(sync_work *s)
{
    there = channel(s, 0);
    back = channel(s, 0);
    silent[0] = channel(s, 0);
    silent[1] = channel(s, 0);
    two_units(s, ping, pong);
    s->who->chan_free(silent[1]);
    s->who->chan_free(silent[0]);
    s->who->chan_free(there);
    s->who->chan_free(back);
}

static void source(void *unused)
{
    (void)unused;
    now->begin = stamp();
    for (uint64_t i = 0; i < now->n; i++) now->who->chan_send(there, &i);
    now->who->latch_done(finished);
}

static void sink(void *unused)
{
    (void)unused;
    uint64_t word, right = 0;
    for (uint64_t i = 0; i < now->n; i++) {
        now->who->chan_recv(there, &word);
        right += word == i;
    }
    now->end = stamp();
    now->done += right;
    now->who->latch_done(finished);
}

void sync_buffered(sync_work *s)
{
    there = channel(s, BUFFER);
    two_units(s, source, sink);
    s->who->chan_free(there);
}

/* ---- a lock ---------------------------------------------------------------------------------------------------- */

static void hold(uint64_t times)
{
    void (*lock)(void *) = now->who->mutex_lock, (*unlock)(void *) = now->who->mutex_unlock;
    for (uint64_t i = 0; i < times; i++) {
        lock(mutex);
        held++;
        unlock(mutex);
    }
}

static void single_unit(void *unused)
{
    (void)unused;
    now->begin = stamp();
    hold(now->n);
    now->end = stamp();
    now->who->latch_done(finished);
}

static void crowd_unit(void *unused)
{
    (void)unused;
    now->who->gate_wait(gate);
    hold(now->n / CROWD);
    now->who->latch_done(finished);
}

static void holding_unit(void *unused)
{
    (void)unused;
    now->who->gate_wait(gate);
    for (uint64_t i = 0; i < now->n / CROWD; i++) {
        now->who->mutex_lock(mutex);
        held++;
        now->who->yield();
        now->who->mutex_unlock(mutex);
    }
    now->who->latch_done(finished);
}

static void crowd(sync_work *s, void (*fn)(void *), unsigned units)
{
    held = 0;
    mutex = s->who->mutex_new();
    gate = s->who->gate_new();
    finished = s->who->latch_new(units);
    s->no_memory = mutex == NULL || gate == NULL || finished == NULL;
    if (s->no_memory) return;
    for (unsigned i = 0; i < units; i++) spawn(fn, NULL);
    if (units > 1) {
        s->begin = stamp();
        s->who->gate_open(gate);
    }
    s->who->latch_wait(finished);
    if (units > 1) s->end = stamp();
    s->done = held;
    s->who->latch_free(finished);
    s->who->gate_free(gate);
    s->who->mutex_free(mutex);
}

void sync_mutex(sync_work *s) { crowd(s, single_unit, 1); }
void sync_crowd(sync_work *s) { crowd(s, crowd_unit, CROWD); }
void sync_held(sync_work *s) { crowd(s, holding_unit, CROWD); }

void sync_main(void *arg)
{
    now = arg;
    now->main(now);
}
