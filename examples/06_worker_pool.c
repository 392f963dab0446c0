/*
 * A fixed number of tasks serve jobs from one channel and put the answers into another. Tasks are cheap enough to have
 * one for each job; a pool like this bounds how many are under way at once.
 */
#include <gossamer.h>
#include <stdio.h>

enum { SERVERS = 8, JOBS = 1000 };

typedef struct answer {
    int start, steps;
} answer;

static gos_chan *jobs, *answers;
static gos_waitgroup servers;

/* Steps until n is 1, halving even numbers and taking odd ones times 3 plus 1. */
static int collatz(long n)
{
    int steps = 0;
    for (; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

static void serve(void *unused)
{
    (void)unused;
    for (int n; gos_chan_recv(jobs, &n) == 0;) {
        answer a = { n, collatz(n) };
        gos_chan_send(answers, &a);
    }
    gos_waitgroup_done(&servers);
}

static void hand_out(void *unused)
{
    (void)unused;
    for (int n = 1; n <= JOBS; n++)
        gos_chan_send(jobs, &n);
    gos_chan_close(jobs); /* the servers end when they have drained it */
}

static void close_answers(void *unused)
{
    (void)unused;
    gos_waitgroup_wait(&servers);
    gos_chan_close(answers);
}

static int run(void *unused)
{
    (void)unused;
    jobs = gos_chan_new(sizeof(int), 0);
    answers = gos_chan_new(sizeof(answer), 16);
    if (jobs == NULL || answers == NULL)
        return 1;
    gos_waitgroup_add(&servers, SERVERS);
    for (int i = 0; i < SERVERS; i++)
        if (gos_go(serve, NULL) != 0)
            return 1;
    if (gos_go(hand_out, NULL) != 0 || gos_go(close_answers, NULL) != 0)
        return 1;

    int received = 0;
    answer most = { 0, -1 };
    for (answer a; gos_chan_recv(answers, &a) == 0; received++) /* in any order */
        if (a.steps > most.steps)
            most = a;
    printf("%d answers\n", received);                    // expect: 1000 answers
    printf("%d takes %d steps\n", most.start, most.steps); // expect: 871 takes 178 steps
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
