/* What poll calls ready and what a call that does not wait finds are not always the same: the task gets what the
 * blocking call would give. */
// timeout: 30
// also: paged
// not-with: thread (it does not see the runtime close descriptors whose numbers this gets)
// not-with: emulator (qemu 7 tells neither of a datagram socket's end nor in which system call a thread sleeps)
#define _GNU_SOURCE 1 /* struct mmsghdr */
#include <gossamer.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/blocked.h"
#include "tests/parked.h"
#include "tests/test.h"

static gos_waitgroup all;

/* ---- the end of a datagram socket ---- */

typedef struct reader {
    int fd, how;
} reader;

static void read_end(void *arg)
{
    const reader *me = arg;
    char byte;
    struct iovec part = { &byte, 1 };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };
    for (int i = 0; i < 2; i++) /* again when nothing is new */
        switch (me->how) {
        case 0:
            CHECK_EQ(read(me->fd, &byte, 1), 0);
            break;
        case 1:
            CHECK_EQ(recv(me->fd, &byte, 1, MSG_PEEK), 0);
            break;
        case 2:
            CHECK_EQ(recvmsg(me->fd, &message.msg_hdr, 0), 0);
            break;
        default:
            CHECK_EQ(readv(me->fd, &part, 1), 0);
        }
    gos_waitgroup_done(&all);
}

static void end_of_datagrams(int fd, int how, int shut)
{
    reader me = { fd, how };
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_end, &me), 0);
    await_parked(fd, 1);
    shutdown(fd, shut); /* which is refused where there is no peer, and done */
    gos_waitgroup_wait(&all);
    close(fd);
}

static void ends(void)
{
    for (int how = 0; how < 4; how++)
        for (int shut = SHUT_RD; shut <= SHUT_RDWR; shut += SHUT_RDWR - SHUT_RD) {
            int pair[2];
            CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
            end_of_datagrams(pair[0], how, shut);
            close(pair[1]);
            struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
            int udp = socket(AF_INET, SOCK_DGRAM, 0);
            CHECK(udp >= 0 && !bind(udp, (struct sockaddr *)&any, sizeof any));
            end_of_datagrams(udp, how, shut);
        }
}

/* ---- an error queue, which poll speaks of unasked ---- */

static void read_closed(void *arg)
{
    char byte;
    CHECK_EQ(recv(*(int *)arg, &byte, 1, 0), -1);
    gos_waitgroup_done(&all);
}

static void error_queue(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof to;
    int on = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    int receiver = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(!bind(receiver, (struct sockaddr *)&to, size) && !getsockname(receiver, (struct sockaddr *)&to, &size));
    CHECK_EQ(connect(fd, (struct sockaddr *)&to, size), 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &on, sizeof on), 0);
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_closed, &fd), 0);
    await_parked(fd, 1);
    CHECK_EQ(send(fd, "x", 1, 0), 1); /* it wakes the reader, for whom there is nothing */
    gos_sleep(5000000);
    await_parked(fd, 1);
    close(fd);
    gos_waitgroup_wait(&all);
    close(receiver);
}

/* ---- a receiver that the sender is not connected to ---- */

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;

static void send_one(void *arg)
{
    CHECK_EQ(sendto(*(int *)arg, "x", 1, 0, (struct sockaddr *)&address, address_size), 1);
    gos_waitgroup_done(&all);
}

/* Whether any thread does: the task may have come to another while it was parked. */
static bool some_thread_blocks_in(int number)
{
    bool found = false;
    DIR *threads = opendir("/proc/self/task");
    for (const struct dirent *entry; threads && (entry = readdir(threads));)
        found |= blocks_in(atoi(entry->d_name), number);
    closedir(threads);
    return found;
}

static void full_receiver(void)
{
    char byte;
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "gossamer-%d", getpid());
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), filler = socket(AF_UNIX, SOCK_DGRAM, 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(receiver, (struct sockaddr *)&address, address_size), 0);
    while (sendto(filler, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, address_size) == 1)
        continue;

    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(send_one, &fd), 0);
    while (!some_thread_blocks_in(SYS_sendto)) /* it does not ask over and over */
        gos_sleep(1000000);
    CHECK_EQ(read(receiver, &byte, 1), 1);
    gos_waitgroup_wait(&all);

    struct timeval limit = { .tv_usec = 20000 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    int64_t before = gos_now();
    CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, address_size), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK(gos_now() - before >= 20000000);
    close(receiver), close(filler), close(fd);
}

/* ---- MSG_FASTOPEN ---- */

static long open_fast(int how, struct sockaddr_in *to)
{
    struct iovec part = { "hello", 5 };
    struct mmsghdr message = {
        .msg_hdr = { .msg_name = to, .msg_namelen = sizeof *to, .msg_iov = &part, .msg_iovlen = 1 }
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long put = how == 0   ? syscall(SYS_sendto, fd, "hello", 5, MSG_FASTOPEN, to, sizeof *to)
               : how == 1 ? sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)to, sizeof *to)
               : how == 2 ? sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN)
                          : sendmmsg(fd, &message, 1, MSG_FASTOPEN) == 1 ? (long)message.msg_len : -1;
    close(fd);
    return put;
}

static void fast_opens(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof to;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!bind(listener, (struct sockaddr *)&to, size) && !listen(listener, 8));
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&to, &size), 0);
    if (open_fast(0, &to) != 5)
        return; /* not allowed here (net.ipv4.tcp_fastopen) */
    for (int how = 1; how < 4; how++)
        CHECK_EQ(open_fast(how, &to), 5);
    for (int how = 0; how < 4; how++) {
        char bytes[8];
        int fd = accept(listener, NULL, NULL);
        CHECK_EQ(recv(fd, bytes, sizeof bytes, MSG_WAITALL), 5);
        CHECK(!memcmp(bytes, "hello", 5));
        close(fd);
    }
    close(listener);
}

static int run(void *unused)
{
    (void)unused;
    fast_opens();
    full_receiver();
    error_queue();
    ends();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
