/*
 * tbb.cc: oneTBB (Debian: libtbb-dev). A task is a job that a pool of threads runs to its end: stealing deques, no
 * stack of its own. Waiting inside a task runs other tasks on top of it, so there is no gate, yield or channel here.
 */
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <new>

extern "C" {
#include "baselines/contender.h"
}

namespace one = oneapi::tbb;

namespace {

std::atomic<uint64_t> made{0};
one::task_group *group;

int run(int threads, void (*fn)(void *), void *arg)
{
    if (threads < 1)
        return -EINVAL;
    if (group)
        return -EBUSY;
    one::global_control bound(one::global_control::max_allowed_parallelism, static_cast<size_t>(threads));
    one::task_arena arena(threads);
    made = 1;
    arena.execute([&] {
        one::task_group all;
        group = &all;
        fn(arg);
        all.wait();
        group = nullptr;
    });
    return 0;
}

int spawn(void (*fn)(void *), void *arg)
{
    try {
        group->run([fn, arg] {
            made.fetch_add(1, std::memory_order_relaxed);
            fn(arg);
        });
        return 0;
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    }
}

/* The first unit alone waits: for the whole group, in which it runs tasks itself. */
struct latch {
    std::atomic<long> missing;
};

void *latch_new(long n)
{
    return new (std::nothrow) latch{{n}};
}

void latch_done(void *arg)
{
    static_cast<latch *>(arg)->missing.fetch_sub(1, std::memory_order_release);
}

void latch_wait(void *arg)
{
    while (static_cast<latch *>(arg)->missing.load(std::memory_order_acquire) > 0)
        group->wait();
}

void latch_free(void *arg)
{
    delete static_cast<latch *>(arg);
}

uint64_t how_many()
{
    return made.load(std::memory_order_relaxed);
}

contender table()
{
    contender c = {};
    c.name = "tbb", c.label = "oneTBB tasks";
    c.isolates = "against pool: a deque for each thread, which others steal from, instead of one queue under a lock";
    c.lacks = "a task that waits keeps its thread: tasks run to their end";
    c.run = run, c.spawn = spawn, c.made = how_many;
    c.latch_new = latch_new, c.latch_done = latch_done, c.latch_wait = latch_wait, c.latch_free = latch_free;
    return c;
}

const contender tasks = table();

} // namespace

extern "C" const contender *const contenders[] = {&tasks, nullptr};
