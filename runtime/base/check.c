#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* write(2) rather than stdio: the stream's lock may be held by the code that failed. */
static void print_line(const char *format, va_list args)
{
    static const char prefix[] = "gossamer: ";
    char line[512];
    memcpy(line, prefix, sizeof prefix);
    int room = (int)(sizeof line - sizeof prefix);
    int n = vsnprintf(line + sizeof prefix - 1, (size_t)room, format, args);
    size_t used = sizeof prefix - 1 + (size_t)(n < 0 ? 0 : n < room ? n : room - 1);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere left to complain to */
}

void gos__warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

_Noreturn void gos__die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    gos__say_last_words();
    _exit(2);
}

_Noreturn void gos__fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    gos__say_last_words();
    abort();
}
