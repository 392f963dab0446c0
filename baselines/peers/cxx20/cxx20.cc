/*
 * cxx20.cc: C++20 coroutines with the least that makes them independently running units: a queue, first in first out,
 * on one thread. A unit is a frame on the heap without a stack; it can wait only in itself, not in a function that it
 * calls. So the suite's units are written anew here, as coroutines, and stand in the place of benches/workload.c: the
 * same work and the same counts.
 */
#include <coroutine>
#include <cstdlib>
#include <exception>
#include <new>

#define _Alignas alignas
#define _Noreturn [[noreturn]]
#define _Static_assert static_assert
extern "C" {
#include "benches/workload.h"
}

namespace {

/* ---- frames: from malloc; or, pooled, those of coroutines that have ended, by size ------------------------------- */

struct frame_source {
    static constexpr std::size_t STEP = 16, CLASSES = 32;
    struct spare {
        spare *next;
    };
    spare *spares[CLASSES] = {};
    bool pooled = false;

    void *take(std::size_t size)
    {
        std::size_t at = (size + STEP - 1) / STEP;
        if (!pooled || at >= CLASSES)
            return std::malloc(size);
        spare *frame = spares[at];
        if (!frame)
            return std::malloc(at * STEP);
        spares[at] = frame->next;
        return frame;
    }
    void give(void *memory, std::size_t size)
    {
        std::size_t at = (size + STEP - 1) / STEP;
        if (!pooled || at >= CLASSES) {
            std::free(memory);
        } else {
            spare *frame = static_cast<spare *>(memory);
            frame->next = spares[at];
            spares[at] = frame;
        }
    }
};

frame_source frames;

/* ---- the scheduler ---------------------------------------------------------------------------------------------- */

struct unit {
    struct promise_type {
        promise_type *next;

        std::coroutine_handle<promise_type> handle()
        {
            return std::coroutine_handle<promise_type>::from_promise(*this);
        }
        unit get_return_object()
        {
            return {this};
        }
        static unit get_return_object_on_allocation_failure()
        {
            return {nullptr};
        }
        static void *operator new(std::size_t size) noexcept
        {
            return frames.take(size);
        }
        static void operator delete(void *frame, std::size_t size)
        {
            frames.give(frame, size);
        }
        std::suspend_always initial_suspend() noexcept
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
        {
            return {};
        }
        void return_void() {}
        void unhandled_exception()
        {
            std::terminate();
        }
    };
    promise_type *promise; /* NULL: there was no memory */
};

using promise = unit::promise_type;
using handle = std::coroutine_handle<promise>;

struct queue {
    promise *head = nullptr, *tail = nullptr;

    void push(promise *p)
    {
        p->next = nullptr;
        (head ? tail->next : head) = p;
        tail = p;
    }
    promise *pop()
    {
        promise *p = head;
        if (p)
            head = p->next;
        return p;
    }
    void splice(queue &other)
    {
        if (!other.head)
            return;
        (head ? tail->next : head) = other.head;
        tail = other.tail;
        other.head = nullptr;
    }
};

queue ready;
uint64_t made;

/* Who goes on when a unit waits; the loop below when nobody can. */
std::coroutine_handle<> next()
{
    promise *p = ready.pop();
    return p ? std::coroutine_handle<>(p->handle()) : std::noop_coroutine();
}

void run_ready()
{
    while (promise *p = ready.pop())
        p->handle().resume();
}

int spawn(unit u)
{
    if (!u.promise)
        return -12; /* -ENOMEM */
    ready.push(u.promise);
    return 0;
}

/* ---- what units wait for ---------------------------------------------------------------------------------------- */

struct yielding {
    bool await_ready()
    {
        return !ready.head;
    }
    std::coroutine_handle<> await_suspend(handle self)
    {
        ready.push(&self.promise());
        return next();
    }
    void await_resume() {}
};

struct gate {
    queue waiters;
    bool open = false;

    void let_in()
    {
        open = true;
        ready.splice(waiters);
    }
    auto wait()
    {
        struct waiting {
            gate &at;
            bool await_ready()
            {
                return at.open;
            }
            std::coroutine_handle<> await_suspend(handle self)
            {
                at.waiters.push(&self.promise());
                return next();
            }
            void await_resume() {}
        };
        return waiting{*this};
    }
};

/* A rendezvous: at most one unit on either side, which is all that a hand-over needs. */
struct meeting {
    promise *sender = nullptr, *receiver = nullptr;
    uint64_t word = 0;

