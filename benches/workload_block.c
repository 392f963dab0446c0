/* The units of the cases about blocking: see block.h. Task code. */
#define _GNU_SOURCE
#include "block.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A step is a multiplication that waits for the last: about 1 us in all. */
enum { STEPS = 700, MOST_BUSY_NS = 100000 };

static blocking *now;   /* the one under way */

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

static void count(uint64_t *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

static int phase(void) { return __atomic_load_n(&now->phase, __ATOMIC_ACQUIRE); }

static __attribute__((noinline)) uint64_t piece(uint64_t x)
{
    for (int i = 0; i < STEPS; i++) x = x * UINT64_C(6364136223846793005) + 1;
    __asm__ volatile("" : "+r"(x));
    return x;
}

/* A piece of work, then the others' turn, until the conductor ends it. */
static void working_unit(void *counter)
{
    work_count *mine = counter;
    void (*yield)(void) = now->who->yield;
    uint64_t x = (uintptr_t)counter;
    count(&now->ran);
    while (phase() != PHASE_END) {
        x = piece(x);
        __atomic_store_n(&mine->n, mine->n + 1, __ATOMIC_RELAXED);
        yield();
    }
    now->who->latch_done(now->finished);
}

/* The same, but it never lets others have a turn. */
static void hogging_unit(void *unused)
{
    (void)unused;
    uint64_t x = 1;
    count(&now->ran);
    while (phase() != PHASE_END) x = piece(x);
    now->who->latch_done(now->finished);
}

static void spawn(void (*fn)(void *), void *arg)
{
    int error = now->who->spawn(fn, arg);
    if (error == 0) {
        now->spawned++;
    } else {
        __atomic_store_n(&now->error, -error, __ATOMIC_RELEASE);
        now->who->latch_done(now->finished);
    }
}

static void begin(blocking *b, uint64_t units)
{
    now = b;
    b->finished = b->who->latch_new((long)units);
    for (unsigned i = 0; i < b->working; i++) spawn(working_unit, &b->work[i]);
}

static void end(blocking *b)
{
    b->who->latch_wait(b->finished);
    b->who->latch_free(b->finished);
}

/* What the runtime knows nothing of: no wrapper of libc for it, no hint. */
static void raw_read(int fd)
{
    char byte;
    while (syscall(SYS_read, fd, &byte, 1) != 1) {}
}

/* ---- progress ------------------------------------------------------------------------------------------------ */

static void blocking_unit(void *unused)
{
    (void)unused;
    count(&now->ran);
    count(&now->entered);
    raw_read(now->fd[0]);
    now->who->latch_done(now->finished);
}

void progress_main(void *arg)
{
    blocking *b = arg;
    begin(b, b->working + b->blockers);
    while (phase() == PHASE_BEFORE) b->who->yield();
    for (uint64_t i = 0; i < b->blockers; i++) spawn(blocking_unit, NULL);
    end(b);
}

/* ---- handoff ------------------------------------------------------------------------------------------------- */

/* Busy for a random time, so that calls do not begin in step with whoever watches. */
static void busy_for_a_while(blocking *b)
{
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    int64_t until = stamp() + (int64_t)(b->random >> 33) % MOST_BUSY_NS;
    while (stamp() < until) {}
}

static void calling_unit(void *unused)
{
    (void)unused;
    blocking *b = now;
    char byte;
    count(&b->ran);
    for (uint64_t i = 0; i < b->n; i++) {
        busy_for_a_while(b);
        b->called = stamp();
        __atomic_store_n(&b->armed, 1, __ATOMIC_RELEASE);
        if (b->kind == BLOCK_POSIX) {
            while (read(b->fd[0], &byte, 1) != 1) {}
        } else if (b->kind == BLOCK_HINT) {
            b->who->block_begin();
            raw_read(b->fd[0]);
            b->who->block_end();
        } else {
            raw_read(b->fd[0]);
        }
        b->who->yield();   /* back on the worker, if it was lost */
    }
    b->who->latch_done(b->finished);
}

/* One call; of two functions in turns, so that a runtime that remembers who blocked does not know this one. */
static void call_once(void)
{
    blocking *b = now;
    count(&b->ran);
    busy_for_a_while(b);
    b->called = stamp();
    __atomic_store_n(&b->armed, 1, __ATOMIC_RELEASE);
    raw_read(b->fd[0]);
    b->who->latch_done(b->finished);   /* back on a worker */
    __atomic_store_n(&b->returned, 1, __ATOMIC_RELEASE);
}

static void calling_once(void *unused) { (void)unused; call_once(); }
static void calling_once_too(void *unused) { (void)unused; call_once(); }

static bool has_failed(const blocking *b)
{
    return __atomic_load_n(&b->error, __ATOMIC_ACQUIRE) != 0;
}

/* Ready all the time; its next turn is when the worker of the other one runs again. */
static void waiting_unit(void *unused)
{
    (void)unused;
    blocking *b = now;
    count(&b->ran);
    for (uint64_t i = 0; i < b->n; i++) {
        if (b->kind == BLOCK_FIRST) spawn(i % 2 ? calling_once : calling_once_too, NULL);
        while (!__atomic_load_n(&b->armed, __ATOMIC_ACQUIRE) && !has_failed(b)) b->who->yield();
        if (has_failed(b)) {   /* nobody will call; who is not started any more counts as done */
            while (b->kind == BLOCK_FIRST && ++i < b->n) b->who->latch_done(b->finished);
            break;
        }
        b->samples[i] = stamp() - b->called;
        b->armed = 0;
        while (syscall(SYS_write, b->fd[1], "", 1) != 1) {}
        while (b->kind == BLOCK_FIRST && !__atomic_load_n(&b->returned, __ATOMIC_ACQUIRE)) b->who->yield();
        b->returned = 0;
    }
    b->who->latch_done(b->finished);
}

void handoff_main(void *arg)
{
    blocking *b = arg;
    begin(b, b->kind == BLOCK_FIRST ? b->n + 1 : 2);
    spawn(waiting_unit, NULL);
    if (b->kind != BLOCK_FIRST) spawn(calling_unit, NULL);
    end(b);
}

/* ---- lateness ------------------------------------------------------------------------------------------------ */

static void sleeping_unit(void *unused)
{
    (void)unused;
    blocking *b = now;
    const struct timespec time = { .tv_nsec = b->sleep_ns };
    count(&b->ran);
    for (uint64_t i = 0; i < b->n; i++) {
        int64_t from = stamp();
        if (b->kind == BLOCK_OWN) b->who->sleep(b->sleep_ns);
        else nanosleep(&time, NULL);
        b->samples[i] = stamp() - from;
    }
    __atomic_store_n(&b->phase, PHASE_END, __ATOMIC_RELEASE);
    b->who->latch_done(b->finished);
}

void lateness_main(void *arg)
{
    blocking *b = arg;
    begin(b, b->working + b->hogs + 1);
    for (unsigned i = 0; i < b->hogs; i++) spawn(hogging_unit, NULL);
    spawn(sleeping_unit, NULL);
    end(b);
}

/* ---- wakeup -------------------------------------------------------------------------------------------------- */

/* A word is the time at which it was to come. */
static void woken_unit(void *unused)
{
    (void)unused;
    blocking *b = now;
    int64_t due = 0;
    count(&b->ran);
    for (uint64_t i = 0; i < b->n; i++) {
        if (b->chan != NULL) b->who->chan_recv(b->chan, &due);
        else while (read(b->fd[0], &due, sizeof due) != sizeof due) {}
        b->samples[i] = stamp() - due;
    }
    __atomic_store_n(&b->phase, PHASE_END, __ATOMIC_RELEASE);
    b->who->latch_done(b->finished);
}

void wakeup_main(void *arg)
{
    blocking *b = arg;
    begin(b, b->working + 1);
    spawn(woken_unit, NULL);
    __atomic_store_n(&b->armed, 1, __ATOMIC_RELEASE);   /* the source may begin */
    end(b);
}
