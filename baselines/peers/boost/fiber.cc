/*
 * fiber.cc: Boost.Fiber (Debian: libboost-fiber-dev), with the library's own channels and condition variables.
 *
 * One thread: its default scheduler, round robin. More: shared_work, which hands ready fibers to any thread and is
 * woken without spinning. `boost-fiber` has the library's stacks, 128 KiB by malloc for each fiber; `boost-fiber-pool`
 * its pool of 64 KiB stacks, which spares malloc and is good for one thread only.
 */
#define NDEBUG 1 /* its headers assert much */
#include <boost/fiber/all.hpp>

#include <atomic>
#include <cerrno>
#include <new>
#include <thread>
#include <vector>

extern "C" {
#include "baselines/contender.h"
}

namespace fibers = boost::fibers;

namespace {

/* A gate or a latch: what all wait for is guarded by a lock that spins, since it is held for a moment. */
class busy_lock {
    std::atomic_flag taken = ATOMIC_FLAG_INIT;

public:
    void lock()
    {
        while (taken.test_and_set(std::memory_order_acquire))
            __builtin_ia32_pause();
    }
    void unlock()
    {
        taken.clear(std::memory_order_release);
    }
};

struct latch {
    busy_lock lock;
    fibers::condition_variable_any complete;
    long missing;

    explicit latch(long n) : missing(n) {}
    void done(long n)
    {
        std::lock_guard<busy_lock> hold(lock);
        missing -= n;
        if (missing <= 0)
            complete.notify_all();
    }
    void wait()
    {
        std::unique_lock<busy_lock> hold(lock);
        complete.wait(hold, [this] { return missing <= 0; });
    }
};
static_assert(sizeof(latch) <= LATCH_BYTES, "a latch must fit the caller's place");

struct channel {
    virtual ~channel() = default;
    virtual void send(uint64_t word) = 0;
    virtual uint64_t receive() = 0;
};

template <class Channel>
struct channel_of : channel {
    Channel words;

