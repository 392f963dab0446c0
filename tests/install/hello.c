/* A program outside the tree: tasks, a channel, a deep call, libc. */
#include <gossamer.h>
#include <stdio.h>

static gos_chan *results;

static int depth(int n)
{
    volatile char frame[512] = { 0 };
    return n ? 1 + depth(n - 1) + frame[0] : 0;
}

static void work(void *arg)
{
    int result = depth(*(int *)arg);
    gos_chan_send(results, &result);
}

static int start(void *arg)
{
    int depths[] = { 1, 10, 100, 1000 };
    int sum = 0;
    (void)arg;
    for (int i = 0; i < 4; i++)
        if (gos_go(work, &depths[i]) != 0)
            return 2;
    for (int i = 0; i < 4; i++) {
        int result = 0;
        gos_chan_recv(results, &result);
        sum += result;
    }
    printf("%d\n", sum);
    return sum == 1111 ? 0 : 3;
}

int main(void)
{
    results = gos_chan_new(sizeof(int), 0);
    int status = results ? gos_run(start, NULL) : 4;
    gos_chan_free(results);
    return status;
}
