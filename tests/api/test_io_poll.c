/* Waiting for several descriptors, with and without an end, from tasks of a single worker. */
// env: GOS_PROCS=1
// also: paged
#define _GNU_SOURCE 1 /* ppoll */
#include <gossamer.h>

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/test.h"

enum { PAIRS = 20, MS = 1000000 };

static int pairs[PAIRS][2];
static gos_waitgroup all;

static void write_later(void *arg)
{
    gos_sleep(2 * MS);
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    gos_waitgroup_done(&all);
}

static void later(int *fd)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(write_later, fd), 0);
}

static void take(int fd)
{
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 1);
    gos_waitgroup_wait(&all);
}

/* No upper bound: a wait that took milliseconds for seconds would be ended with the whole test. */
static void is_about(int64_t since, int64_t ms)
{
    CHECK(gos_now() - since >= ms * MS);
}

static void polls(void)
{
    struct pollfd fds[PAIRS + 1];
    for (int i = 0; i < PAIRS; i++)
        fds[i] = (struct pollfd){ .fd = pairs[i][0], .events = POLLIN };
    fds[PAIRS] = (struct pollfd){ .fd = -1, .events = POLLIN };
    for (int i = 0; i < PAIRS; i++) {
        later(&pairs[i][1]);
        CHECK_EQ(poll(fds, PAIRS + 1, i % 2 ? -1 : 10000), 1);
        for (int k = 0; k < PAIRS; k++)
            CHECK_EQ(fds[k].revents, k == i ? POLLIN : 0);
        take(pairs[i][0]);
    }
    int64_t before = gos_now();
    CHECK_EQ(poll(fds, PAIRS, 20), 0);
    is_about(before, 20);
    before = gos_now();
    CHECK_EQ(poll(fds, 1, 20), 0);
    is_about(before, 20);
    before = gos_now();
    CHECK_EQ(poll(NULL, 0, 20), 0);
    is_about(before, 20);
    CHECK_EQ(poll(fds, PAIRS, 0), 0);
    later(&pairs[3][1]);
    CHECK_EQ(ppoll(fds, PAIRS, NULL, NULL), 1);
    take(pairs[3][0]);
    before = gos_now();
    CHECK_EQ(ppoll(fds, PAIRS, &(struct timespec){ .tv_nsec = 5 * MS }, NULL), 0);
    is_about(before, 5);
    fds[0].fd = 12345;
    CHECK_EQ(poll(fds, PAIRS, -1), 1);
    CHECK_EQ(fds[0].revents, POLLNVAL);
}

static void selects(void)
{
    fd_set in, out;
    FD_ZERO(&in);
    for (int i = 0; i < PAIRS; i++)
        FD_SET(pairs[i][0], &in);
    fd_set wanted = in;
    later(&pairs[5][1]);
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, NULL), 1);
    for (int i = 0; i < PAIRS; i++)
        CHECK_EQ(!!FD_ISSET(pairs[i][0], &in), i == 5);
    take(pairs[5][0]);
    FD_ZERO(&out);
    FD_SET(pairs[2][1], &out);
    in = wanted;
    CHECK_EQ(select(FD_SETSIZE, &in, &out, NULL, NULL), 1);
    CHECK(FD_ISSET(pairs[2][1], &out) && !FD_ISSET(pairs[5][0], &in));
    struct timeval limit = { .tv_usec = 10000 };
    int64_t before = gos_now();
    in = wanted;
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, &limit), 0);
    is_about(before, 10);
    CHECK_EQ(limit.tv_usec, 0);
    CHECK(!FD_ISSET(pairs[0][0], &in));
    limit = (struct timeval){ .tv_usec = 10000 };
    before = gos_now();
    CHECK_EQ(select(0, NULL, NULL, NULL, &limit), 0);
    is_about(before, 10);
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &(struct timespec){ .tv_nsec = MS }, NULL), 0);
    CHECK(select(-1, NULL, NULL, NULL, &limit) == -1 && errno == EINVAL);
}

/* poll always tells of an end; select does where reading was asked for. What is refused leaves the sets alone. */
static void ends_and_refusals(void)
{
    int ends[2];
    fd_set in, special;
    FD_ZERO(&in);
    FD_ZERO(&special);
    CHECK_EQ(pipe(ends), 0);
    close(ends[1]);
    FD_SET(ends[0], &special);
    struct timeval limit = { .tv_usec = 20000 };
    int64_t before = gos_now();
    CHECK_EQ(select(ends[0] + 1, NULL, NULL, &special, &limit), 0);
    is_about(before, 20);
    CHECK(!FD_ISSET(ends[0], &special));
    before = gos_now();
    FD_SET(ends[0], &special);
    CHECK_EQ(pselect(ends[0] + 1, NULL, NULL, &special, &(struct timespec){ .tv_nsec = 5 * MS }, NULL), 0);
    is_about(before, 5);

    FD_SET(ends[0], &special);
    FD_SET(pairs[7][0], &in); /* which becomes ready, though the other is it at once */
    later(&pairs[7][1]);
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, &special, NULL), 1);
    CHECK(FD_ISSET(pairs[7][0], &in) && !FD_ISSET(ends[0], &special));
    take(pairs[7][0]);
    FD_SET(ends[0], &in);
    FD_SET(ends[0], &special);
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, &special, NULL), 1);
    CHECK(FD_ISSET(ends[0], &in) && !FD_ISSET(ends[0], &special) && !FD_ISSET(pairs[7][0], &in));

    FD_SET(pairs[7][0], &in);
    FD_SET(ends[1], &in);
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, NULL), -1);
    CHECK_EQ(errno, EBADF);
    CHECK(FD_ISSET(pairs[7][0], &in) && FD_ISSET(ends[1], &in));
    close(ends[0]);
}

static void epolls(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = 77 };
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[1][0], &event), 0);
    for (int i = 0; i < 10; i++) {
        later(&pairs[1][1]);
        event.data.fd = 0;
        CHECK_EQ(epoll_wait(epoll, &event, 1, i % 2 ? 10000 : -1), 1);
        CHECK_EQ(event.data.fd, 77);
        take(pairs[1][0]);
    }
    int64_t before = gos_now();
    CHECK_EQ(epoll_wait(epoll, &event, 1, 10), 0);
    is_about(before, 10);
    close(epoll);
}

static void time_limits(void)
{
    char byte;
    struct timeval limit = { .tv_usec = 15000 };
    CHECK_EQ(setsockopt(pairs[0][0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    int64_t before = gos_now();
    CHECK(read(pairs[0][0], &byte, 1) == -1 && errno == EAGAIN);
    is_about(before, 15);
    limit = (struct timeval){ .tv_sec = 50 };
    CHECK_EQ(setsockopt(pairs[0][0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    later(&pairs[0][1]);
    take(pairs[0][0]);
}

static int run(void *arg)
{
    (void)arg;
    for (int i = 0; i < PAIRS; i++)
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
    polls();
    selects();
    ends_and_refusals();
    epolls();
    time_limits();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
