/* test_symbols.sh: a shared object that a program opens. */
#include <gossamer.h>

void parks_in_plug(void *chan);

__attribute__((noinline)) static void parks_further(void *chan)
{
    gos_chan_recv(chan, NULL);
    gos_yield(); /* no tail call */
}

void parks_in_plug(void *chan)
{
    parks_further(chan);
    gos_yield();
}
