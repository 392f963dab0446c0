/* inspect.h: what operators see; arch/entry_x86_64.S calls these for the public functions. */
#ifndef GOS_DEBUG_INSPECT_H
#define GOS_DEBUG_INSPECT_H

#include "include/gossamer.h"

void gos__dump(int fd);
int gos__stats_read(gos_stats *stats);

#endif
