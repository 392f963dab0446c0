/* What passes at the doors of a worker's own channels: to whom, in which order, how many bytes; who else gets on. */
// also: paged
#include <errno.h>
#include <gossamer.h>
#include <string.h>

#include "tests/test.h"

enum { CROWD = 5, PAIR_AT_MOST = 20000 };

static gos_chan *one, *other;
static gos_waitgroup ended;
static long passed;
static int stop;

/* ---- a pair of tasks does not keep a third from running ---- */

static void ball(void *in)
{
    uint64_t word;
    gos_chan *out = in == one ? other : one;
    while (gos_chan_recv(in, &word) == 0) {
        passed++;
        if (stop || passed > PAIR_AT_MOST)
            gos_chan_close(out);
        else
            gos_chan_send(out, &word);
    }
    gos_chan_close(out);
    gos_waitgroup_done(&ended);
}

static void pair_and_a_third(void)
{
    uint64_t word = 1;
    one = gos_chan_new(sizeof word, 0);
    other = gos_chan_new(sizeof word, 0);
    stop = 0;
    passed = 0;
    gos_waitgroup_add(&ended, 2);
    CHECK_EQ(gos_go(ball, one), 0);
    CHECK_EQ(gos_go(ball, other), 0);
    CHECK_EQ(gos_chan_send(one, &word), 0);
    gos_yield(); /* behind the two of them */
    stop = 1;
    gos_waitgroup_wait(&ended);
    CHECK(passed > 0 && passed < PAIR_AT_MOST);
    gos_chan_free(one);
    gos_chan_free(other);
}

/* ---- first come, first served ---- */

static uint64_t came[CROWD];
static int came_n;

static void receiver(void *unused)
{
    (void)unused;
    uint64_t word = 0;
    CHECK_EQ(gos_chan_recv(one, &word), 0);
    came[came_n++] = word;
}

static void sender(void *word)
{
    uint64_t mine = (uint64_t)(uintptr_t)word;
    CHECK_EQ(gos_chan_send(one, &mine), 0);
}

static void in_their_order(void)
{
    one = gos_chan_new(sizeof(uint64_t), 0);
    came_n = 0;
    for (int i = 0; i < CROWD; i++)
        CHECK_EQ(gos_go(receiver, NULL), 0);
    gos_yield(); /* a pinned task's children begin behind it */
    for (uint64_t word = 1; word <= CROWD; word++) /* at the door, and in C */
        CHECK_EQ(word & 1 ? gos_chan_send(one, &word) : gos_chan_try_send(one, &word), 0);
    while (came_n < CROWD)
        gos_yield();
    uint64_t sum = 0, word = 9;
    for (int i = 0; i < CROWD; i++)
        sum += came[i];
    CHECK_EQ(sum, CROWD * (CROWD + 1) / 2);
    CHECK_EQ(gos_chan_try_send(one, &word), -EAGAIN); /* nobody is left in the list */

    for (uintptr_t i = 1; i <= CROWD; i++)
        CHECK_EQ(gos_go(sender, (void *)i), 0);
    gos_yield();
    for (uint64_t i = 1; i <= CROWD; i++) {
        CHECK_EQ(i & 1 ? gos_chan_recv(one, &word) : gos_chan_try_recv(one, &word), 0);
        CHECK_EQ(word, i);
    }
    CHECK_EQ(gos_chan_try_recv(one, &word), -EAGAIN);
    gos_chan_free(one);
}

/* ---- a select that is served leaves its other channels ---- */

static int chosen;
static uint64_t selected;

static void selector(void *op)
{
    uint64_t unused = 7;
    gos_case cases[] = { { .chan = one, .op = (int)(intptr_t)op, .elem = &unused },
                         { .chan = other, .op = (int)(intptr_t)op, .elem = &selected } };
    chosen = gos_select(cases, 2, -1);
    gos_waitgroup_done(&ended);
}

static void select_is_served(void)
{
    one = gos_chan_new(sizeof(uint64_t), 0);
    other = gos_chan_new(sizeof(uint64_t), 0);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t word = 100 + i;
        chosen = -1;
        gos_waitgroup_add(&ended, 1);
        CHECK_EQ(gos_go(selector, (void *)(intptr_t)GOS_RECV), 0);
        CHECK_EQ(gos_chan_send(other, &word), 0);
        gos_waitgroup_wait(&ended);
        CHECK_EQ(chosen, 1);
        CHECK_EQ(selected, word);
        CHECK_EQ(gos_chan_try_send(one, &word), -EAGAIN);

        selected = word = 200 + i;
        chosen = -1;
        gos_waitgroup_add(&ended, 1);
        CHECK_EQ(gos_go(selector, (void *)(intptr_t)GOS_SEND), 0);
        CHECK_EQ(gos_chan_recv(other, &word), 0);
        gos_waitgroup_wait(&ended);
        CHECK_EQ(chosen, 1);
        CHECK_EQ(word, 200 + i);
        CHECK_EQ(gos_chan_try_recv(one, &word), -EAGAIN);
    }
    gos_chan_free(one);
    gos_chan_free(other);
}

/* ---- elements of any size, and not a byte more ---- */

static size_t size;
static unsigned char got[64];

static void take_one(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof got; i++)
        got[i] = 0xee;
    CHECK_EQ(gos_chan_recv(one, got), 0);
    gos_waitgroup_done(&ended);
}

static void sizes(void)
{
    static const size_t all[] = { 0, 1, 4, 7, 8, 9, 16, 40 };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t capacity = 0; capacity < 2; capacity++) {
            unsigned char sent[64];
            memset(sent, 0x5a, sizeof sent);
            size = all[i];
            one = gos_chan_new(size, capacity);
            gos_waitgroup_add(&ended, 1);
            CHECK_EQ(gos_go(take_one, NULL), 0);
            CHECK_EQ(gos_chan_send(one, sent), 0);
            gos_waitgroup_wait(&ended);
            for (size_t at = 0; at < sizeof got; at++)
                CHECK_EQ(got[at], at < size ? 0x5a : 0xee);
            gos_chan_free(one);
        }
    }
}

static int run(void *unused)
{
    (void)unused;
    pair_and_a_third();
    in_their_order();
    select_is_served();
    sizes();
    gos_pin();
    in_their_order();
    select_is_served();
    gos_unpin();
    return 0;
}

int main(void)
{
    gos_procs(1); /* so that every channel stays its worker's own */
    return gos_run(run, NULL);
}
