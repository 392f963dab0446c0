/* What the kernel refuses or has done, be there something to read, or room to write, or not, waits for neither. */
// also: paged
// not-with: emulator (qemu 7 lets flags of accept4 pass that the kernel refuses)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/test.h"

static struct iovec none, one = { &one, 1 }, parts[2] = { { NULL, 0 }, { NULL, 0 } };

static void refused(long result, int error)
{
    int is = errno;
    CHECK_EQ(result, -1);
    CHECK_EQ(is, error);
}

static void lists_of(int empty, int full)
{
    static const volatile int not_lengths[] = { -1, INT_MIN, IOV_MAX + 1, INT_MAX }; /* the compiler warns of them */
    for (int i = 0; i < 4; i++) {
        refused(readv(empty, &one, not_lengths[i]), EINVAL);
        refused(writev(full, &one, not_lengths[i]), EINVAL);
    }
    CHECK_EQ(read(empty, NULL, 0), 0);
    CHECK_EQ(readv(empty, &none, 0), 0);
    CHECK_EQ(readv(empty, parts, 2), 0);
    CHECK_EQ(write(full, NULL, 0), 0);
    CHECK_EQ(writev(full, &none, 0), 0);
    CHECK_EQ(writev(full, parts, 2), 0);
}

static void fill(int fd)
{
    static char bytes[4096];
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
}

static int run(void *unused)
{
    (void)unused;
    int empty[2], full[2], pair[2], packets[2];
    CHECK(!pipe(empty) && !pipe(full));
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, packets));
    fill(full[1]);
    lists_of(empty[0], full[1]);
    fill(pair[1]);
    lists_of(pair[1], pair[1]);

    CHECK_EQ(write(packets[1], "x", 1), 1);
    CHECK_EQ(readv(packets[0], parts, 2), 0);
    char byte;
    CHECK_EQ(read(packets[0], &byte, 1), 1); /* it is still there */

    int listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listening >= 0 && !listen(listening, 1));
    refused(accept4(listening, NULL, NULL, SOCK_CLOEXEC << 1), EINVAL);
    refused(accept(pair[1], NULL, NULL), EINVAL);
    refused(accept(packets[0], NULL, NULL), EOPNOTSUPP);
    refused(accept(empty[0], NULL, NULL), ENOTSOCK);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
