/* third.c: see third.h. Compiled as any library is: without stack checks. */
#include "third.h"

#include <stdarg.h>
#include <string.h>

#define USE                                                                                                            \
    char used[8192];                                                                                                   \
    memset(used, 7, sizeof used);                                                                                      \
    __asm__ volatile("" : : "r"(used) : "memory");                                                                     \
    *where = used

long third_add(long a, long b, const char **where)
{
    USE;
    return a + b;
}

struct wide third_widen(struct wide w, long x, const char **where)
{
    USE;
    for (int i = 0; i < 12; i++)
        w.v[i] += x;
    return w;
}

double third_sum(const char **where, int n, ...)
{
    double total = 0;
    va_list list;
    USE;
    va_start(list, n);
    for (int i = 0; i < n; i++)
        total += i % 2 ? (double)va_arg(list, long) : va_arg(list, double);
    va_end(list);
    return total;
}

long third_many(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k, long l, long m,
                long n, long o, long p, long q, long r, long s, long t, long u, long v, const char **where)
{
    USE;
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + k * 11 + l * 12 + m * 13 +
           n * 14 + o * 15 + p * 16 + q * 17 + r * 18 + s * 19 + t * 20 + u * 21 + v * 22;
}

long third_back(long (*f)(long), long x, const char **where)
{
    USE;
    return f(x) + 1;
}

static const struct ops ops = { third_add, third_widen, third_sum, third_many, third_back };

const struct ops *third_ops(void)
{
    return &ops;
}
