/* Tasks that talk through descriptors with plain read and write: on one thread, this ends only if waiting parks. */
// env: GOS_PROCS=1
// also: paged
#include <gossamer.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/test.h"

enum { ROUNDS = 2000, BIG = 1 << 20 };

static gos_waitgroup all;

typedef struct channel {
    int in, out;
} channel;

static void echo(void *arg)
{
    const channel *c = arg;
    int32_t number;
    while (read(c->in, &number, sizeof number) == sizeof number) {
        number = -number;
        CHECK_EQ(write(c->out, &number, sizeof number), sizeof number);
    }
    gos_waitgroup_done(&all);
}

static void ask(const channel *c)
{
    for (int32_t i = 1; i <= ROUNDS; i++) {
        int32_t number = i;
        CHECK_EQ(write(c->out, &number, sizeof number), sizeof number);
        CHECK_EQ(read(c->in, &number, sizeof number), sizeof number);
        CHECK_EQ(number, -i);
    }
}

static void pipes(void)
{
    int to[2], from[2];
    CHECK(!pipe(to) && !pipe(from));
    channel theirs = { to[0], from[1] }, ours = { from[0], to[1] };
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(echo, &theirs), 0);
    ask(&ours);
    close(to[1]);
    gos_waitgroup_wait(&all);
    close(to[0]), close(from[0]), close(from[1]);
}

static void sockets(int type)
{
    int pair[2];
    CHECK(!socketpair(AF_UNIX, type, 0, pair));
    channel theirs = { pair[0], pair[0] }, ours = { pair[1], pair[1] };
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(echo, &theirs), 0);
    ask(&ours);
    CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
    gos_waitgroup_wait(&all);
    close(pair[0]), close(pair[1]);
}

static unsigned char expected_byte(size_t at)
{
    return (unsigned char)(at * 31 + (at >> 8));
}

/* Takes what comes in pieces of changing sizes, so that the writer waits often. */
static void drain(void *arg)
{
    int fd = *(int *)arg;
    static unsigned char piece[10000];
    size_t at = 0;
    for (size_t want = 1; at < BIG; want = want % sizeof piece + 777) {
        ssize_t got = read(fd, piece, want < sizeof piece ? want : sizeof piece);
        CHECK(got > 0);
        for (ssize_t i = 0; i < got; i++, at++)
            CHECK_EQ(piece[i], expected_byte(at));
        gos_yield();
    }
    gos_waitgroup_done(&all);
}

/* A blocking write gives all of it, however small the pipe. */
static void big(int in, int out, int how)
{
    static unsigned char bytes[BIG];
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = expected_byte(i);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(drain, &in), 0);
    struct iovec parts[3] = { { bytes, 10 }, { bytes + 10, BIG / 2 }, { bytes + 10 + BIG / 2, BIG - BIG / 2 - 10 } };
    if (how == 0)
        CHECK_EQ(write(out, bytes, BIG), BIG);
    else if (how == 1)
        CHECK_EQ(writev(out, parts, 3), BIG);
    else if (how == 2)
        CHECK_EQ(send(out, bytes, BIG, MSG_NOSIGNAL), BIG);
    else
        CHECK_EQ(sendmsg(out, &(struct msghdr){ .msg_iov = parts, .msg_iovlen = 3 }, 0), BIG);
    gos_waitgroup_wait(&all);
    close(in), close(out);
}

static void fill(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(write(fd, "0123456789", 10), 10);
        gos_yield();
    }
    gos_waitgroup_done(&all);
}

static void wait_all(void)
{
    int pair[2];
    char bytes[1000];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fill, &pair[0]), 0);
    CHECK_EQ(recv(pair[1], bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        CHECK_EQ(bytes[i], '0' + (char)(i % 10));
    gos_waitgroup_wait(&all);
    close(pair[0]), close(pair[1]);
}

static int run(void *arg)
{
    (void)arg;
    pipes();
    sockets(SOCK_STREAM);
    sockets(SOCK_SEQPACKET);
    int fds[2];
    for (int how = 0; how < 4; how++) {
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        big(fds[0], fds[1], how);
    }
    for (int how = 0; how < 2; how++) {
        CHECK(!pipe(fds));
        big(fds[0], fds[1], how);
    }
    wait_all();
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    CHECK(stats.handoffs < 10); /* a thread that blocks would lose its worker to another one */
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
