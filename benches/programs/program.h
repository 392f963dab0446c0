/* program.h: what main.c asks of each real program's driver. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>

/* Does `rounds` rounds of the same deterministic work, a millisecond or so each, and returns a checksum of all that
 * came out: the same in every build. Ends the process with one line when the program refuses. */
uint64_t program_run(int rounds);

/* Adds a value to a checksum (FNV-1a's step, by words). */
static inline uint64_t program_fold(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u;
}

static inline uint64_t program_fold_bytes(uint64_t sum, const void *bytes, long length)
{
    for (long i = 0; i < length; i++)
        sum = program_fold(sum, ((const unsigned char *)bytes)[i]);
    return sum;
}

/* splitmix64: the input that drivers make. */
static inline uint64_t program_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

_Noreturn void program_fail(const char *what, const char *why);

#define PROGRAM_SUM 0xcbf29ce484222325u

#endif
