#include "debug/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/syscall.h"
#include "os/os.h"

void gos__text_open(gos__text *text, size_t room)
{
    size_t page = gos__vm_page_size();
    text->used = text->written = 0;
    text->error = 0;
    text->room = (room + page - 1) / page * page;
    text->start = gos__vm_new(text->room);
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

/* At most n bytes of it. */
static void write_at_most(gos__text *text, int fd, size_t n)
{
    size_t left = text->used - text->written;
    /* By number: the interposed call would look for a task that waits. */
    long done = syscall(SYS_write, fd, text->start + text->written, left < n ? left : n);
    if (done > 0)
        text->written += (size_t)done;
    else if (done == 0 || (errno != EINTR && errno != EAGAIN)) {
        text->error = done ? errno : EIO;
        text->written = text->used;
    }
}

void gos__text_write(gos__text *text, int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    while (text->start && text->written < text->used) {
        size_t before = text->written;
        write_at_most(text, fd, SIZE_MAX);
        if (text->written == before) /* of one that does not block */
            gos__bare_syscall(SYS_poll, (long)&ready, 1, -1, 0, 0, 0);
    }
}

bool gos__text_write_some(gos__text *text, int fd, int ms)
{
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    while (text->start && text->written < text->used) {
        if (gos__bare_syscall(SYS_poll, (long)&ready, 1, ms, 0, 0, 0) < 1)
            return false;
        write_at_most(text, fd, PIPE_BUF); /* for which there is room, or somebody else has just filled it */
    }
    return true;
}
