/* Calls with and without stack checks: see check_calls.h. Every function counts itself, so that no call is lost. */
#include "check_calls.h"

#define PASTE(a, b) a##_##b
#define NAME(a, b) PASTE(a, b)

enum { TREE_HEIGHT = 12, CHAIN_LENGTH = 500, TINY_FRAME = 8, SMALL_FRAME = 96, BIG_FRAME = 512, CROSSING_FRAME = 4096 };

/* Keeps a value in a register across the call before it: neither a loop nor a tail call may replace the recursion. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))
/* Makes the compiler give an array its place on the stack. */
#define TOUCH(array) __asm__ volatile("" : : "r"(array) : "memory")

static __attribute__((noinline, noclone)) uint64_t tree(uint64_t height)
{
    char frame[TINY_FRAME];
    TOUCH(frame);   /* on all paths: else clang sets up a frame for leaves in the checked build only */
    if (height < 2) return 1;
    uint64_t left = tree(height - 1);
    KEEP(left);
    uint64_t right = tree(height - 2);
    KEEP(right);
    return left + right + 1;
}

static __attribute__((noinline, noclone)) uint64_t chain(uint64_t length)
{
    char frame[SMALL_FRAME];
    TOUCH(frame);
    if (length < 2) return 1;
    uint64_t below = chain(length - 1);
    KEEP(below);
    return below + 1;
}

static __attribute__((noinline, noclone)) uint64_t chain256(uint64_t length)
{
    char frame[BIG_FRAME];
    TOUCH(frame);
    if (length < 2) return 1;
    uint64_t below = chain256(length - 1);
    KEEP(below);
    return below + 1;
}

static __attribute__((noinline, noclone)) uint64_t large_frame(uint64_t word)
{
    char frame[CROSSING_FRAME];
    TOUCH(frame);
    KEEP(word);
    return word;
}

static uint64_t shallow(uint64_t rounds)
{
    uint64_t calls = 0;
    while (rounds-- > 0) calls += tree(TREE_HEIGHT);
    return calls;
}

static uint64_t deep(uint64_t rounds)
{
    uint64_t calls = 0;
    while (rounds-- > 0) calls += chain(CHAIN_LENGTH);
    return calls;
}

static uint64_t deep256(uint64_t rounds)
{
    uint64_t calls = 0;
    while (rounds-- > 0) calls += chain256(CHAIN_LENGTH);
    return calls;
}

uint64_t NAME(crossing, VARIANT)(uint64_t rounds)
{
    uint64_t calls = 0;
    while (rounds-- > 0) calls += large_frame(1);
    return calls;
}

#define QUOTE(a) #a
#define STRING(a) QUOTE(a)
const check_calls NAME(check_calls, VARIANT) = { STRING(VARIANT), shallow, deep, deep256 };
