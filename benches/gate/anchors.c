/* Rows without any of our code, and the loop that burns time: when these move, the machine did. */
#define _GNU_SOURCE
#include "gate.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 64 << 10 };

/* A chain of dependent multiplications: no cache, no branch worth the name. */
void burn(uint64_t rounds)
{
    uint64_t x = rounds | 1;
    for (uint64_t i = 0; i < rounds; i++) {
        x *= 6364136223846793005u;
        __asm__ volatile("" : "+r"(x));
    }
}

static uint64_t run_alu(uint64_t ops)
{
    burn(ops);
    return ops;
}

static ucontext_t main_context, other_context;
static _Alignas(64) char stack[STACK_BYTES];

static void swap_back(void)
{
    for (;;) swapcontext(&other_context, &main_context);
}

static void prepare_swapcontext(void)
{
    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = sizeof stack;
    makecontext(&other_context, swap_back, 0);
}

static uint64_t run_swapcontext(uint64_t ops)
{
    for (uint64_t i = 0; i < (ops + 1) / 2; i++) swapcontext(&main_context, &other_context);
    return (ops + 1) / 2 * 2;
}

/* Whose turn it is: 0 main's, 1 the partner's. */
static uint32_t turn;

static void pass_on(uint32_t from)
{
    __atomic_store_n(&turn, !from, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_turn(uint32_t mine)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL, NULL, 0);
}

static void *futex_partner(void *unused)
{
    for (;;) {
        wait_turn(1);
        pass_on(1);
    }
    return unused;
}

static void prepare_futex(void)
{
    pthread_t partner;
    if (pthread_create(&partner, NULL, futex_partner, NULL) != 0) gate_fail("no thread for the futex row");
}

static uint64_t run_futex(uint64_t ops)
{
    for (uint64_t i = 0; i < (ops + 1) / 2; i++) {
        pass_on(0);
        wait_turn(0);
    }
    return (ops + 1) / 2 * 2;
}

const gate_row anchor_rows[] = {
    { "swapcontext", "anchor", "libc's swapcontext", prepare_swapcontext, run_swapcontext },
    { "futex", "anchor", "two threads that wake each other by futex", prepare_futex, run_futex },
    { "alu", "anchor", "dependent multiplications", NULL, run_alu },
    { NULL, NULL, NULL, NULL, NULL },
};
