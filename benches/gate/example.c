/*
 * The smallest bench program that scripts/perf_check.py can compare: one row, one anchor. To use the gate on another
 * project, put its own operations in place of `sort`, build this over two versions of it, and run
 *
 *   scripts/perf_check.py --programs OLD NEW --relinked OLD-RELINKED NEW-RELINKED
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Sorts 64 numbers `ops` times. */
static void sort(uint64_t ops)
{
    int numbers[64];
    for (uint64_t i = 0; i < ops; i++) {
        for (int j = 0; j < 64; j++) numbers[j] = j * 37 % 64;
        qsort(numbers, 64, sizeof numbers[0], by_value);
    }
}

/* Takes a while that grows with `rounds` alone. */
static void burn(uint64_t rounds)
{
    for (volatile uint64_t i = 0; i < rounds; i++) continue;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(int argc, char **argv)
{
    void (*run)(uint64_t ops) = argc == 2 && strcmp(argv[1], "sort") == 0 ? sort : burn;
    unsigned long long ops, rounds;
    if (argc != 2 || strcmp(argv[1], "--rows") == 0) {
        puts("sort\tsingle\tsort 64 numbers\nloop\tanchor\tan empty loop");
        return argc == 2 ? 0 : 2;
    }
    while (scanf("%llu %llu", &ops, &rounds) == 2) {
        int64_t begin = now();
        run(ops);
        burn(rounds);
        printf("%lld %llu\n", (long long)(now() - begin), ops);
        fflush(stdout);
    }
    return 0;
}
