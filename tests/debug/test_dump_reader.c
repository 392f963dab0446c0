/* A dump into a pipe that is full, of which another task of the only worker is the reader: who dumps waits as a task
 * does; and into one that does not block. The same of what the workers did last. Into what is no file nothing is
 * written. */
// also: paged
// env: GOS_PROCS=1
#define _GNU_SOURCE 1
#include <gossamer.h>
#include <gossamer/trace.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/test.h"

static int ends[2];
static long filled, lines;

static void reader(void *over)
{
    char bytes[4096];
    gos_yield();
    for (long seen = 0, n; (n = read(ends[0], bytes, sizeof bytes)) > 0; seen += n)
        for (long i = 0; i < n; i++)
            lines += seen + i >= filled && bytes[i] == '\n';
    gos_chan_send(over, NULL);
}

static void write_flight(int fd)
{
    CHECK_EQ(gos_flight_write(fd), 0);
}

static void dump_into(void (*dump)(int fd), int flags)
{
    gos_chan *over = gos_chan_new(0, 0);
    lines = filled = 0;
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], "x", 1) == 1)
        filled++;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(fcntl(ends[0], F_SETFL, 0), 0);
    CHECK_EQ(fcntl(ends[1], F_SETFL, flags), 0);
    CHECK_EQ(gos_go(reader, over), 0);
    dump(ends[1]);
    close(ends[1]);
    CHECK_EQ(gos_chan_recv(over, NULL), 0);
    CHECK(lines >= 3); /* how many, and two tasks */
    close(ends[0]);
    gos_chan_free(over);
}

static int dumps(void *unused)
{
    (void)unused;
    dump_into(gos_dump, 0);
    dump_into(gos_dump, O_NONBLOCK);
    dump_into(write_flight, 0);
    dump_into(write_flight, O_NONBLOCK);
    errno = ERANGE;
    gos_dump(-1);
    CHECK_EQ(gos_flight_write(-1), -EBADF);
    CHECK_EQ(errno, ERANGE);
    return 0;
}

int main(void)
{
    return gos_run(dumps, NULL);
}
