#include "base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"

/* Rather than stdio, whose lock the code that failed may hold. By number: the interposed call would look for a task
 * that waits, in the midst of what failed. */
static void write_out(const char *line, size_t size)
{
    long n;
    do
        n = syscall(SYS_write, STDERR_FILENO, line, size);
    while (n < 0 && errno == EINTR);
}

static void print_line(const char *format, va_list args)
{
    static const char prefix[] = "gossamer: ";
    char line[512];
    memcpy(line, prefix, sizeof prefix);
    int room = (int)(sizeof line - sizeof prefix);
    int n = vsnprintf(line + sizeof prefix - 1, (size_t)room, format, args);
    size_t used = sizeof prefix - 1 + (size_t)(n < 0 ? 0 : n < room ? n : room - 1);
    line[used++] = '\n';
    write_out(line, used);
}

void gos__warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

/* A program ends once: another thread that has found what is wrong as well waits until it has. */
static void begin_end(void)
{
    static uintptr_t who;
    static _Thread_local char self;
    if (gos__cas_ptr_seq(&who, 0, (uintptr_t)&self) || gos__load_relaxed(&who) == (uintptr_t)&self)
        return;
    for (;;)
        syscall(SYS_ppoll, NULL, 0l, NULL, NULL, 0l);
}

static void say_end(const char *format, va_list args)
{
    begin_end();
    print_line(format, args);
    gos__say_last_words();
}

_Noreturn void gos__die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_end(format, args);
    _exit(2);
}

_Noreturn void gos__fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_end(format, args);
    abort();
}
