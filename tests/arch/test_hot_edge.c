/*
 * A task that crosses again and again without a park has the calls above cross in place of those that they make; after
 * a park all are on the nursery again, where there is room.
 */
// arch: x86_64 (stack checks)
// not-with: paged undefined (paged stacks alone; frames of other sizes)
#include <gossamer.h>

#include "tests/test.h"

enum { ROUNDS = 1000, FAR = 8192 };

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

static gos_waitgroup all;
static const char *top;
static int crossed_below;

static __attribute__((noinline)) void large(void)
{
    char frame[2000];
    REAL(frame);
    crossed_below += top - frame > FAR || frame - top > FAR;
}

/* Far: this call crossed; near: it is on the nursery, and those that it makes cross. */
static __attribute__((noinline)) int is_far(void)
{
    char frame[32];
    REAL(frame);
    large();
    large();
    return frame - top > FAR;
}

static void task(void *unused)
{
    char here;
    (void)unused;
    for (int turn = 0; turn < 3; turn++) {
        top = &here;
        int n = 0;
        CHECK(!is_far());
        for (int i = 0; i < ROUNDS; i++)
            n += is_far();
        CHECK(n > ROUNDS / 2);
        CHECK(n < ROUNDS);
        gos_yield();
    }
    CHECK_EQ(crossed_below, 3 * 2 * (ROUNDS + 1));
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(task, NULL), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    gos_procs(1);
    return gos_run(run, NULL);
}
