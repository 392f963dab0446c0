/* gos__kind_of: which functions may start on a nursery. */
// arch: x86_64 (stack checks)

#include "stack/stack.h"
#include "tests/test.h"

#define USED __attribute__((used, noinline))
#define PLAIN __attribute__((used, noinline, no_split_stack))

USED static void small(void *arg)
{
    *(volatile int *)arg = 1;
    __asm__ volatile("" : : : "memory");
}

USED static void large(void *arg)
{
    volatile char frame[1000];
    __asm__ volatile("" : : "r"(frame), "r"(arg) : "memory");
}

USED static void calls_libc(void *arg) /* the linker changes its prologue */
{
    CHECK(snprintf(arg, 8, "%d", 5) == 1);
}

PLAIN static void plain(void *arg)
{
    *(volatile int *)arg = 1;
}

/* Stubs as linkers and compilers put in front. */
void through_jump(void *arg);
void through_endbr(void *arg);
void through_pointer(void *arg);
void jump_to_plain(void *arg);
__asm__(".text\n"
        "through_jump: .byte 0xe9; .long small - . - 4\n"
        "through_endbr: endbr64; .byte 0xe9; .long large - . - 4\n"
        "through_pointer: endbr64; jmp *target(%rip)\n"
        "jump_to_plain: .byte 0xe9; .long plain - . - 4\n"
        ".data\n .balign 8\n target: .quad small\n .text\n");

int main(void)
{
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers build without stack checks");
    CHECK_EQ(gos__kind_of(small), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(large), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(calls_libc), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(through_jump), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(through_endbr), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(through_pointer), GOS_NURSERY);
    CHECK_EQ(gos__kind_of(plain), GOS_PAGED);
    CHECK_EQ(gos__kind_of(jump_to_plain), GOS_PAGED);
    CHECK_EQ(gos__kind_of(free), GOS_PAGED);
    return 0;
}
