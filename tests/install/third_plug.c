/*
 * third_plug.c: checked code in a shared object that is opened at run time: where its frame lies, it tells. What it
 * calls it leaves to the program to have, which has it from a library without checks: that frame has to lie elsewhere.
 */
#include <gossamer.h>
#include <stddef.h>
#include "third.h"

long plug(long x, const char **where);
long plug(long x, const char **where)
{
    volatile char here = 1;
    const char *there = NULL;
    long sum = third_add(x, here, &there);
    gos_yield();
    *where = (const char *)&here;
    return (size_t)((const char *)&here - there) < 8192 ? -1 : sum;
}
