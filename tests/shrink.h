/* shrink.h: for tests of memory that stacks give back: recursion with contents that are checked, residency by page, and
 * madvise, counted and refused. For one source file of a program. */
#ifndef TESTS_SHRINK_H
#define TESTS_SHRINK_H

#define _GNU_SOURCE
#include <gossamer.h>

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/test.h"

enum { PAGE_BYTES = 4096, LEVEL_WORDS = 32, ADVICE_GUARD = 102 };

static int refuse;            /* this advice, or 0 */
static long discards, refused;

/* The runtime's, too: the program's own definition comes first. */
__attribute__((no_split_stack, visibility("default"))) int madvise(void *start, size_t size, int advice)
{
    if (advice == MADV_DONTNEED)
        __atomic_fetch_add(&discards, 1, __ATOMIC_RELAXED);
    if (advice && advice == __atomic_load_n(&refuse, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, start, size, advice);
}

TEST_HELPER long resident_pages(uintptr_t low, uintptr_t high)
{
    unsigned char in[4096];
    long n = 0;
    for (uintptr_t at = low & ~(uintptr_t)(PAGE_BYTES - 1); at < high; at += sizeof in * PAGE_BYTES) {
        size_t pages = (high - at + PAGE_BYTES - 1) / PAGE_BYTES;
        pages = pages < sizeof in ? pages : sizeof in;
        if (mincore((void *)at, pages * PAGE_BYTES, in))
            return -errno;
        for (size_t i = 0; i < pages; i++)
            n += in[i] & 1;
    }
    return n;
}

/* Goes about `bytes` down, calls bottom(arg) there, and looks on the way up whether every frame is what it was. */
__attribute__((noinline, noclone, unused)) static void descend(long bytes, void (*bottom)(void *), void *arg)
{
    uint64_t words[LEVEL_WORDS];
    uint64_t seed = (uintptr_t)words ^ (uint64_t)bytes;
    for (int i = 0; i < LEVEL_WORDS; i++)
        words[i] = seed + (uint64_t)i;
    __asm__ volatile("" : : "r"(words) : "memory");
    long left = bytes - (long)sizeof words - 64;
    if (left > 0)
        descend(left, bottom, arg);
    else if (bottom)
        bottom(arg);
    __asm__ volatile("" : : "r"(words) : "memory");
    for (int i = 0; i < LEVEL_WORDS; i++)
        CHECK_EQ(words[i], seed + (uint64_t)i);
}

#endif
