/* A thousand connections over loopback, a task at either end, with plain blocking calls: every number arrives once. */
// timeout: 120
// also: paged
#include <gossamer.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/test.h"

enum { CONNECTIONS = 1000, ROUNDS = 20, ACCEPTERS = 4 };

static int listener;
static struct sockaddr_in address;
static gos_waitgroup servers, clients;
static int64_t sum, served;

/* Adds up in 8-byte numbers, answers with the running total. */
static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    int64_t number, total = 0;
    while (recv(fd, &number, sizeof number, MSG_WAITALL) == sizeof number) {
        total += number;
        CHECK_EQ(write(fd, &total, sizeof total), sizeof total);
    }
    CHECK_EQ(close(fd), 0);
    __atomic_fetch_add(&sum, total, __ATOMIC_RELAXED);
    gos_waitgroup_done(&servers);
}

static void accept_some(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        __atomic_fetch_add(&served, 1, __ATOMIC_RELAXED);
        CHECK_EQ(gos_go(serve, (void *)(intptr_t)fd), 0);
    }
    gos_waitgroup_done(&clients);
}

static void ask(void *arg)
{
    int64_t me = (intptr_t)arg, total = 0, answer = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t number = me * ROUNDS + i;
        CHECK_EQ(send(fd, &number, 3, 0), 3); /* in two parts, so that the other end waits in between */
        if (i % 4 == 0)
            gos_yield();
        CHECK_EQ(write(fd, (char *)&number + 3, sizeof number - 3), sizeof number - 3);
        CHECK_EQ(recv(fd, &answer, sizeof answer, MSG_WAITALL), sizeof answer);
        total += number;
        CHECK_EQ(answer, total);
    }
    CHECK_EQ(close(fd), 0);
    gos_waitgroup_done(&clients);
}

static int run(void *arg)
{
    (void)arg;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(listener, 4096), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    gos_waitgroup_add(&servers, CONNECTIONS);
    gos_waitgroup_add(&clients, CONNECTIONS);
    for (int i = 0; i < ACCEPTERS; i++)
        CHECK_EQ(gos_go(accept_some, NULL), 0);
    for (intptr_t i = 0; i < CONNECTIONS; i++)
        CHECK_EQ(gos_go(ask, (void *)i), 0);
    gos_waitgroup_wait(&clients);
    gos_waitgroup_wait(&servers);
    int64_t n = (int64_t)CONNECTIONS * ROUNDS;
    CHECK_EQ(sum, n * (n - 1) / 2);
    CHECK_EQ(served, CONNECTIONS);
    gos_waitgroup_add(&clients, ACCEPTERS);
    CHECK_EQ(shutdown(listener, SHUT_RDWR), 0);
    gos_waitgroup_wait(&clients);
    return 0;
}

int main(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * CONNECTIONS + 50)
        SKIP("the limit of open files is too low");
    return gos_run(run, NULL);
}
