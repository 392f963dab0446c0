// third_shapes_tasks.cc: virtual functions of a library without checks, called from nurseries; and what they throw,
// caught there, past the crossing. Built and run by test_cc.sh.
#include <gossamer.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include "third_shapes.hh"

enum { TASKS = 200, NEAR = 1024 };

static gos_waitgroup all;
static int failed;

struct Counted {
    int *live;
    explicit Counted(int *n) : live(n) { ++*live; }
    ~Counted() { --*live; }
};

__attribute__((noinline)) static void look(const Shape &shape, const char *top)
{
    char here;
    const char *where = nullptr;
    if (shape.area(&where) != 49 || static_cast<size_t>(top - &here) > NEAR ||
        static_cast<size_t>(&here - where) < 8192) {
        fprintf(stderr, "a virtual function: frame %td from the top, callee's %td\n", top - &here, &here - where);
        failed = 1;
    }
}

__attribute__((noinline)) static long catch_it(const Shape &shape, long depth, int *live)
{
    try {
        Counted counted(live);
        return shape.fail(depth);
    } catch (long thrown) {
        return thrown;
    }
}

static void task(void *)
{
    char top;
    int live = 0;
    std::unique_ptr<Shape> shape(third_square(7)); // its destructor is virtual, too
    for (int i = 0; i < 10; i++) {
        look(*shape, &top);
        gos_yield(); // looks at the canary
        if (catch_it(*shape, i % 3, &live) != 7 || live)
            failed = 1;
        gos_yield();
    }
    std::vector<long> numbers;
    for (long i = 0; i < 100; i++)
        numbers.push_back(i);
    if (numbers[99] != 99)
        failed = 1;
    gos_waitgroup_done(&all);
}

static int run(void *)
{
    for (int i = 0; i < TASKS; i++) {
        gos_waitgroup_add(&all, 1);
        if (gos_go(task, nullptr))
            return 3;
    }
    gos_waitgroup_wait(&all);
    return failed;
}

int main()
{
    return gos_run(run, nullptr);
}
