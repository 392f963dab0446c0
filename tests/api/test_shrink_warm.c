/* Going down and up again and again costs no system call: memory that came back is kept for the next time. */
// env: GOS_DEBUG=trim=0
// not-with: paged (stacks that grow)
#include "tests/shrink.h"



static gos_waitgroup ended;

static void down_and_up(void *bytes)
{
    for (int i = 0; i < 300; i++) {
        if (i == 2) /* from now on it is warm */
            discards = 0;
        descend((long)(intptr_t)bytes, NULL, NULL);
    }
    CHECK_EQ(discards, 0);
    gos_waitgroup_done(&ended);
}

static int run(void *unused)
{
    (void)unused;
    for (long bytes = 1024; bytes <= 1 << 20; bytes *= 2) {
        gos_waitgroup_add(&ended, 1);
        CHECK_EQ(gos_go(down_and_up, (void *)(intptr_t)bytes), 0);
        gos_waitgroup_wait(&ended);
    }
    return 0;
}

int main(void)
{
    CHECK_EQ(gos_run(run, NULL), 0);
    return 0;
}
