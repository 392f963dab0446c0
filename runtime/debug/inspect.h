/* inspect.h: what operators see; arch/entry_x86_64.S calls these for the public functions. */
#ifndef GOS_DEBUG_INSPECT_H
#define GOS_DEBUG_INSPECT_H

#include <stdbool.h>

#include "debug/groups.h"
#include "debug/text.h"
#include "include/gossamer.h"

/* For lib/dump.c: the text of a dump; NULL: no memory; or of what the workers did last: 0, or what gos_flight_write
 * gives. To be given back. */
char *gos__dump(size_t *used, size_t *room);
int gos__flight(char **start, size_t *used, size_t *room);
void gos__dump_end(char *start, size_t room);
int gos__stats_read(gos_stats *stats);
int gos__trace_start(const char *file);
int gos__trace_stop(void);

/* ---- dump.c, for request.c ---- */

const char *gos__wait_name(uint8_t why);

bool gos__dump_open(gos__text *text);

/* How many tasks are in the groups, and all of these; one at a time. */
long gos__dump_add(gos__text *text, gos__groups *groups, void (*meanwhile)(void));

#endif
