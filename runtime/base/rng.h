/* rng.h: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
#ifndef GOS_BASE_RNG_H
#define GOS_BASE_RNG_H

#include <stdint.h>

typedef struct gos__rng {
    uint64_t state;
} gos__rng;

static inline uint64_t gos__rng_next(gos__rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, n), n > 0; the bias of 2^-32 n does not matter here. */
static inline uint32_t gos__rng_below(gos__rng *rng, uint32_t n)
{
    return (uint32_t)(((gos__rng_next(rng) >> 32) * n) >> 32);
}

#endif
