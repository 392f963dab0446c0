/* A pinned task receives in the order in which another one sent, also what went into the buffer just as it began to
 * watch the channel. */
// also: paged
#include <gossamer.h>

#include "tests/test.h"

static uint64_t seed;
static int rounds;
static gos_waitgroup all;

static void spin(uint64_t n)
{
    for (volatile uint64_t i = 0; i < n; i++)
        ;
}

static void send_bursts(void *chan)
{
    uint64_t draw = seed, word = 0;
    gos_pin();
    for (int i = 0; i < rounds; i++) {
        for (uint64_t n = 2 + test_random(&draw) % 16; n > 0; n--) {
            word++;
            CHECK_EQ(gos_chan_send(chan, &word), 0);
        }
        spin(test_random(&draw) % 256);
    }
    CHECK_EQ(gos_chan_close(chan), 0);
    gos_waitgroup_done(&all);
}

static void receive_in_order(void *chan)
{
    gos_pin();
    uint64_t word, expected = 0;
    while (gos_chan_recv(chan, &word) == 0)
        CHECK_EQ(word, ++expected);
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_chan *chan = gos_chan_new(sizeof(uint64_t), 8);
    gos_waitgroup_add(&all, 2);
    CHECK_EQ(gos_go(send_bursts, chan), 0);
    CHECK_EQ(gos_go(receive_in_order, chan), 0);
    gos_waitgroup_wait(&all);
    gos_chan_free(chan);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    seed = test_seed();
    rounds = san && *san ? 2000 : 30000;
    gos_procs(2);
    CHECK_EQ(gos_run(run, NULL), 0);
    return 0;
}
