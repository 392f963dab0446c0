/*
 * world.h: what the tasks of a random program use, and the books that are kept about it: who tried to send what where,
 * and who got it. What must hold whatever the order of events was:
 *   - what was sent with success is received once, or is left in the channel; what was not sent is never received;
 *   - a receiver gets what one sender sent through one channel in the order of sending, and whole;
 *   - -EPIPE comes only after somebody began to close; what begins after a close has returned is never parked and
 *     sends nothing; nothing is received by a call that began after another one found the channel drained;
 *   - one close of a channel succeeds.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <errno.h>
#include <gossamer.h>

#include "tests/fuzz/fuzz.h"

enum { CHANNELS = 4, TASKS = 24, SENDS = 96, ELEM_MOST = 200, NOBODY = TASKS };
enum { TRYING, SENT, NOT_SENT };

typedef struct attempt {
    uint8_t how, chan, received;
} attempt;

typedef struct channel {
    gos_chan *chan;
    unsigned size, cap, index;
    int closing, closed, drained, closes; /* somebody began, one has ended, one has seen the end; closes with success */
    long sent, received;                  /* through one of signals, which carry no number */
} channel;

typedef struct element {
    _Alignas(8) uint8_t bytes[ELEM_MOST];
} element;

static struct world {
    channel chans[CHANNELS];
    unsigned chans_n;
    attempt attempts[TASKS][SENDS];
    uint16_t last[TASKS + 1][CHANNELS][TASKS]; /* [receiver][channel][sender]: the number received last, plus 1 */
} world;

#define look(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define put(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define count(p, v) __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)

/* ---- elements: each four bytes tell the number and where they lie ---- */

static void element_fill(element *to, const channel *chan, uint32_t number)
{
    for (uint32_t i = 0; i < chan->size / 4; i++) {
        uint32_t word = number ^ i * 0x9e3779b9u;
        memcpy(to->bytes + 4 * i, &word, 4);
    }
}

static void element_spoil(element *to)
{
    memset(to->bytes, 0xee, sizeof to->bytes);
}

static void element_untouched(const element *it)
{
    for (size_t i = 0; i < sizeof it->bytes; i++)
        fuzz_require(it->bytes[i] == 0xee);
}

static uint32_t element_number(const element *it, const channel *chan)
{
    uint32_t number = 0;
    memcpy(&number, it->bytes, 4);
    for (uint32_t i = 0; i < chan->size / 4; i++) {
        uint32_t word;
        memcpy(&word, it->bytes + 4 * i, 4);
        fuzz_require(word == (number ^ i * 0x9e3779b9u));
    }
    for (size_t i = chan->size; i < sizeof it->bytes; i++)
        fuzz_require(it->bytes[i] == 0xee);
    return number;
}

/* ---- what a call found, and what it may find then ---- */

/* What was known of a channel before a call. */
typedef struct before {
    int closed, drained;
} before;

static before world_before(channel *chan)
{
    return (before){ .closed = look(&chan->closed), .drained = look(&chan->drained) };
}

/* Before a send by task `me`, its `*sends`th: its number; -1: it has sent all that the books have room for. */
static int64_t world_send_begins(channel *chan, element *out, unsigned me, unsigned *sends)
{
    if (*sends == SENDS)
        return -1;
    uint32_t number = me << 16 | (*sends)++;
    world.attempts[me][number & 0xffff].chan = (uint8_t)chan->index;
    element_spoil(out);
    element_fill(out, chan, number);
    return number;
}

static void world_send_ended(channel *chan, before then, int64_t number, int result)
{
    put(&world.attempts[number >> 16][number & 0xffff].how, (uint8_t)(result == 0 ? SENT : NOT_SENT));
    fuzz_require(result == 0 || result == -EPIPE || result == -EAGAIN || result == -ETIMEDOUT);
    fuzz_require(result != -EPIPE || look(&chan->closing));
    fuzz_require(!then.closed || result == -EPIPE);
    if (result == 0)
        count(&chan->sent, 1);
}

