/* Reads that do not wait though poll would: of a terminal that shall not wait, and of a FIFO that had no writer yet. */
// timeout: 30
// also: paged
// not-with: emulator (qemu 7 does not tell apart what was opened by name)
#define _GNU_SOURCE 1 /* ptsname_r */
#define _XOPEN_SOURCE_EXTENDED 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { MS = 1000000 };

static gos_waitgroup all;

static long take(int fd, int how)
{
    char byte;
    struct iovec part = { &byte, 1 };
    return how ? readv(fd, &part, 1) : read(fd, &byte, 1);
}

static void write_parked(void *fds)
{
    const int *fd = fds;
    await_parked(fd[0], 1);
    CHECK_EQ(write(fd[1], "x", 1), 1);
    gos_waitgroup_done(&all);
}

/* Parks until there is something. */
static void waits(int in, int out)
{
    for (int how = 0; how < 2; how++) {
        int fds[2] = { in, out };
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(write_parked, fds), 0);
        CHECK_EQ(take(in, how), 1);
        gos_waitgroup_wait(&all);
    }
}

static void set_reads(int terminal, cc_t least, cc_t tenths)
{
    struct termios mode;
    CHECK_EQ(tcgetattr(terminal, &mode), 0);
    cfmakeraw(&mode);
    mode.c_cc[VMIN] = least;
    mode.c_cc[VTIME] = tenths;
    CHECK_EQ(tcsetattr(terminal, TCSANOW, &mode), 0);
}

static void terminals(void)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        return; /* no terminals here */
    CHECK(!grantpt(master) && !unlockpt(master) && !ptsname_r(master, name, sizeof name));
    int terminal = open(name, O_RDWR | O_NOCTTY);
    CHECK(terminal >= 0);
    set_reads(terminal, 1, 0);
    waits(terminal, master);
    for (int how = 0; how < 2; how++) {
        set_reads(terminal, 0, 0);
        CHECK_EQ(take(terminal, how), 0);
        set_reads(terminal, 0, 1);
        int64_t before = gos_now();
        CHECK_EQ(take(terminal, how), 0);
        CHECK(gos_now() - before >= 90l * MS);
        CHECK_EQ(write(master, "x", 1), 1);
        CHECK_EQ(take(terminal, how), 1);
    }
    waits(master, terminal); /* whose own reads these settings are not of */
    set_reads(terminal, 1, 0);
    waits(terminal, master);
    close(terminal), close(master);
}

static void fifos(void)
{
    char folder[] = "/tmp/gossamer-fifo-XXXXXX", name[64];
    CHECK(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/fifo", folder);
    CHECK_EQ(mkfifo(name, 0600), 0);
    int in = open(name, O_RDONLY | O_NONBLOCK);
    CHECK(in >= 0 && !fcntl(in, F_SETFL, 0));
    CHECK_EQ(take(in, 0), 0);
    CHECK_EQ(take(in, 1), 0);
    int out = open(name, O_WRONLY);
    CHECK(out >= 0);
    waits(in, out);
    close(out);
    CHECK_EQ(take(in, 0), 0);
    close(in);
    CHECK(!unlink(name) && !rmdir(folder));
}

static int run(void *unused)
{
    (void)unused;
    terminals();
    fifos();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
