/*
 * The first of three searches that finds something ends the others. Each has the context of the request; what cancels
 * it is a value like any other, and a task that is told stops where it likes. A deadline ends what finds nothing.
 */
#include <errno.h>
#include <gossamer.h>
#include <gossamer/context.h>
#include <stdio.h>
#include <string.h>

typedef struct search {
    gos_context *context;
    gos_chan *found;
    gos_waitgroup *running;
    int start, step, wanted;
} search;

static void look(void *arg)
{
    search *it = arg;
    for (int n = it->start; gos_context_cause(it->context) == 0; n += it->step) {
        if (n == it->wanted)
            gos_chan_try_send(it->found, &n); /* the first one counts */
        if (n % 100 == 0)
            gos_yield();
    }
    gos_waitgroup_done(it->running);
}

/* The number, or why there is none. */
static int find(int wanted, int64_t patience)
{
    gos_waitgroup running = GOS_WAITGROUP_INIT;
    gos_context *context = gos_context_new(NULL, gos_now() + patience);
    gos_chan *found = gos_chan_new(sizeof(int), 1);
    search searches[3];
    for (int i = 0; i < 3; i++) {
        searches[i] = (search){ context, found, &running, i, 3, wanted };
        gos_waitgroup_add(&running, 1);
        if (gos_go(look, &searches[i]) != 0)
            gos_waitgroup_done(&running);
    }
    int n;
    gos_case cases[] = {
        { .chan = found, .op = GOS_RECV, .elem = &n }, { .chan = gos_context_done(context), .op = GOS_RECV },
    };
    int result = gos_select(cases, 2, -1) == 0 ? n : gos_context_cause(context);
    gos_context_cancel(context, -ECANCELED); /* whoever still searches need not */
    gos_waitgroup_wait(&running);
    gos_context_free(context);
    gos_chan_free(found);
    return result;
}

static int run(void *unused)
{
    (void)unused;
    printf("found %d\n", find(12345, 60000000000)); // expect: found 12345
    printf("%s\n", strerror(-find(-1, 20000000)));  // expect: Connection timed out
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
