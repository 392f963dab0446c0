/*
 * Two tasks throw a ball to and fro. A channel of capacity 0 has no room: each send waits until the other side
 * receives, so the two take turns.
 */
#include <gossamer.h>
#include <stdio.h>

enum { THROWS = 100000 };

typedef struct court {
    gos_chan *there, *back;
} court;

static void player(void *arg)
{
    court *c = arg;
    long ball;
    while (gos_chan_recv(c->there, &ball) == 0) { /* -EPIPE when the game is over */
        ball++;
        gos_chan_send(c->back, &ball);
    }
    gos_chan_close(c->back);
}

static int game(void *unused)
{
    (void)unused;
    court c = { gos_chan_new(sizeof(long), 0), gos_chan_new(sizeof(long), 0) };
    if (c.there == NULL || c.back == NULL || gos_go(player, &c) != 0)
        return 1;
    long ball = 0;
    for (int i = 0; i < THROWS; i++) {
        gos_chan_send(c.there, &ball);
        gos_chan_recv(c.back, &ball);
    }
    printf("the ball came back %ld times\n", ball); // expect: the ball came back 100000 times

    /* Closing says that nothing more comes. The player answers in the same way, and then uses neither channel. */
    gos_chan_close(c.there);
    while (gos_chan_recv(c.back, &ball) == 0)
        ;
    gos_chan_free(c.there);
    gos_chan_free(c.back);
    return 0;
}

int main(void)
{
    return gos_run(game, NULL);
}
