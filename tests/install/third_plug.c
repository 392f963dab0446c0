/* third_plug.c: checked code in a shared object that is opened at run time: where its frame lies, it tells. */
#include <gossamer.h>

long plug(long x, const char **where);
long plug(long x, const char **where)
{
    volatile char here = 1;
    gos_yield();
    *where = (const char *)&here;
    return x + here;
}
