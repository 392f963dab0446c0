/*
 * A task starts on less than a kilobyte of stack, and still may recurse for megabytes: deep calls borrow a large
 * stack and give it back. Here a thousand tasks wait on their small stacks while some recurse 100,000 calls deep.
 */
// not-with: paged (deep recursion wants stacks that grow)
#include <gossamer.h>
#include <stdio.h>

enum { WAITING = 1000, RECURSING = 4, DEPTH = 100000 };

static gos_chan *go;
static gos_waitgroup all;
static gos_mutex mutex = GOS_MUTEX_INIT;
static long total;

/* The sum of 1 to n. Each call has a frame of its own: the compiler is kept from making a loop of it. */
__attribute__((noinline)) static long add_up(long n)
{
    volatile char frame[100];
    frame[0] = 1;
    return n == 0 ? 0 : n * frame[0] + add_up(n - 1);
}

static void add_to_total(long n)
{
    gos_mutex_lock(&mutex);
    total += n;
    gos_mutex_unlock(&mutex);
}

static void wait_first(void *unused)
{
    (void)unused;
    gos_chan_recv(go, NULL); /* comes back when the channel is closed */
    add_to_total(1);
    gos_waitgroup_done(&all);
}

static void recurse(void *unused)
{
    (void)unused;
    add_to_total(add_up(DEPTH));
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    go = gos_chan_new(0, 0); /* elements of no bytes: a signal */
    if (go == NULL)
        return 1;
    gos_waitgroup_add(&all, WAITING + RECURSING);
    for (int i = 0; i < WAITING; i++)
        if (gos_go(wait_first, NULL) != 0)
            return 1;
    for (int i = 0; i < RECURSING; i++)
        if (gos_go(recurse, NULL) != 0)
            return 1;
    gos_chan_close(go);
    gos_waitgroup_wait(&all);
    gos_chan_free(go);
    printf("%ld\n", total); // expect: 20000201000
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
