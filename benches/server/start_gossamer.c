/* start_gossamer.c: a task for each connection. */
#include <gossamer.h>

#include "start.h"

int start_main(int (*fn)(void *), void *arg)
{
    return gos_run(fn, arg);
}

int start(void (*fn)(void *), void *arg)
{
    return gos_go(fn, arg);
}
