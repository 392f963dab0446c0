// timeout: 120
/*
 * Tasks that only pass words on, from a source over many to a sink, are gathered on one worker (sched/gather.c), given
 * back, and gathered again: no word is lost, whichever worker they are on, while others send by select, time out, and
 * change the number of workers. Where two workers run at once, it does happen.
 */
#include <gossamer.h>

#include <errno.h>

#include "sched/worker.h"
#include "tests/test.h"

enum { UNITS = 50, ROOM = 16, WORDS = 5000, ROUNDS = 300, MOST_ROUNDS = 20000, WORKERS = 4 };

static const long stop = -1;
static gos_chan *out, *in;
static gos_waitgroup ended;
static int over;

static void source(void *unused)
{
    (void)unused;
    for (long i = 0; i < WORDS; i++)
        CHECK_EQ(gos_chan_send(out, &i), 0);
    for (int i = 0; i < UNITS; i++)
        CHECK_EQ(gos_chan_send(out, &stop), 0);
    gos_waitgroup_done(&ended);
}

static int receive(long *word, bool by_deadline)
{
    while (by_deadline) {
        int result = gos_chan_recv_until(out, word, gos_now() + 100000);
        if (result != -ETIMEDOUT)
            return result;
    }
    return gos_chan_recv(out, word);
}

static void unit(void *arg)
{
    long which = (long)(intptr_t)arg, word;
    for (;;) {
        CHECK_EQ(receive(&word, which % 5 == 1), 0);
        if (word == stop)
            break;
        word++;
        if (which % 5 == 2) {
            gos_case cases[] = { { .chan = in, .op = GOS_SEND, .elem = &word } };
            CHECK_EQ(gos_select(cases, 1, -1), 0);
        } else {
            CHECK_EQ(gos_chan_send(in, &word), 0);
        }
    }
    gos_waitgroup_done(&ended);
}

static void changes(void *unused)
{
    (void)unused;
    for (int n = 1; !__atomic_load_n(&over, __ATOMIC_RELAXED); n = n % WORKERS + 1) {
        gos_procs(n);
        gos_sleep(50000);
    }
    gos_waitgroup_done(&ended);
}

static long gathered(void)
{
    long n = 0;
    for (uint32_t i = 0; i < gos__load_acquire(&gos__rt->made); i++)
        n += gos__load_relaxed(&gos__rt->workers[i]->gathering.n);
    return n;
}

static void round_of(bool changing)
{
    long word, sum = 0;
    out = gos_chan_new(sizeof word, ROOM);
    in = gos_chan_new(sizeof word, ROOM);
    gos_waitgroup_add(&ended, UNITS + 1 + changing);
    __atomic_store_n(&over, 0, __ATOMIC_RELAXED);
    if (changing)
        CHECK_EQ(gos_go(changes, NULL), 0);
    for (long i = 0; i < UNITS; i++)
        CHECK_EQ(gos_go(unit, (void *)(intptr_t)i), 0);
    CHECK_EQ(gos_go(source, NULL), 0);
    for (long i = 0; i < WORDS; i++) {
        CHECK_EQ(gos_chan_recv(in, &word), 0);
        sum += word;
    }
    CHECK_EQ(sum, (long)WORDS * (WORDS + 1) / 2);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    gos_waitgroup_wait(&ended);
    gos_chan_free(out);
    gos_chan_free(in);
}

static int run(void *unused)
{
    (void)unused;
    const char *san = getenv("SAN");
    bool must = !(san && *san) && sysconf(_SC_NPROCESSORS_ONLN) > 1 && gos__membarrier_works();
    int rounds = san && *san ? ROUNDS / 30 : ROUNDS;
    for (int i = 0; i < rounds || (must && !gathered()); i++) {
        CHECK(i < MOST_ROUNDS);
        round_of(i % 4 == 3 && i < rounds);
        gos_procs(2);
    }
    return 0;
}

int main(void)
{
    gos_procs(2);
    return gos_run(run, NULL);
}
