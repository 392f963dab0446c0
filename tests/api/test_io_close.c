/* Descriptors that go away or change under those who wait for them, and descriptors that do not wait. */
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { READERS = 10, ROUNDS = 500, STALE_ROUNDS = 30 };

static gos_waitgroup all;
static int woken;

static void read_until_closed(void *arg)
{
    char byte;
    CHECK_EQ(read(*(int *)arg, &byte, 1), -1);
    CHECK_EQ(errno, EBADF);
    __atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void close_wakes(void)
{
    int fds[2];
    CHECK(!pipe(fds));
    gos_waitgroup_add(&all, READERS);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(gos_go(read_until_closed, &fds[0]), 0);
    await_parked(fds[0], READERS);
    CHECK_EQ(__atomic_load_n(&woken, __ATOMIC_RELAXED), 0);
    CHECK_EQ(close(fds[0]), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(woken, READERS);
    close(fds[1]);
}

typedef struct expected {
    int fd;
    char byte;
} expected;

static void read_one(void *arg)
{
    const expected *e = arg;
    char byte = 0;
    CHECK_EQ(read(e->fd, &byte, 1), 1);
    CHECK_EQ(byte, e->byte);
    gos_waitgroup_done(&all);
}

/* fclose closes inside libc, where nobody sees it. The number is used again at once, by another pipe; what was known
 * of it before must neither wake the new reader for good nor let it sleep for ever. */
static void fclose_and_reuse(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        CHECK(!pipe(fds));
        expected e = { fds[0], (char)round };
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(read_one, &e), 0);
        for (int i = 0; i < round % 4; i++)
            gos_yield();
        CHECK_EQ(write(fds[1], &e.byte, 1), 1);
        gos_waitgroup_wait(&all);
        FILE *in = fdopen(fds[0], "r"), *out = fdopen(fds[1], "w");
        CHECK(in && out && !fclose(in) && !fclose(out));
    }
}

static void read_stale(void *arg)
{
    char byte;
    ssize_t got = read(*(int *)arg, &byte, 1);
    CHECK(got == -1 && errno == EBADF);
    gos_waitgroup_done(&all);
}

/* The same while a reader is parked: it waits for a file that is no more and ends when the number is waited for anew;
 * the new owner gets the byte. */
static void fclose_under_a_reader(void)
{
    for (int round = 0; round < STALE_ROUNDS; round++) {
        int fds[2], next[2];
        CHECK(!pipe(fds));
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(read_stale, &fds[0]), 0);
        await_parked(fds[0], 1);
        FILE *in = fdopen(fds[0], "r");
        CHECK(in && !fclose(in));
        while (!pipe(next) && next[0] != fds[0]) /* somebody else has the number for a moment */
            close(next[0]), close(next[1]);
        expected e = { next[0], 'n' };
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(read_one, &e), 0);
        await_parked(e.fd, 1);
        CHECK_EQ(write(next[1], "n", 1), 1);
        gos_waitgroup_wait(&all);
        close(fds[1]), close(next[0]), close(next[1]);
    }
}

/* The file lives on under another number. */
static void duplicates(void)
{
    int fds[2];
    CHECK(!pipe(fds));
    int twin = dup(fds[0]);
    expected e = { fds[0], 'a' }, f = { twin, 'b' };
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_one, &e), 0);
    gos_sleep(1000000);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    gos_waitgroup_wait(&all);
    CHECK_EQ(close(fds[0]), 0);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_one, &f), 0);
    gos_sleep(1000000);
    CHECK_EQ(write(fds[1], "b", 1), 1);
    gos_waitgroup_wait(&all);
    close(twin), close(fds[1]);
}

/* O_NONBLOCK set by the program, and MSG_DONTWAIT, mean what they say; nobody sets O_NONBLOCK for it. */
static void non_blocking(void)
{
    int fds[2], pair[2];
    static char bytes[100000];
    CHECK(!pipe(fds) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK_EQ(recv(pair[0], bytes, 1, MSG_DONTWAIT), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        fcntl(pair[i], F_SETFL, O_NONBLOCK);
    }
    errno = 0;
    CHECK(read(fds[0], bytes, 1) == -1 && errno == EAGAIN);
    errno = 0;
    CHECK(read(pair[0], bytes, 1) == -1 && errno == EAGAIN);
    errno = 0;
    CHECK(recv(pair[0], bytes, 1, 0) == -1 && errno == EAGAIN);
    ssize_t put;
    while ((put = write(fds[1], bytes, sizeof bytes)) > 0)
        continue;
    CHECK(put == -1 && errno == EAGAIN);
    while ((put = write(pair[1], bytes, sizeof bytes)) > 0)
        continue;
    CHECK(put == -1 && errno == EAGAIN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_EQ(listen(listener, 1), 0);
    errno = 0;
    CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
    for (int i = 0; i < 2; i++)
        close(fds[i]), close(pair[i]);
    close(listener);
}

static void errors(void)
{
    char byte;
    errno = 0;
    CHECK(read(-1, &byte, 1) == -1 && errno == EBADF);
    errno = 0;
    CHECK(write(12345, &byte, 1) == -1 && errno == EBADF);
    errno = 0;
    CHECK(recv(0, &byte, 1, 0) == -1 && (errno == ENOTSOCK || errno == EBADF));
    int fds[2];
    CHECK(!pipe(fds));
    errno = 0;
    CHECK(write(fds[0], &byte, 1) == -1 && errno == EBADF);
    errno = 0;
    CHECK(read(fds[0], (void *)8, 0) == 0 && errno == 0);
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

/* The runtime's own descriptors outlive a program that closes all that it does not know. */
static void keeps_its_own(void)
{
    int kept = 0;
    for (int fd = 3; fd < 1024; fd++) {
        char path[40], target[40] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) < 0 || strncmp(target, "anon_inode:[event", 17) != 0)
            continue;
        errno = 0;
        CHECK(close(fd) == -1 && errno == EBADF);
        kept++;
    }
    CHECK_EQ(kept, 2);
    close_wakes();
}

static int run(void *arg)
{
    (void)arg;
    close_wakes();
    fclose_and_reuse();
    fclose_under_a_reader();
    duplicates();
    non_blocking();
    errors();
    woken = 0;
    keeps_its_own();
    return 0;
}

int main(void)
{
    CHECK_EQ(gos_run(run, NULL), 0);
    woken = 0;
    return gos_run(run, NULL);
}
