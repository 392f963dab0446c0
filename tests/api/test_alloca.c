/* alloca and variable-length arrays in checked code, in frames that fit the stack and in frames that do not. */
// also: paged
// not-with: paged (frames of a megabyte want stacks that grow)
#include <gossamer.h>

#include <alloca.h>
#include <string.h>

#include "tests/test.h"

enum { TASKS = 200 };

static gos_waitgroup all;

/* Fills what it got, lets others run, and looks whether it is still there. */
__attribute__((noinline)) static long use(unsigned char *bytes, size_t n, int seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(seed + (int)i);
    gos_yield();
    long sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += bytes[i] == (unsigned char)(seed + (int)i);
    return sum;
}

__attribute__((noinline)) static long at_depth(int depth, size_t n, int seed)
{
    unsigned char *bytes = alloca(n);
    long below = depth ? at_depth(depth - 1, n + 100, seed + 1) : 0;
    return use(bytes, n, seed) + below;
}

static void task(void *arg)
{
    int seed = (int)(intptr_t)arg;
    for (int round = 0; round < 20; round++) {
        size_t n = (size_t)(1 + (seed * 37 + round * 911) % 3000);
        CHECK_EQ(at_depth(0, n, seed), (long)n);
        CHECK_EQ(at_depth(5, n, seed), (long)(6 * n + 1500));
    }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    CHECK_EQ(at_depth(3, 1000000, 7), 4 * 1000000l + 600);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    CHECK_EQ(gos_run(run, NULL), 0);
    return 0;
}
