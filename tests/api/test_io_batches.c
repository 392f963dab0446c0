/* recvmmsg and sendmmsg park like their elder kin: on one thread, this ends only if they do. */
// env: GOS_PROCS=1
// also: paged
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <sys/socket.h>

#include "tests/parked.h"
#include "tests/test.h"

enum { MESSAGES = 8, BIG = 300000 };

static gos_waitgroup all;
static int fds[2];

typedef struct batch {
    int flags, got;
    char bytes[MESSAGES][4];
} batch;

static void lay_out(struct mmsghdr *messages, struct iovec *parts, char *bytes, size_t each)
{
    memset(messages, 0, MESSAGES * sizeof *messages);
    for (int i = 0; i < MESSAGES; i++) {
        parts[i] = (struct iovec){ bytes + (size_t)i * each, each };
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void receive(void *arg)
{
    batch *b = arg;
    struct mmsghdr messages[MESSAGES];
    struct iovec parts[MESSAGES];
    lay_out(messages, parts, b->bytes[0], sizeof b->bytes[0]);
    b->got = recvmmsg(fds[0], messages, MESSAGES, b->flags, NULL);
    for (int i = 0; i < b->got; i++)
        CHECK_EQ(messages[i].msg_len, 1);
    gos_waitgroup_done(&all);
}

static void send_some(int from, int to)
{
    for (int i = from; i < to; i++) {
        char byte = (char)('a' + i);
        CHECK_EQ(send(fds[1], &byte, 1, 0), 1);
    }
}

/* Three, and the rest when it waits again. */
static void datagrams(int flags, int expected)
{
    static batch b;
    b = (batch){ .flags = flags };
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(receive, &b), 0);
    await_parked(fds[0], 1);
    send_some(0, 3);
    if (expected > 3) {
        await_parked(fds[0], 1);
        send_some(3, MESSAGES);
    }
    gos_waitgroup_wait(&all);
    CHECK_EQ(b.got, expected);
    for (int i = 0; i < expected; i++)
        CHECK_EQ(b.bytes[i][0], 'a' + i);
    close(fds[0]), close(fds[1]);
}

static char big[MESSAGES * BIG];

static void send_big(void *unused)
{
    struct mmsghdr messages[MESSAGES];
    struct iovec parts[MESSAGES];
    (void)unused;
    lay_out(messages, parts, big, BIG);
    CHECK_EQ(sendmmsg(fds[1], messages, MESSAGES, 0), MESSAGES);
    for (int i = 0; i < MESSAGES; i++)
        CHECK_EQ(messages[i].msg_len, BIG);
    gos_waitgroup_done(&all);
}

/* More than a stream takes at once. */
static void stream(void)
{
    char room[1000];
    size_t at = 0;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 2654435761u >> 24);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(send_big, NULL), 0);
    await_parked(fds[1], 1);
    while (at < sizeof big) {
        ssize_t n = read(fds[0], room, sizeof room);
        CHECK(n > 0 && !memcmp(room, big + at, (size_t)n));
        at += (size_t)n;
    }
    gos_waitgroup_wait(&all);
    close(fds[0]), close(fds[1]);
}

static void at_once(void)
{
    struct mmsghdr messages[MESSAGES];
    struct iovec parts[MESSAGES];
    char bytes[MESSAGES];
    struct timespec limit = { .tv_sec = 10 };
    lay_out(messages, parts, bytes, 1);
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    errno = 0;
    CHECK(recvmmsg(fds[0], messages, MESSAGES, MSG_DONTWAIT, NULL) == -1 && errno == EAGAIN);
    CHECK_EQ(sendmmsg(fds[1], messages, 2, MSG_DONTWAIT), 2);
    CHECK_EQ(recvmmsg(fds[0], messages, 2, 0, &limit), 2);
    errno = 0;
    CHECK(sendmmsg(-1, messages, 1, 0) == -1 && errno == EBADF);
    errno = 0;
    CHECK(recvmmsg(-1, messages, 1, 0, NULL) == -1 && errno == EBADF);
    close(fds[0]), close(fds[1]);
}

static int run(void *unused)
{
    (void)unused;
    datagrams(MSG_WAITFORONE, 3);
    datagrams(0, MESSAGES);
    stream();
    at_once();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
