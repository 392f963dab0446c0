/*
 * The case `bound`: what the machine allows, measured like everything else, so that each figure can show how far a
 * contender is from the least that is possible. All bounds in one process, in an order drawn anew each round.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "gbench.h"

#include "arch/ctx.h"

#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { ROUND_NS = 2000000, STACK_BYTES = 64 << 10 };

/* ---- one thread ------------------------------------------------------------------------------------------------ */

static _Alignas(64) char stack[STACK_BYTES];
static void *here, *there;   /* saved contexts */

static void switch_back(void *unused)
{
    (void)unused;
    for (;;) gos__ctx_switch(&there, here);
}

static uint64_t bound_switch(uint64_t rounds)
{
    there = gos__ctx_init(stack + sizeof stack, switch_back, NULL);
    for (uint64_t i = 0; i < rounds; i++) gos__ctx_switch(&here, there);
    return 2 * rounds;
}

static ucontext_t main_context, other_context;

static void swap_back(void)
{
    for (;;) swapcontext(&other_context, &main_context);
}

static uint64_t bound_swapcontext(uint64_t rounds)
{
    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = sizeof stack;
    makecontext(&other_context, swap_back, 0);
    for (uint64_t i = 0; i < rounds; i++) swapcontext(&main_context, &other_context);
    return 2 * rounds;
}

static __attribute__((noinline)) void empty(void) { __asm__ volatile(""); }

static uint64_t bound_call(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) empty();
    return rounds;
}

static uint64_t bound_clock(uint64_t rounds)
{
    struct timespec t;
    for (uint64_t i = 0; i < rounds; i++) clock_gettime(CLOCK_MONOTONIC, &t);
    return rounds;
}

/* The harness' own share of each figure here: the loop round nothing. */
static uint64_t bound_null(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) __asm__ volatile("");
    return rounds;
}

/* A page copied from one part of the stack to the other, cache-warm: what growing a stack by copying costs at least. */
static uint64_t bound_memcpy(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        memcpy(stack, stack + sizeof stack / 2, 4096);
        __asm__ volatile("" : : "r"(stack) : "memory");
    }
    return rounds;
}

/* ---- two threads ----------------------------------------------------------------------------------------------- */

/* A ball that two threads pass to each other: `hit` hands it to the other side, `wait_for` blocks until it is here. */
typedef struct ball {
    void (*hit)(struct ball *, int side);
    void (*wait_for)(struct ball *, int side);
    uint64_t rounds;
    uint32_t holder;     /* futex: the side whose turn it is */
    int pipe[2][2];      /* pipe: one for each side to wait at */
} ball;

