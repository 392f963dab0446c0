#include "debug/text.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"

void gos__text_open(gos__text *text, size_t room)
{
    size_t page = gos__vm_page_size();
    text->used = 0;
    text->room = (room + page - 1) / page * page;
    text->start = gos__vm_reserve(text->room);
    if (text->start && gos__vm_commit(text->start, text->room)) {
        gos__vm_release(text->start, text->room);
        text->start = NULL;
    }
}

void gos__text_close(gos__text *text)
{
    if (text->start)
        gos__vm_release(text->start, text->room);
    text->start = NULL;
}

void gos__text_add_va(gos__text *text, const char *format, va_list args)
{
    size_t left = text->room - text->used;
    int n = text->start ? vsnprintf(text->start + text->used, left, format, args) : 0;
    text->used += n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
}

void gos__text_add(gos__text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gos__text_add_va(text, format, args);
    va_end(args);
}

void gos__text_write(const gos__text *text, int fd)
{
    /* By number: the interposed call would look for a task that waits. */
    for (size_t done = 0; text->start && done < text->used;) {
        long n = syscall(SYS_write, fd, text->start + done, text->used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return;
    }
}
