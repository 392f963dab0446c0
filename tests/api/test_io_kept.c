/* Sockets whose registration is kept from one read to the next, and all that can go on behind its back. */
// timeout: 120
// also: paged
#define _GNU_SOURCE
#include <gossamer.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "sched/slot.h"
#include "tests/test.h"

enum { WARM = 5, ENDS = 300, REUSES = 4 };

static gos_waitgroup all;
static int listener;

static void listen_anywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 64));
}

/* A connection: ends[0] was accepted, ends[1] connected. */
static void tcp(int ends[2])
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[1], (struct sockaddr *)&address, size), 0);
    ends[0] = accept(listener, NULL, NULL);
    CHECK(ends[0] >= 0);
}

static void write_soon(void *arg)
{
    gos_sleep(2000000);
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    gos_waitgroup_done(&all);
}

/* Reads that park, until the socket is one of which everything is remembered. */
static void warm(int ends[2])
{
    char bytes[8];
    for (int i = 0; i < WARM; i++) {
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(write_soon, &ends[1]), 0);
        CHECK_EQ(read(ends[0], bytes, sizeof bytes), 1);
        gos_waitgroup_wait(&all);
    }
}

/* errno in a function of its own: the task may have changed threads. */
static __attribute__((noinline)) int read_error(int fd)
{
    char byte;
    return read(fd, &byte, 1) == -1 ? errno : 0;
}

/* ---- the end of a stream, together with its last bytes ---- */

static void write_and_end(void *arg)
{
    int fd = *(int *)arg;
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(shutdown(fd, SHUT_WR), 0);
    gos_waitgroup_done(&all);
}

static void end_with_data(void)
{
    uint32_t overlooked = gos__load_relaxed(&gos__fd_overlooked);
    for (int i = 0; i < ENDS; i++) {
        int ends[2];
        char bytes[8];
        tcp(ends);
        if (i < 8)
            warm(ends);
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(write_and_end, &ends[1]), 0);
        CHECK_EQ(read(ends[0], bytes, sizeof bytes), 1);
        CHECK_EQ(read(ends[0], bytes, sizeof bytes), 0);
        gos_waitgroup_wait(&all);
        close(ends[0]), close(ends[1]);
    }
    /* Found only because it was looked at once more; on a busy machine a report may just have been under way. */
    CHECK(gos__load_relaxed(&gos__fd_overlooked) - overlooked < ENDS / 4);
}

/* ---- the number becomes another file ---- */

typedef struct fresh {
    int in, out;
} fresh;

static fresh of_pipe(void)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    return (fresh){ ends[0], ends[1] };
}

static fresh of_pair(void)
{
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    return (fresh){ ends[0], ends[1] };
}

static fresh of_tcp(void)
{
    int ends[2], spare = dup(0); /* the lowest number shall go to the accepted end */
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[1], (struct sockaddr *)&address, size), 0);
    close(spare);
    ends[0] = accept(listener, NULL, NULL);
    return (fresh){ ends[0], ends[1] };
}

static void by_fclose(int fd)
{
    FILE *file = fdopen(fd, "r");
    CHECK(file && !fclose(file));
}

static void by_number(int fd)
{
    CHECK_EQ(syscall(SYS_close, fd), 0);
}

/* Closed where nobody sees it, while nothing is there to be read, and then the number is used again. */
static void reuse(void (*end)(int), fresh (*make)(void))
{
    for (int i = 0; i < REUSES; i++) {
        int ends[2];
        char bytes[8];
        tcp(ends);
        warm(ends);
        end(ends[0]);
        fresh next = make();
        CHECK_EQ(next.in, ends[0]);
        gos_waitgroup_add(&all, 1);
        CHECK_EQ(gos_go(write_soon, &next.out), 0);
        CHECK_EQ(read(next.in, bytes, sizeof bytes), 1);
        CHECK_EQ(bytes[0], 'x');
        gos_waitgroup_wait(&all);
        close(next.in), close(next.out), close(ends[1]);
    }
}

