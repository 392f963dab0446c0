// Tasks that are interrupted while they handle an exception, each with its own: GOS_SEED interrupts at every call.
// env: GOS_SEED=7
#include <gossamer.h>
#include <exception>
#include <stdexcept>

#include "tests/test.h"

enum { TASKS = 6, ROUNDS = 20 };

static gos_waitgroup all;

// Not inlined: the scheduler may decide at each call.
__attribute__((noinline)) static int through(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n;
}

__attribute__((noinline)) static void nest(int me, int depth)
{
    try {
        throw me * 100 + depth;
    } catch (int &mine) {
        CHECK_EQ(through(mine), me * 100 + depth);
        if (depth > 0)
            nest(me, depth - 1);
        CHECK_EQ(std::uncaught_exceptions(), 0);
        try {
            throw;    // what this task handles, and no other's
        } catch (int &again) {
            CHECK_EQ(through(again), me * 100 + depth);
        }
        CHECK_EQ(through(mine), me * 100 + depth);
    }
}

static void task(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        nest(static_cast<int>(reinterpret_cast<intptr_t>(arg)), i % 4);
        CHECK(!std::current_exception());
    }
    gos_waitgroup_done(&all);
}

static int run(void *)
{
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 1; i <= TASKS; i++)
        CHECK_EQ(gos_go(task, reinterpret_cast<void *>(i)), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main()
{
    return gos_run(run, nullptr);
}
