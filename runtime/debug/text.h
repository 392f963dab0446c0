/* text.h: text in memory, put together before it is written anywhere: whoever reads it may be slow. */
#ifndef GOS_DEBUG_TEXT_H
#define GOS_DEBUG_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct gos__text {
    char *start; /* NULL: no memory was to be had, and nothing is kept */
    size_t used, room, written;
    int error;   /* of a write: errno; what was left then is lost */
} gos__text;

/* Room for so many bytes, which take memory as they are used; what is beyond is dropped. */
void gos__text_open(gos__text *text, size_t room);
void gos__text_close(gos__text *text);

void gos__text_add(gos__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gos__text_add_va(gos__text *text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* What is not written yet. */
void gos__text_write(gos__text *text, int fd);

/* The same, as far as the reader takes it without blocking the caller, which waits for so many milliseconds. False:
 * some is left. */
bool gos__text_write_some(gos__text *text, int fd, int ms);

#endif