/* dup2 over it: the same, but seen. The twin of what was there lives on. */
static void replaced(void)
{
    int ends[2], pair[2];
    char bytes[8];
    tcp(ends);
    warm(ends);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    int twin = dup(ends[0]);
    CHECK_EQ(dup2(pair[0], ends[0]), ends[0]);
    CHECK_EQ(write(pair[1], "new", 3), 3);
    CHECK_EQ(read(ends[0], bytes, sizeof bytes), 3);
    CHECK_EQ(write(ends[1], "old!", 4), 4);
    CHECK_EQ(read(twin, bytes, sizeof bytes), 4);
    close(twin), close(ends[0]), close(ends[1]), close(pair[0]), close(pair[1]);
}

/* ---- what is remembered changes ---- */

static void set_by_fcntl(int fd)
{
    CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static void set_by_ioctl(int fd)
{
    int on = 1;
    CHECK_EQ(ioctl(fd, FIONBIO, &on), 0);
}

static void set_by_twin(int fd)
{
    int twin = dup(fd);
    set_by_fcntl(twin);
    close(twin);
}

static void set_by_number(int fd)
{
    CHECK_EQ(syscall(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
}

static void set_limit(int fd)
{
    struct timeval limit = { .tv_usec = 20000 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
}

static void ends_with_eagain(void (*set)(int))
{
    int ends[2];
    tcp(ends);
    warm(ends);
    set(ends[0]);
    CHECK_EQ(read_error(ends[0]), EAGAIN);
    close(ends[0]), close(ends[1]);
}

/* A time limit longer than what a wait rests on trust for. */
static void long_limit(void)
{
    struct timeval limit = { .tv_sec = 1 };
    int ends[2];
    tcp(ends);
    CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    warm(ends);
    int64_t start = gos_now();
    CHECK_EQ(read_error(ends[0]), EAGAIN);
    int64_t took = gos_now() - start;
    CHECK(took >= 1000000000);
    close(ends[0]), close(ends[1]);
}

/* ---- several tasks at one socket ---- */

static int got;

static void read_some(void *arg)
{
    char byte;
    while (read(*(int *)arg, &byte, 1) == 1)
        __atomic_fetch_add(&got, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void many_readers(void)
{
    int ends[2];
    tcp(ends);
    warm(ends);
    got = 0;
    gos_waitgroup_add(&all, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(gos_go(read_some, &ends[0]), 0);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(write(ends[1], "0123456789", 1 + i % 10), 1 + i % 10);
        if (i % 16 == 0)
            gos_sleep(1000000);
    }
    shutdown(ends[1], SHUT_WR);
    gos_waitgroup_wait(&all);
    CHECK_EQ(got, 1100);
    close(ends[0]), close(ends[1]);
}

static void fill(void *arg)
{
    static char bytes[100000];
    for (int i = 0; i < 40; i++)
        CHECK_EQ(write(*(int *)arg, bytes, sizeof bytes), (ssize_t)sizeof bytes);
    shutdown(*(int *)arg, SHUT_WR);
    gos_waitgroup_done(&all);
}

static void drain(void *arg)
{
    static char sink[2][100000];
    ssize_t n;
    int64_t total = 0;
    while ((n = read(*(int *)arg, sink[*(int *)arg & 1], sizeof sink[0])) > 0)
        total += n;
    CHECK_EQ(total, 4000000);
    gos_waitgroup_done(&all);
}

/* Both ends read and written by two tasks each, more than the buffers hold. */
static void both_ways(void)
{
    int ends[2];
    tcp(ends);
    warm(ends);
    gos_waitgroup_add(&all, 4);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(gos_go(fill, &ends[i]), 0);
        CHECK_EQ(gos_go(drain, &ends[i]), 0);
    }
    gos_waitgroup_wait(&all);
    close(ends[0]), close(ends[1]);
}

static int body(void *unused)
{
    (void)unused;
    listen_anywhere();
    end_with_data();
    reuse(by_fclose, of_pair);
    reuse(by_fclose, of_pipe);
    reuse(by_fclose, of_tcp);
    reuse(by_number, of_pair);
    reuse(by_number, of_pipe);
    ends_with_eagain(set_by_number);
    ends_with_eagain(set_by_fcntl);
    ends_with_eagain(set_by_ioctl);
    ends_with_eagain(set_limit);
    ends_with_eagain(set_by_twin);
    replaced();
    ends_with_eagain(set_by_fcntl); /* now that open files may have several numbers */
    ends_with_eagain(set_limit);
    long_limit();
    many_readers();
    both_ways();
    return 0;
}

int main(void)
{
    return gos_run(body, NULL);
}
