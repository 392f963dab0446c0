/* linked.c: in the shared library alone: where the program keeps what tells how it was linked (prologue_x86_64.c). */
#include <stdint.h>

#include "base/compiler.h"

const uint8_t *gos__probe;

/* By a constructor of the program: thunks/nonshared_x86_64.S. */
GOS_EXPORT void gos__linked(const uint8_t *probe);

GOS_EXPORT void gos__linked(const uint8_t *probe)
{
    gos__probe = probe;
}
