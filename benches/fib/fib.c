/* Fibonacci's recursion, the shortest function that calls: compiled without and with checks, in each layout. */
#include <stdint.h>

#define STRING(a) #a
#define QUOTE(a) STRING(a)
__asm__(".text\n.p2align 6\n.if " QUOTE(PADDING) "\n.skip " QUOTE(PADDING) ", 0x90\n.endif\n");

/* Keeps a value in a register across a call: neither a loop nor a tail call may replace the recursion. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))

uint64_t NAME(uint64_t n);

__attribute__((noinline, noclone)) uint64_t NAME(uint64_t n)
{
    if (n < 2) return n;
    uint64_t one = NAME(n - 1);
    KEEP(one);
    uint64_t two = NAME(n - 2);
    KEEP(two);
    return one + two;
}
