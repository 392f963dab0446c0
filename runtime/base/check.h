/* check.h: how the runtime gives up. Every message is one line on standard error, beginning "gossamer: ". */
#ifndef GOS_BASE_CHECK_H
#define GOS_BASE_CHECK_H

#include "base/compiler.h"

/* Prints one line and exits with status 2: bad input from outside (environment, limits), nothing the code did. */
_Noreturn void gos__die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one line and aborts (SIGABRT, core): a bug of the program or of the runtime. */
_Noreturn void gos__fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum gos__end { GOS_END_BY_EXIT, GOS_END_BY_ERROR, GOS_END_BY_FAULT };

/* Called when the line of an end is out, or when the program dies of a fault, then in the signal's handler; NULL:
 * nothing is to be done. */
extern void (*gos__last_words)(enum gos__end how);
void gos__say_last_words(void);

/* From now on the end is one by a fault. */
void gos__note_fault(void);

/* Prints one line and goes on. */
void gos__warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program when a rule of the API is broken; in every build. */
#define gos__require(cond, ...)                                                                                        \
    do {                                                                                                               \
        if (gos__unlikely(!(cond)))                                                                                    \
            gos__fatal(__VA_ARGS__);                                                                                   \
    } while (0)

/* Invariants of the runtime itself, by level: 1 cheap, 2 costly, 3 whole structures. Off unless built CHECKS=n. */
#ifndef CHECKS
#define CHECKS 0
#endif
#define gos__assert_at(level, cond)                                                                                    \
    do {                                                                                                               \
        if (CHECKS >= (level) && gos__unlikely(!(cond)))                                                               \
            gos__fatal("invariant broken at %s:%d: %s", __FILE__, __LINE__, #cond);                                    \
    } while (0)
#define gos__assert(cond) gos__assert_at(1, cond)

#endif
