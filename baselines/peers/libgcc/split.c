/*
 * split.c: a program of its own: the suite's crossing loop (benches/check_calls.c, the very object that gossamer
 * runs) over libgcc's __morestack, the runtime that gcc itself brings for -fsplit-stack.
 *
 * The loop runs on a small stack, made by libgcc's own calls for contexts and used up but for LEFT bytes, so that each
 * call of large_frame, whose frame is 4 KiB, needs another segment. libgcc keeps that segment when the call returns:
 * nothing is allocated after the first round. Measured twice: as it is by default, with signals blocked by system calls
 * for the time of each change of stacks (`libgcc`), and with that switched off (`libgcc-signals`), which libgcc allows
 * where no signal handler is compiled with it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

/* libgcc, generic-morestack.c */
void *__splitstack_makecontext(size_t size, void *context[10], size_t *usable);
void __splitstack_setcontext(void *context[10]);
void __splitstack_getcontext(void *context[10]);
void __splitstack_block_signals_context(void *context[10], int *on, int *before);

uint64_t crossing_checked(uint64_t rounds);

enum { EPOCH_NS = 1000000, SMALL = 2048, LEFT = 2048 };

static struct {
    uint64_t rounds, calls;
    int64_t ns;
} epoch;
static ucontext_t outside, inside;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What checked code may still use of the stack it is on: down to the limit, in the word that its prologues read. */
static size_t room(void)
{
    uintptr_t limit;
    __asm__ volatile("mov %%fs:0x70, %0" : "=r"(limit));
    return (uintptr_t)__builtin_frame_address(0) - limit;
}

static void run_epochs(void)
{
    if (room() > LEFT)
        __asm__ volatile("" : : "r"(__builtin_alloca(room() - LEFT)) : "memory");
    for (;;) {
        crossing_checked(1); /* the segment is there */
        int64_t begin = now();
        epoch.calls = crossing_checked(epoch.rounds);
        epoch.ns = now() - begin;
        swapcontext(&inside, &outside);
    }
}

/* Nanoseconds a call. The context of split stacks is switched beside the registers, as libgcc asks. */
static double sample(void *small[10], uint64_t rounds)
{
    void *large[10];
    epoch.rounds = rounds;
    __splitstack_getcontext(large);
    __splitstack_setcontext(small);
    swapcontext(&outside, &inside);
    __splitstack_getcontext(small);
    __splitstack_setcontext(large);
    return epoch.calls == rounds ? (double)epoch.ns / (double)rounds : -1;
}

static int measure(const char *contender, int block_signals, int reps, int launch, FILE *rows)
{
    void *small[10];
    size_t size;
    void *stack = __splitstack_makecontext(SMALL, small, &size);
    __splitstack_block_signals_context(small, &block_signals, NULL);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = size;
    inside.uc_link = NULL;
    makecontext(&inside, run_epochs, 0);
    double pilot = sample(small, 1000);
    uint64_t rounds = pilot > 0 ? (uint64_t)(EPOCH_NS / pilot) + 1 : 1000;
    for (int rep = 0; rep < 2 * reps; rep++) {
        double ns = sample(small, rounds);
        if (ns < 0) {
            fprintf(stderr, "libgcc-split: the loop made %llu calls instead of %llu\n",
                    (unsigned long long)epoch.calls, (unsigned long long)rounds);
            return 1;
        }
        fprintf(rows, "{\"case\": \"check\", \"contender\": \"%s\", \"variant\": \"crossing\", \"n\": %llu, "
                "\"threads\": 1, \"launch\": %d, \"rep\": %d, \"metric\": \"ns_per_op\", \"value\": %.6g, "
                "\"units_asked\": 0, \"units_made\": 0, \"ops\": %llu, \"status\": \"ok\", \"why\": \"\"}\n",
                contender, (unsigned long long)rounds, launch, rep, ns, (unsigned long long)rounds);
    }
    return 0;
}

static void pin_to_one_cpu(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    int cpu = CPU_SETSIZE - 1;
    while (cpu > 0 && !CPU_ISSET(cpu, &set))
        cpu--;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* Takes the options of gosbench that concern it and ignores the others, which bench.py gives to every program. */
int main(int argc, char **argv)
{
    int reps = 5, launch = 0;
    FILE *rows = stdout;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--reps=", 7) == 0) reps = atoi(argv[i] + 7);
        else if (strncmp(argv[i], "--launch=", 9) == 0) launch = atoi(argv[i] + 9);
        else if (strncmp(argv[i], "--rows=", 7) == 0 && (rows = fopen(argv[i] + 7, "a")) == NULL) {
            fprintf(stderr, "libgcc-split: %s: %m\n", argv[i]);
            return 2;
        }
    }
    pin_to_one_cpu();
    return measure("libgcc", 1, reps, launch, rows) || measure("libgcc-signals", 0, reps, launch, rows);
}