static void world_received(channel *chan, unsigned me, uint32_t number)
{
    unsigned sender = number >> 16, at = number & 0xffff;
    fuzz_require(sender < TASKS && at < SENDS);
    attempt *it = &world.attempts[sender][at];
    fuzz_require(it->chan == chan->index);
    fuzz_require(look(&it->how) != NOT_SENT);
    fuzz_require(count(&it->received, 1) == 1);
    uint16_t *last = &world.last[me][chan->index][sender];
    fuzz_require(*last <= at);
    *last = (uint16_t)(at + 1);
}

static void world_recv_ended(channel *chan, before then, unsigned me, const element *in, int result)
{
    fuzz_require(result == 0 || result == -EPIPE || result == -EAGAIN || result == -ETIMEDOUT);
    if (result == 0) {
        fuzz_require(!then.drained);
        count(&chan->received, 1);
        if (chan->size)
            world_received(chan, me, element_number(in, chan));
        else
            element_untouched(in);
        return;
    }
    element_untouched(in);
    fuzz_require(!then.drained || result == -EPIPE);
    fuzz_require(!then.closed || result == -EPIPE); /* closed, but drained since, or in vain: never parked */
    if (result == -EPIPE) {
        fuzz_require(look(&chan->closing));
        put(&chan->drained, 1);
    }
}

static void world_close(channel *chan)
{
    put(&chan->closing, 1);
    int result = gos_chan_close(chan->chan);
    fuzz_require(result == 0 || result == -EPIPE);
    if (result == 0)
        count(&chan->closes, 1);
    put(&chan->closed, 1);
}

/* ---- beginning and end ---- */

static void world_make(fuzz_bytes *in)
{
    static const unsigned sizes[] = { 8, 4, 24, 0, 200, 8 }, caps[] = { 0, 1, 2, 3, 17, 0 };
    memset(&world, 0, sizeof world);
    world.chans_n = 1 + fuzz_below(in, CHANNELS);
    for (unsigned i = 0; i < world.chans_n; i++) {
        channel *it = &world.chans[i];
        unsigned draw = fuzz_byte(in);
        it->index = i;
        it->size = sizes[draw % 6];
        it->cap = caps[draw / 6 % 6];
        it->chan = gos_chan_new(it->size, it->cap);
        fuzz_require(it->chan != NULL && gos_chan_cap(it->chan) == it->cap);
    }
}

/* All have ended and all channels are closed: what is left in them, and then the books. */
static void world_balance(void)
{
    for (unsigned i = 0; i < world.chans_n; i++) {
        channel *chan = &world.chans[i];
        size_t left = gos_chan_len(chan->chan);
        fuzz_require(left <= chan->cap);
        for (;;) {
            element in;
            element_spoil(&in);
            before then = world_before(chan);
            int result = gos_chan_try_recv(chan->chan, &in);
            world_recv_ended(chan, then, NOBODY, &in, result);
            if (result)
                break;
            fuzz_require(left-- > 0);
        }
        fuzz_require(left == 0 && chan->closes == 1 && chan->sent == chan->received);
    }
    for (unsigned i = 0; i < TASKS; i++)
        for (unsigned k = 0; k < SENDS; k++) {
            const attempt *it = &world.attempts[i][k];
            if (world.chans[it->chan].size)
                fuzz_require(it->received == (it->how == SENT));
            /* What was left was sent after all that was received before. */
            for (unsigned c = 0; c < world.chans_n && world.last[NOBODY][c][i]; c++)
                fuzz_require(world.last[k % TASKS][c][i] <= world.last[NOBODY][c][i]);
        }
}

static void world_free(void)
{
    for (unsigned i = 0; i < world.chans_n; i++)
        gos_chan_free(world.chans[i].chan);
}

#endif
