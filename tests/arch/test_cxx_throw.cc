/* C++ exceptions thrown several stacks deep: caught further up, destructors run, and the stacks are usable after. */
// also: paged
#include <gossamer.h>

#include <stdexcept>
#include <string>

#include "tests/test.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

static gos_waitgroup all;

struct Counted {
    int *live;
    explicit Counted(int *n) : live(n) { ++*live; }
    ~Counted() { --*live; }
};

__attribute__((noinline)) static long dive(int depth, int *live)
{
    Counted here(live);
    volatile char frame[3000];
    REAL(frame);
    frame[0] = static_cast<char>(depth);
    if (depth == 0) {
        gos_yield(); /* it may go on, and throw, on another thread */
        throw std::runtime_error("depth " + std::to_string(*live));
    }
    return dive(depth - 1, live) + frame[0];
}

__attribute__((noinline)) static long rethrow(int depth, int *live)
{
    try {
        Counted here(live);
        return dive(depth, live);
    } catch (const std::logic_error &) {
        return -1; /* not ours */
    }
}

__attribute__((noinline)) static int use_stack(int n)
{
    volatile char frame[5000];
    REAL(frame);
    frame[n] = static_cast<char>(n);
    gos_yield();
    return frame[n];
}

static void task(void *)
{
    for (int depth = 0; depth < 60; depth += 7) {
        int live = 0;
        bool caught = false;
        try {
            Counted here(&live);
            rethrow(depth, &live);
        } catch (const std::runtime_error &error) {
            caught = true;
            CHECK_EQ(live, 0);
            CHECK(error.what() == "depth " + std::to_string(depth + 3));
        }
        CHECK(caught);
        CHECK_EQ(use_stack(depth), depth);
    }
    gos_waitgroup_done(&all);
}

static int run(void *)
{
    for (int round = 0; round < 20; round++) {
        gos_waitgroup_add(&all, 20);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(gos_go(task, nullptr), 0);
        gos_waitgroup_wait(&all);
    }
    return 0;
}

int main()
{
    return gos_run(run, nullptr);
}
