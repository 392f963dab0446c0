/*
 * test_baselines.c: every baseline runs through its whole table, and its answers are checked.
 *
 *     test_baselines [name [units]]     one contender only; parks that many units at once and says how far it came
 *
 * The coroutine baselines change stacks in ways that thread sanitizer does not know: left out under it. A guard that is
 * met has to end the process by SIGSEGV itself, which the sanitizers would catch and make an exit of.
 */
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// build: plain
// env: ASAN_OPTIONS=handle_segv=0
// env: UBSAN_OPTIONS=handle_segv=0
// timeout: 120
#include "../../baselines/baselines.h"
#include "../test.h"
#include "base/config.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define UNITS 200
#define THREADS 2

static const contender *c; /* the one under test */

static int run(void (*fn)(void *), void *arg)
{
    return c->run(c->max_threads == 1 ? 1 : THREADS, fn, arg);
}

/* Whether the units of this contender run one at a time, in order. */
static bool in_order(void)
{
    return c->max_threads == 1;
}

/* ---- spawn and latch ---- */

typedef struct tally {
    void *latch;
    _Atomic long sum;
    long asked;
} tally;

static void add_one(void *arg)
{
    tally *t = arg;
    atomic_fetch_add_explicit(&t->sum, 1, memory_order_relaxed);
    c->latch_done(t->latch);
}

static void spawn_many(void *arg)
{
    tally *t = arg;
    t->latch = c->latch_new(t->asked);
    for (long i = 0; i < t->asked; i++)
        CHECK_EQ(c->spawn(add_one, t), 0);
    c->latch_wait(t->latch);
    CHECK_EQ(atomic_load(&t->sum), t->asked);
    c->latch_free(t->latch);

    void *open = c->latch_new(0);
    c->latch_wait(open);
    c->latch_free(open);
}