static void futex_hit(ball *b, int side)
{
    __atomic_store_n(&b->holder, (uint32_t)!side, __ATOMIC_RELEASE);
    syscall(SYS_futex, &b->holder, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_wait_for(ball *b, int side)
{
    while (__atomic_load_n(&b->holder, __ATOMIC_ACQUIRE) != (uint32_t)side)
        syscall(SYS_futex, &b->holder, FUTEX_WAIT_PRIVATE, !side, NULL, NULL, 0);
}

static void pipe_hit(ball *b, int side)
{
    if (write(b->pipe[!side][1], "", 1) != 1) abort();
}

static void pipe_wait_for(ball *b, int side)
{
    char byte;
    if (read(b->pipe[side][0], &byte, 1) != 1) abort();
}

static void *play(void *arg)
{
    ball *b = arg;
    for (uint64_t i = 0; i < b->rounds; i++) {
        b->wait_for(b, 1);
        b->hit(b, 1);
    }
    return NULL;
}

/* The lowest (across) or highest (same) CPU that may be used; main runs on the highest. */
static cpu_set_t allowed;

static void choose_cpu(cpu_set_t *set, bool across)
{
    CPU_ZERO(set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        int cpu = across ? i : CPU_SETSIZE - 1 - i;
        if (!CPU_ISSET(cpu, &allowed)) continue;
        CPU_SET(cpu, set);
        return;
    }
}

static uint64_t rally(ball *b, bool across, uint64_t rounds)
{
    pthread_t other;
    cpu_set_t cpus;
    pthread_attr_t attributes;
    b->rounds = rounds;
    choose_cpu(&cpus, across);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    if (pthread_create(&other, &attributes, play, b) != 0) abort();
    for (uint64_t i = 0; i < rounds; i++) {
        b->hit(b, 0);
        b->wait_for(b, 0);
    }
    pthread_join(other, NULL);
    pthread_attr_destroy(&attributes);
    return 2 * rounds;
}

static uint64_t futex_rally(bool across, uint64_t rounds)
{
    ball b = { .hit = futex_hit, .wait_for = futex_wait_for };
    return rally(&b, across, rounds);
}

/* The line itself goes to and fro. */
static void line_hit(ball *b, int side) { __atomic_store_n(&b->holder, (uint32_t)!side, __ATOMIC_RELEASE); }

static void line_wait_for(ball *b, int side)
{
    while (__atomic_load_n(&b->holder, __ATOMIC_ACQUIRE) != (uint32_t)side) bench_relax();
}

static uint64_t bound_line(uint64_t rounds)
{
    ball b = { .hit = line_hit, .wait_for = line_wait_for };
    return rally(&b, true, rounds);
}

static uint64_t pipe_rally(bool across, uint64_t rounds)
{
    ball b = { .hit = pipe_hit, .wait_for = pipe_wait_for };
    if (pipe(b.pipe[0]) != 0 || pipe(b.pipe[1]) != 0) abort();
    uint64_t ops = rally(&b, across, rounds);
    for (int i = 0; i < 4; i++) close(b.pipe[i / 2][i % 2]);
    return ops;
}

static uint64_t bound_futex_same(uint64_t rounds) { return futex_rally(false, rounds); }
static uint64_t bound_futex_across(uint64_t rounds) { return futex_rally(true, rounds); }
static uint64_t bound_pipe_same(uint64_t rounds) { return pipe_rally(false, rounds); }
static uint64_t bound_pipe_across(uint64_t rounds) { return pipe_rally(true, rounds); }

/* ---- the case -------------------------------------------------------------------------------------------------- */

typedef struct bound {
    const char *name;
    uint64_t (*loop)(uint64_t rounds);   /* returns the operations done */
    bool across;                         /* needs two CPUs */
    uint64_t rounds;
    sheet sheet;
} bound;

static bound bounds[] = {
    { .name = "null", .loop = bound_null },
    { .name = "call", .loop = bound_call },
    { .name = "memcpy", .loop = bound_memcpy },
    { .name = "switch", .loop = bound_switch },
    { .name = "swapcontext", .loop = bound_swapcontext },
    { .name = "clock", .loop = bound_clock },
    { .name = "futex-same", .loop = bound_futex_same },
    { .name = "pipe-same", .loop = bound_pipe_same },
    { .name = "line", .loop = bound_line, .across = true },
    { .name = "futex-across", .loop = bound_futex_across, .across = true },
    { .name = "pipe-across", .loop = bound_pipe_across, .across = true },
};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

typedef struct rounds {
    unsigned random;
    int rep;
} rounds;

static int64_t measure(bound *b)
{
    int64_t begin = clock_ns();
    b->sheet.ops = b->sheet.n = b->loop(b->rounds);
    return clock_ns() - begin;
}

static void calibrate(bound *b)
{
    for (b->rounds = 16;; b->rounds *= 2) {
        int64_t ns = measure(b);
        if (ns < ROUND_NS / 4) continue;
        b->rounds = b->rounds * ROUND_NS / (uint64_t)ns + 1;
        return;
    }
}

static bool possible(const bound *b) { return !b->across || CPU_COUNT(&allowed) > 1; }

/* Every bound once, in a new order (Fisher-Yates). */
static void one_round(gb_state *state, void *arg)
{
    rounds *r = arg;
    int order[BOUNDS];
    for (int i = 0; i < BOUNDS; i++) {
        int j = rand_r(&r->random) % (i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    while (gb_keep_running(state, BOUNDS)) {
        int64_t total = 0;
        for (int i = 0; i < BOUNDS; i++) {
            bound *b = &bounds[order[i]];
            if (!possible(b)) continue;
            int64_t ns = measure(b);
            double each = (double)ns / (double)b->sheet.ops;
            row_write(&b->sheet, r->rep, "ns_per_op", each);
            gb_counter(state, b->name, each);
            total += ns;
        }
        gb_set_seconds(state, (double)total * 1e-9);
        r->rep++;
    }
}

bool case_bound(const options *opt)
{
    rounds r = { .random = (unsigned)opt->seed };
    sched_getaffinity(0, sizeof allowed, &allowed);
    pin_to_one_cpu();
    for (int i = 0; i < BOUNDS; i++) {
        bounds[i].sheet = sheet_new(opt, bounds[i].name);
        if (possible(&bounds[i])) {
            calibrate(&bounds[i]);
            continue;
        }
        bounds[i].sheet.status = "not-run";
        snprintf(bounds[i].sheet.why, sizeof bounds[i].sheet.why, "needs two CPUs, the process may use one");
        row_write(&bounds[i].sheet, 0, "ns_per_op", NAN);
    }
    gb_register("bound", one_round, &r, BOUNDS, opt->reps);
    gb_run();
    return true;
}