    template <class... Room>
    explicit channel_of(Room... room) : words(room...)
    {
    }
    void send(uint64_t word) override
    {
        words.push(word);
    }
    uint64_t receive() override
    {
        return words.value_pop();
    }
};

std::atomic<uint64_t> made{0};
std::atomic<long> live{0};
std::size_t stack_size = 64 * 1024;
bool pooled;
fibers::pooled_fixedsize_stack *pool;

/* ---- threads beside the first: they live as long as the process, since each keeps its scheduler ---- */

void help(int)
{
    fibers::use_scheduling_algorithm<fibers::algo::shared_work>(true);
    fibers::mutex mutex;
    fibers::condition_variable never;
    std::unique_lock<fibers::mutex> hold(mutex);
    for (;;)
        never.wait(hold); /* this thread's own fiber: others run meanwhile */
}

bool have_threads(int threads)
{
    static int running = 0;
    if (!running) {
        if (threads > 1)
            fibers::use_scheduling_algorithm<fibers::algo::shared_work>(true);
        for (int i = 1; i < threads; i++)
            std::thread(help, i).detach();
        running = threads;
    }
    return running == threads;
}

fibers::mutex end_lock;
fibers::condition_variable end_seen;

void unit(void (*fn)(void *), void *arg)
{
    made.fetch_add(1, std::memory_order_relaxed);
    fn(arg);
    if (live.fetch_sub(1) == 1) {
        std::lock_guard<fibers::mutex> hold(end_lock);
        end_seen.notify_all();
    }
}

int run(int threads, void (*fn)(void *), void *arg)
{
    if (threads < 1 || (pooled && threads > 1) || !have_threads(threads))
        return -EINVAL;
    if (pooled && !pool)
        pool = new fibers::pooled_fixedsize_stack(stack_size);
    made = 1;
    fn(arg);
    std::unique_lock<fibers::mutex> hold(end_lock);
    end_seen.wait(hold, [] { return live.load() == 0; });
    return 0;
}

int run_default(int threads, void (*fn)(void *), void *arg)
{
    return run(threads, fn, arg);
}

int run_pooled(int threads, void (*fn)(void *), void *arg)
{
    pooled = true;
    return run(threads, fn, arg);
}

bool roomy; /* stack_room was called */

int spawn(void (*fn)(void *), void *arg)
{
    try {
        live.fetch_add(1);
        if (pool)
            fibers::fiber(fibers::launch::post, std::allocator_arg, *pool, unit, fn, arg).detach();
        else if (roomy)
            fibers::fiber(fibers::launch::post, std::allocator_arg, fibers::fixedsize_stack(stack_size), unit, fn, arg)
                .detach();
        else
            fibers::fiber(unit, fn, arg).detach();
        return 0;
    } catch (const std::bad_alloc &) {
        live.fetch_sub(1);
        return -ENOMEM;
    }
}

void stack_room(size_t bytes)
{
    roomy = true;
    if (bytes + 16384 > stack_size)
        stack_size = bytes + 16384;
}

void yield()
{
    boost::this_fiber::yield();
}

void *gate_new()
{
    return new (std::nothrow) latch(1);
}

void gate_open(void *gate)
{
    static_cast<latch *>(gate)->done(1);
}

void *latch_new(long n)
{
    return new (std::nothrow) latch(n);
}

void latch_init(void *place, long n)
{
    new (place) latch(n);
}

void latch_done(void *arg)
{
    static_cast<latch *>(arg)->done(1);
}

void latch_wait(void *arg)
{
    static_cast<latch *>(arg)->wait();
}

void latch_free(void *arg)
{
    delete static_cast<latch *>(arg);
}

/* The library's buffered channel has a power of two of places and leaves one empty. */
void *chan_new(size_t capacity)
{
    size_t room = 2;
    while (room <= capacity)
        room *= 2;
    if (!capacity)
        return static_cast<channel *>(new (std::nothrow) channel_of<fibers::unbuffered_channel<uint64_t>>());
    return static_cast<channel *>(new (std::nothrow) channel_of<fibers::buffered_channel<uint64_t>>(room));
}

void chan_send(void *chan, const void *word)
{
    static_cast<channel *>(chan)->send(*static_cast<const uint64_t *>(word));
}

void chan_recv(void *chan, void *word)
{
    *static_cast<uint64_t *>(word) = static_cast<channel *>(chan)->receive();
}

void chan_free(void *chan)
{
    delete static_cast<channel *>(chan);
}

void sleep_for(int64_t ns)
{
    boost::this_fiber::sleep_for(std::chrono::nanoseconds(ns));
}

uint64_t how_many()
{
    return made.load(std::memory_order_relaxed);
}

contender table(const char *name, const char *label, const char *isolates, int (*start)(int, void (*)(void *), void *))
{
    contender c = {};
    c.name = name, c.label = label, c.isolates = isolates;
    c.run = start, c.stack_room = stack_room, c.spawn = spawn, c.yield = yield;
    c.gate_new = gate_new, c.gate_wait = latch_wait, c.gate_open = gate_open, c.gate_free = latch_free;
    c.latch_new = latch_new, c.latch_done = latch_done, c.latch_wait = latch_wait, c.latch_free = latch_free;
    c.latch_init = latch_init;
    c.chan_new = chan_new, c.chan_send = chan_send, c.chan_recv = chan_recv, c.chan_free = chan_free;
    c.sleep = sleep_for, c.made = how_many;
    c.max_threads = start == run_pooled;
    return c;
}

const contender plain = table("boost-fiber", "Boost.Fiber", "fibers with 128 KiB stacks from malloc", run_default);
const contender from_pool = table("boost-fiber-pool", "Boost.Fiber, pooled stacks",
                                  "against boost-fiber: 64 KiB stacks from the library's pool", run_pooled);

} // namespace

extern "C" const contender *const contenders[] = {&plain, &from_pool, nullptr};