static void test_spawn(void)
{
    for (int round = 0; round < 3; round++) {
        tally t = {.asked = UNITS};
        CHECK_EQ(run(spawn_many, &t), 0);
        CHECK_EQ(c->made(), UNITS + 1);
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

static void run_again(void *arg)
{
    *(int *)arg = run(nothing, NULL);
}

static void test_run(void)
{
    int inner = 0;
    CHECK_EQ(run(run_again, &inner), 0);
    CHECK_EQ(inner, -EBUSY);
    CHECK_EQ(c->made(), 1);
    if (c->max_threads == 1)
        CHECK_EQ(c->run(2, nothing, NULL), -EINVAL);
}

/* run returns only when all have ended, those that nobody waited for and those of units included. */
#define DEPTH 6

typedef struct tree {
    _Atomic long leaves;
    _Atomic int depth_left[1 << (DEPTH + 1)]; /* by node; children of i are 2i and 2i+1 */
} tree;

static tree the_tree;

static void grow(void *arg)
{
    long node = (long)arg;
    if (node >= 1 << DEPTH) {
        if (c->yield)
            c->yield();
        atomic_fetch_add(&the_tree.leaves, 1);
        return;
    }
    CHECK_EQ(c->spawn(grow, (void *)(2 * node)), 0);
    CHECK_EQ(c->spawn(grow, (void *)(2 * node + 1)), 0);
}

static void test_tree(void)
{
    atomic_store(&the_tree.leaves, 0);
    CHECK_EQ(run(grow, (void *)1L), 0);
    CHECK_EQ(atomic_load(&the_tree.leaves), 1 << DEPTH);
    CHECK_EQ(c->made(), (2 << DEPTH) - 1);
}

/* ---- gate ---- */

typedef struct parking {
    void *gate, *arrived;
    _Atomic long passed;
    long asked, parked;
    int refused;
    void *gone;
} parking;

static void park(void *arg)
{
    parking *p = arg;
    c->latch_done(p->arrived);
    c->gate_wait(p->gate);
    atomic_fetch_add(&p->passed, 1);
    c->latch_done(p->gone);
}

static void park_all(void *arg)
{
    parking *p = arg;
    p->gate = c->gate_new();
    p->arrived = c->latch_new(p->asked);
    p->gone = c->latch_new(p->asked);
    while (p->parked < p->asked && !p->refused) {
        p->refused = c->spawn(park, p);
        p->parked += !p->refused;
    }
    for (long i = p->parked; i < p->asked; i++) {
        c->latch_done(p->arrived);
        c->latch_done(p->gone);
    }
    c->latch_wait(p->arrived);
    CHECK_EQ(c->made(), p->parked + 1);
    CHECK_EQ(atomic_load(&p->passed), 0);
    c->gate_open(p->gate);
    c->latch_wait(p->gone);
    CHECK_EQ(atomic_load(&p->passed), p->parked);
    c->gate_wait(p->gate); /* an open gate lets everybody through */
}

/* Once run has returned, nobody is left who could touch them. */
static void free_parking(parking *p)
{
    c->gate_free(p->gate);
    c->latch_free(p->arrived);
    c->latch_free(p->gone);
}

static void test_gate(void)
{
    parking p = {.asked = UNITS};
    CHECK_EQ(run(park_all, &p), 0);
    CHECK_EQ(p.refused, 0);
    CHECK_EQ(c->made(), UNITS + 1);
    free_parking(&p);
}

/* ---- yield: with a scheduler of its own, strictly in turn ---- */

static struct {
    char order[64];
    int used;
} turns;

static void take_turns(void *arg)
{
    for (int i = 0; i < 3; i++) {
        turns.order[turns.used++] = *(const char *)arg;
        c->yield();
    }
}

static void spawn_turns(void *arg)
{
    (void)arg;
    CHECK_EQ(c->spawn(take_turns, "a"), 0);
    CHECK_EQ(c->spawn(take_turns, "b"), 0);
    CHECK_EQ(c->spawn(take_turns, "c"), 0);
}

static void test_yield(void)
{
    if (!in_order()) {
        c->yield();
        return;
    }
    memset(&turns, 0, sizeof turns);
    CHECK_EQ(run(spawn_turns, NULL), 0);
    CHECK_EQ(strcmp(turns.order, "abcabcabc"), 0);
}

/* ---- channels ---- */

#define WORDS 250 /* each hand-over may wait for a slice of a busy machine */

typedef struct pipe_test {
    void *chan, *done;
    size_t capacity;
    long senders;
    _Atomic long sent;
    _Atomic uint64_t sum;
} pipe_test;

static void send_words(void *arg)
{
    pipe_test *t = arg;
    for (uint64_t i = 1; i <= WORDS; i++) {
        c->chan_send(t->chan, &i);
        atomic_fetch_add(&t->sent, 1);
    }
    c->latch_done(t->done);
}

static uint64_t received(void *chan)
{
    uint64_t word = 0;
    c->chan_recv(chan, &word);
    return word;
}

static void receive_words(void *arg)
{
    pipe_test *t = arg;
    for (int i = 0; i < WORDS; i++)
        atomic_fetch_add(&t->sum, received(t->chan));
    c->latch_done(t->done);
}

/* One sender: in order, and never further ahead than capacity (plus, at both ends, the one just moving). */
static void receive_in_order(void *arg)
{
    pipe_test *t = arg;
    t->chan = c->chan_new(t->capacity);
    t->done = c->latch_new(1);
    CHECK_EQ(c->spawn(send_words, t), 0);
    for (uint64_t i = 1; i <= WORDS; i++) {
        if (i <= 3)
            for (int k = 0; k < 20; k++)
                c->yield();
        CHECK(atomic_load(&t->sent) <= (long)(t->capacity + i - 1));
        CHECK_EQ(received(t->chan), i);
    }
    c->latch_wait(t->done);
    c->latch_free(t->done);
}

static void many_to_many(void *arg)
{
    pipe_test *t = arg;
    t->chan = c->chan_new(t->capacity);
    t->done = c->latch_new(2 * t->senders);
    for (long i = 0; i < t->senders; i++) {
        CHECK_EQ(c->spawn(send_words, t), 0);
        CHECK_EQ(c->spawn(receive_words, t), 0);
    }
    c->latch_wait(t->done);
    c->latch_free(t->done);
}

static void test_channel(size_t capacity)
{
    pipe_test one = {.capacity = capacity, .senders = 1};
    CHECK_EQ(run(receive_in_order, &one), 0);
    c->chan_free(one.chan);

    pipe_test many = {.capacity = capacity, .senders = 4};
    CHECK_EQ(run(many_to_many, &many), 0);
    CHECK_EQ(atomic_load(&many.sum), many.senders * (WORDS * (WORDS + 1L) / 2));
    c->chan_free(many.chan);
}

static void test_channel_limits(void)
{
    CHECK(c->chan_new(SIZE_MAX / 8) == NULL);
}

/* ---- stacks ---- */

#define DEEP (60 * 1024)

static void use_stack(void *arg)
{
    volatile char frame[DEEP];
    for (size_t i = 0; i < DEEP; i += 512)
        frame[i] = (char)i;
    _Alignas(16) volatile char aligned[16] = {0};
    *(uintptr_t *)arg = (uintptr_t)aligned % 16 + (uintptr_t)(frame[512] != 0);
}

static void spawn_deep(void *arg)
{
    uintptr_t *wrong = arg;
    for (int i = 0; i < 8; i++)
        CHECK_EQ(c->spawn(use_stack, &wrong[i]), 0);
}

static void test_stack(void)
{
    uintptr_t wrong[8];
    memset(wrong, 0xff, sizeof wrong);
    CHECK_EQ(run(spawn_deep, wrong), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(wrong[i], 0);
}

static void overrun(void *arg)
{
    volatile uintptr_t here = (uintptr_t)&arg; /* volatile: the compiler would see through it and object */
    for (uintptr_t down = 1; down <= 66; down++)
        *(volatile char *)(here - down * 1024) = 1;
}

static void spawn_overrun(void *arg)
{
    (void)arg;
    c->spawn(overrun, NULL);
}

/* How a child process ends that runs body. */
static int in_child(void (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void run_overrun(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    run(spawn_overrun, NULL);
}

static void test_guard(void)
{
    int status = in_child(run_overrun);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* ---- limits: a refused spawn says so and harms nobody ---- */

static void run_into_limit(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    rlim_t most = (rlim_t)(pages * sysconf(_SC_PAGESIZE)) + (256 << 20);
    struct rlimit space = {most, most};
    CHECK_EQ(setrlimit(RLIMIT_AS, &space), 0);
    parking p = {.asked = 1 << 20};
    CHECK_EQ(run(park_all, &p), 0);
    CHECK(p.refused == -ENOMEM || p.refused == -EAGAIN);
    CHECK(p.parked > 10 && p.parked < p.asked);
    free_parking(&p);
}

static void test_limit(void)
{
    CHECK_EQ(in_child(run_into_limit), 0);
}

/* ---- which apply to whom ---- */

static void test_table(void)
{
    bool whole = c->yield && c->gate_new && c->gate_wait && c->gate_open && c->gate_free && c->chan_new &&
                 c->chan_send && c->chan_recv && c->chan_free;
    CHECK(c->name && c->label && c->isolates);
    CHECK(c->run && c->spawn && c->made);
    CHECK(c->latch_new && c->latch_done && c->latch_wait && c->latch_free);
    CHECK(whole || c->lacks);
}

static void test_contender(void)
{
    test_table();
    test_run();
    test_spawn();
    test_tree();
    if (c->yield)
        test_yield();
    if (c->gate_new)
        test_gate();
    if (c->chan_new) {
        test_channel_limits();
        test_channel(0);
        test_channel(1);
        test_channel(8);
    }
    if (c != &contender_pthread_min)
        test_stack();
    if (!GOS_TSAN && (c == &contender_fixed || c == &contender_pthread_min)) /* which starts no threads in a child */
        test_guard();
    if (!GOS_SAN && c->gate_new) /* they map terabytes */
        test_limit();
}

#define ENTRY(id) &contender_##id,
static const contender *const all[] = {BASELINES(ENTRY)};

static int park_units(const char *text)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || *end || n < 1) {
        fprintf(stderr, "test_baselines: units must be a whole number from 1, not '%s'\n", text);
        return 2;
    }
    if (!c->gate_new) {
        fprintf(stderr, "test_baselines: %s cannot park units: %s\n", c->name, c->lacks);
        return 2;
    }
    parking p = {.asked = n};
    CHECK_EQ(run(park_all, &p), 0);
    free_parking(&p);
    printf("%s: %ld of %ld units parked at once; spawn then said: %s\n", c->name, p.parked, n,
           p.refused ? strerror(-p.refused) : "nothing");
    return 0;
}

int main(int argc, char **argv)
{
    bool found = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        c = all[i];
        if (argc > 1 && strcmp(argv[1], c->name))
            continue;
        found = true;
        if (argc > 2)
            return park_units(argv[2]);
        if (GOS_TSAN && in_order())
            continue;
        puts(c->name);
        fflush(stdout);
        test_contender();
    }
    if (!found) {
        fprintf(stderr, "test_baselines: no baseline is called '%s'; see baselines/README.md\n", argv[1]);
        return 2;
    }
    return 0;
}
