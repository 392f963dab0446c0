/* last_words.c: what is done when the program ends by force. Apart from check.c, which tests put others in place of. */
#include <stddef.h>

#include "base/check.h"

void (*gos__last_words)(enum gos__end how);
static _Thread_local enum gos__end end = GOS_END_BY_ERROR;

void gos__note_fault(void)
{
    end = GOS_END_BY_FAULT;
}

void gos__say_last_words(void)
{
    void (*say)(enum gos__end) = gos__last_words;
    gos__last_words = NULL; /* what fails in it has none */
    if (say)
        say(end);
}
