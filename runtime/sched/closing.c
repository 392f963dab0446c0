/* closing.c: descriptors that are closed many at a time. */
#include <errno.h>

#include "os/os.h"
#include "sched/netpoll.h"

/* The last number that anybody can have waited for. */
static unsigned last_known(unsigned last)
{
    unsigned known = gos__fd_known_end();
    return last < known ? last : known;
}

long gos__fd_close_range_c(unsigned first, unsigned last, int flags)
{
    if (first > last)
        return -EINVAL;
    if (flags) /* close-on-exec, or a table of the thread's own: nobody else loses a descriptor */
        return gos__close_range(first, last, flags);
    unsigned from = first, end = last_known(last);
    for (unsigned fd = first; fd < end && fd >= first; fd++) {
        int waits = gos__fd_closing_c((int)fd);
        if (!waits)
            continue;
        if (fd > from)
            gos__close_range(from, fd - 1, 0);
        if (waits > 0)
            gos__close_range(fd, fd, 0);
        if (waits > 0)
            gos__fd_closed_c((int)fd);
        from = fd + 1;
    }
    return from > last ? 0 : gos__close_range(from, last, 0);
}
