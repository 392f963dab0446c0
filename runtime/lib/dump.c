/* dump.c: gos_dump, gos_flight_write. The text is made in the runtime and written here, as a task writes: its reader
 * may be another. */
#include <gossamer.h>
#include <gossamer/trace.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "arch/state.h"
#include "base/compiler.h"

/* Doors to debug/request.c and flight.c. */
char *gos__dump_make(size_t *used, size_t *room);
int gos__flight_make(char **start, size_t *used, size_t *room);
void gos__dump_free(char *start, size_t room);

GOS_EXPORT void gos_dump(int fd);
GOS_EXPORT int gos_flight_write(int fd);

/* And frees it. -errno: the rest could not be written. */
static int write_all(int fd, char *text, size_t used, size_t room)
{
    int error = errno, failed = 0;
    for (size_t done = 0; done < used && !failed;) {
        ssize_t n = write(fd, text + done, used - done);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        else if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            failed = n ? -errno : -EIO;
    }
    gos__dump_free(text, room);
    errno = error;
    return failed;
}

void gos_dump(int fd)
{
    size_t used, room;
    char *text = gos__dump_make(&used, &room);
    if (text)
        write_all(fd, text, used, room);
}

int gos_flight_write(int fd)
{
    size_t used, room;
    char *text;
    int failed = gos__flight_make(&text, &used, &room);
    return failed ? failed : write_all(fd, text, used, room);
}
