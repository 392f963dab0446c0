/* A call on a stream that moved a part of what it was asked for: the error that ended it is the next call's, and its
 * time limit is one for all parts. */
// timeout: 60
// also: paged
#define _GNU_SOURCE 1 /* struct mmsghdr */
#include <gossamer.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { MS = 1000000, LIMIT_MS = 100, PIECE = 65536, BIG = 64 << 20, LOCAL = 1 << 20 };

static gos_waitgroup all;
static int ends[2];
static long result, next;
static int next_error;
static uint32_t over;
static char big[BIG];

static void connect_ends(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof any;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(listener, (struct sockaddr *)&any, size) && !listen(listener, 1));
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&any, &size), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(ends[0], (struct sockaddr *)&any, size), 0);
    ends[1] = accept(listener, NULL, NULL);
    CHECK(ends[1] >= 0);
    close(listener);
}

static void reset(int fd)
{
    struct linger at_once = { .l_onoff = 1 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    CHECK_EQ(close(fd), 0);
}

/* errno in a function of its own: the task may have changed threads. */
static __attribute__((noinline)) long result_of(long value, int *error)
{
    *error = errno;
    return value;
}

/* ---- errors ---- */

static void receive_all(void *unused)
{
    (void)unused;
    char bytes[10];
    result = recv(ends[0], bytes, sizeof bytes, MSG_WAITALL);
    next = result_of(recv(ends[0], bytes, sizeof bytes, 0), &next_error);
    gos_waitgroup_done(&all);
}

static void start(void (*fn)(void *))
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, NULL), 0);
}

static int unread(int fd)
{
    int n = -1;
    CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

/* Sends three bytes, which the reader takes and parks again, and `more` together with the end. */
static void receives(bool is_local, int more)
{
    if (is_local)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    else
        connect_ends();
    start(receive_all);
    await_parked(ends[0], 1);
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    while (unread(ends[0]))
        gos_yield();
    await_parked(ends[0], 1);
    if (is_local)
        CHECK_EQ(send(ends[0], "x", 1, MSG_DONTWAIT), 1); /* it is closed before this is read: an error */
    if (more)
        CHECK_EQ(write(ends[1], "defghij", (size_t)more), more);
    reset(ends[1]);
    gos_waitgroup_wait(&all);
    close(ends[0]);
    CHECK_EQ(result, 3 + more);
}

static void send_all(void *unused)
{
    (void)unused;
    result = write(ends[0], big, BIG);
    next = result_of(write(ends[0], big, 1), &next_error);
    gos_waitgroup_done(&all);
}

/* What the next call is told. Now and then a sender that finds room comes just between its look and the reset, and gets
 * the error itself; it is parked most of the time. */
static int sends(void)
{
    connect_ends();
    start(send_all);
    await_parked(ends[0], 1);
    reset(ends[1]);
    gos_waitgroup_wait(&all);
    close(ends[0]);
    CHECK(result > 0 && result < BIG && next == -1);
    return next_error;
}

static void errors(void)
{
    for (int more = 0; more < 7; more += 3) {
        receives(false, more);
        CHECK(next == -1 && next_error == ECONNRESET);
        receives(true, more);
        CHECK_EQ(next, 0); /* a local socket's is used up */
    }
    for (int tries = 0; sends() != ECONNRESET; tries++)
        CHECK(next_error == EPIPE && tries < 5);
}

/* ---- time limits ---- */

static void limit(int option)
{
    struct timeval time = { .tv_usec = LIMIT_MS * 1000 };
    CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, option, &time, sizeof time), 0);
    __atomic_store_n(&over, 0, __ATOMIC_RELAXED);
}

/* A byte now and then, until the other end has had enough. */
static void drip(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        CHECK_EQ(write(ends[1], "x", 1), 1);
        gos_sleep(LIMIT_MS / 5 * MS);
    }
    gos_waitgroup_done(&all);
}

static int64_t longest; /* between two pieces that were taken */

static void sip(void *unused)
{
    (void)unused;
    static char bytes[PIECE];
    int64_t last = gos_now();
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        gos_sleep(LIMIT_MS / 5 * MS);
        if (recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT) < 0)
            CHECK_EQ(errno, EAGAIN);
        int64_t now = gos_now();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    gos_waitgroup_done(&all);
}

static long put_by(int how)
{
    struct iovec parts[2] = { { big, BIG / 2 }, { big, BIG / 2 } };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = parts, .msg_iovlen = 2 } };
    return how == 0   ? write(ends[0], big, BIG)
           : how == 1 ? send(ends[0], big, BIG, 0)
           : how == 2 ? writev(ends[0], parts, 2)
           : how == 3 ? sendmsg(ends[0], &message.msg_hdr, 0)
                      : sendmmsg(ends[0], &message, 1, 0) == 1 ? (long)message.msg_len : -1;
}

static void is_over(int64_t since)
{
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    CHECK(gos_now() - since >= (int64_t)LIMIT_MS * MS);
    gos_waitgroup_wait(&all);
    close(ends[0]), close(ends[1]);
}

static void limits(void)
{
    connect_ends();
    limit(SO_RCVTIMEO);
    start(drip);
    int64_t before = gos_now();
    result = recv(ends[0], big, BIG, MSG_WAITALL);
    CHECK(result > 0 && result < BIG);
    is_over(before);
    for (int how = 0; how < 5; how++) {
        connect_ends();
        limit(SO_SNDTIMEO);
        start(sip);
        before = gos_now();
        result = put_by(how);
        CHECK(result > 0 && result < BIG);
        is_over(before);
    }
}

/* A local socket has it for each piece: all is sent, unless the machine made the other end late. */
static void local_limit(void)
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    limit(SO_SNDTIMEO);
    start(sip);
    longest = 0;
    int64_t before = gos_now();
    result = write(ends[0], big, LOCAL);
    is_over(before);
    CHECK(result == LOCAL || longest >= (int64_t)LIMIT_MS / 2 * MS);
}

static int run(void *unused)
{
    (void)unused;
    signal(SIGPIPE, SIG_IGN);
    errors();
    limits();
    local_limit();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
