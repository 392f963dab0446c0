/*
 * The very end of a nursery: a check that passes by nothing, the largest frame that is compared by the stack pointer
 * alone, and below it what may be there: a leaf's whole red zone, a call that parks, gos_once_do, a thunk. A task's
 * canary is looked at when it parks; its list of allocas, the other word there, when it ends.
 */
// arch: x86_64 (stack checks)
// not-with: paged (paged stacks alone)
#include <gossamer.h>

#include "tests/test.h"

/* Calls it from a frame of 248 bytes whose return address lies as near to the limit as a call's alignment allows, and
 * writes all of the frame. 0: nothing was called, since the limit is not the nursery's: the slice was over. */
int at_the_end(void *unused, void (*call)(void *), void *arg);
/* A leaf without a check, as clang makes them: it writes its red zone. */
void red_zone(void *arg);

__asm__(".text\n"
        ".globl at_the_end\n"
        "at_the_end:\n"
        "    pushq %rbp\n"
        "    movq %rsp, %rbp\n"
        "    movq %fs:0x70, %rax\n"
        "    subq $240, %rax\n"
        "    cmpq %rsp, %rax\n"
        "    ja 2f\n"
        "    movq %rax, %rsp\n"
        "    movl $248 / 8, %ecx\n"
        "1:  movq $-1, -8(%rax, %rcx, 8)\n"
        "    decl %ecx\n"
        "    jnz 1b\n"
        "    movq %rdx, %rdi\n"
        "    callq *%rsi\n"
        "    movl $1, %eax\n"
        "    leave\n"
        "    retq\n"
        "2:  xorl %eax, %eax\n"
        "    leave\n"
        "    retq\n"
        ".globl red_zone\n"
        "red_zone:\n"
        "    movl $16, %ecx\n"
        "1:  movq $-1, -136(%rsp, %rcx, 8)\n"
        "    decl %ecx\n"
        "    jnz 1b\n"
        "    retq\n");

static gos_waitgroup all;
static int entered;

static void yield(void *unused)
{
    (void)unused;
    gos_yield();
}

static void enter(void *unused)
{
    (void)unused;
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELAXED);
}

/* Thin assembly, so that nothing but the call itself is between the frame and the door. */
void call_yield(void *unused);
void call_once(void *once);
void call_libc(void *text);
__asm__("call_yield: jmp gos_yield\n"
        "call_once: leaq enter_hook(%rip), %rsi\n"
        "    jmp gos_once_do\n"
        "enter_hook: jmp *enter_at(%rip)\n"
        "call_libc: jmp atoi\n");
__attribute__((used)) static void (*enter_at)(void *) = enter;

static void task(void *arg)
{
    static void (*const calls[])(void *) = { red_zone, call_yield, call_once, call_libc, yield };
    static gos_once onces[64];
    long i = (long)(intptr_t)arg;
    void *args[] = { NULL, NULL, &onces[i % 64], "42", NULL };
    int turns = 1; /* each begins with a limit that nobody has poisoned yet */
    while (!at_the_end(NULL, calls[i % 5], args[i % 5]) && turns++ < 1000)
        gos_yield();
    CHECK(turns < 1000);
    gos_yield();
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 1000);
    for (long i = 0; i < 1000; i++)
        CHECK_EQ(gos_go(task, (void *)(intptr_t)i), 0);
    gos_waitgroup_wait(&all);
    CHECK(entered > 0);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