    auto send(uint64_t out)
    {
        struct sending {
            meeting &at;
            uint64_t out;
            bool await_ready()
            {
                if (!at.receiver)
                    return false;
                at.word = out;
                ready.push(at.receiver);
                at.receiver = nullptr;
                return true;
            }
            std::coroutine_handle<> await_suspend(handle self)
            {
                at.word = out;
                at.sender = &self.promise();
                return next();
            }
            void await_resume() {}
        };
        return sending{*this, out};
    }
    auto receive()
    {
        struct receiving {
            meeting &at;
            bool await_ready()
            {
                if (!at.sender)
                    return false;
                ready.push(at.sender);
                at.sender = nullptr;
                return true;
            }
            std::coroutine_handle<> await_suspend(handle self)
            {
                at.receiver = &self.promise();
                return next();
            }
            uint64_t await_resume()
            {
                return at.word;
            }
        };
        return receiving{*this};
    }
};

void stop_spawning(workload *w, int error)
{
    w->stopped = true;
    w->error = error;
    observer_ask(OBSERVER_LIMITS, error);
}

/* ---- memory, spawn ---------------------------------------------------------------------------------------------- */

unit parked(workload *w, gate &at)
{
    made++;
    w->ran++;
    co_await at.wait();
}

unit marking(uint8_t *mark)
{
    made++;
    ++*mark;
    co_return;
}

void spawn_round(workload *w)
{
    uint64_t begun = 0;
    for (uint64_t i = 0; i < w->asked; i++)
        w->marks[i] = 0;
    w->begin = clock_ns();
    for (; begun < w->asked; begun++) {
        int error = observer_says_stop() ? 0 : spawn(marking(&w->marks[begun]));
        if (error || observer_says_stop()) {
            stop_spawning(w, -error);
            break;
        }
    }
    run_ready();
    w->end = clock_ns();
    for (uint64_t i = 0; i < w->asked; i++)
        w->ran += w->marks[i];
    w->spawned += begun;
}

/* ---- yield, handover -------------------------------------------------------------------------------------------- */

enum { WARM_UP_STEPS = 64 };

int started, ended;
int last;

unit yields(workload *w, int side)
{
    uint64_t passed = 0;
    made++;
    w->ran++;
    for (int64_t warm = clock_ns() + WARM_UP_NS; clock_ns() < warm;)
        for (int i = 0; i < WARM_UP_STEPS; i++)
            co_await yielding{};
    for (started++; started < 2;)
        co_await yielding{};
    if (!w->begin)
        w->begin = clock_ns();
    for (uint64_t i = 0; i < w->asked; i++) {
        if (last != side) {
            last = side;
            passed++;
        }
        co_await yielding{};
    }
    w->ops += passed;
    if (!ended++)
        w->end = clock_ns();
}

constexpr uint64_t GAME_OVER = UINT64_MAX;

unit ping(workload *w, meeting &there, meeting &back)
{
    made++;
    w->ran++;
    int64_t warm = clock_ns() + WARM_UP_NS;
    for (uint64_t i = 0, timed = 0; timed < w->asked; i++) {
        if (!w->begin && i % WARM_UP_STEPS == 0) {
            if (clock_ns() >= warm)
                w->begin = clock_ns();
            else
                w->warm_words += WARM_UP_STEPS;
        }
        timed += w->begin != 0;
        co_await there.send(i);
        w->errors += co_await back.receive() != i + 1;
    }
    w->end = clock_ns();
    co_await there.send(GAME_OVER);
    w->ops += w->asked;
}

unit pong(workload *w, meeting &there, meeting &back)
{
    uint64_t words = 0;
    made++;
    w->ran++;
    for (uint64_t word = co_await there.receive(); word != GAME_OVER; word = co_await there.receive()) {
        co_await back.send(word + 1);
        words++;
    }
    w->ops += words - w->warm_words;
}

/* ---- the contender ---------------------------------------------------------------------------------------------- */

int run(int threads, void (*fn)(void *), void *arg)
{
    if (threads != 1)
        return -22; /* -EINVAL */
    made = 1;
    fn(arg);
    return 0;
}

int run_pooled(int threads, void (*fn)(void *), void *arg)
{
    frames.pooled = true;
    return run(threads, fn, arg);
}

uint64_t how_many()
{
    return made;
}

/* Never called: that there is something here says which cases the coroutines above serve. */
void *offered(size_t)
{
    std::abort();
}

template <int (*run_with)(int, void (*)(void *), void *)>
contender table(const char *name, const char *label, const char *isolates)
{
    contender c = {};
    c.name = name, c.label = label, c.isolates = isolates;
    c.lacks = "a coroutine cannot wait inside a plain function";
    c.max_threads = 1;
    c.run = run_with, c.made = how_many;
    c.gate_new = [] { return offered(0); }, c.latch_new = [](long) { return offered(0); };
    c.chan_new = offered, c.yield = [] { std::abort(); };
    return c;
}

const contender coroutines =
    table<run>("cxx20", "C++20 coroutines",
               "stackless: a unit is a frame of its own variables and cannot wait inside a function that it calls");
const contender pooled = table<run_pooled>("cxx20-pool", "C++20 coroutines, pooled",
                                           "the allocation: cxx20 with frames that are used again, without malloc");

} // namespace

extern "C" {

const contender *const contenders[] = {&coroutines, &pooled, nullptr};

void memory_main(void *arg)
{
    workload *w = static_cast<workload *>(arg);
    gate at;
    while (w->spawned < w->asked && !w->stopped) {
        int error = observer_says_stop() ? 0 : spawn(parked(w, at));
        if (error || observer_says_stop())
            stop_spawning(w, -error);
        if (!error)
            w->spawned++;
    }
    run_ready();
    observer_ask(OBSERVER_STOP, 0);
    at.let_in();
    run_ready();
    observer_ask(OBSERVER_STOP, 0);
}

void spawn_main(void *arg)
{
    workload *w = static_cast<workload *>(arg);
    int64_t warm = clock_ns() + WARM_UP_NS;
    if (w->warm_up)
        do
            spawn_round(w);
        while (!w->stopped && clock_ns() < warm);
    if (!w->stopped)
        spawn_round(w);
}

void yield_main(void *arg)
{
    workload *w = static_cast<workload *>(arg);
    started = ended = last = 0;
    w->spawned = !spawn(yields(w, 1)) + !spawn(yields(w, 2));
    run_ready();
}

void handover_main(void *arg)
{
    workload *w = static_cast<workload *>(arg);
    meeting there, back;
    w->spawned = !spawn(ping(w, there, back)) + !spawn(pong(w, there, back));
    run_ready();
}
}
