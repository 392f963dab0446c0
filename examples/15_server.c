/*
 * A server that strangers may speak to: 08_echo with bounds. What they can take is bounded in number (so many are
 * served at once, others wait in the kernel), in bytes (a head of 4 KiB, on the stack) and in time (a request must be
 * whole, and its answer taken, after so long, however they trickle; the fuller the house, the sooner).
 *
 *     15_server          asks itself
 *     15_server PORT     serves 127.0.0.1; 0: any port, which it prints
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <gossamer.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 4096, MOST = 1000, OTHER_FILES = 64, LONGEST = 1000000000, SHORTEST = 50000000, GOOD = 50 };

static const char small[] = "hello\n", big[1 << 20]; /* the answers to / and /big */
static struct sockaddr_in address = { .sin_family = AF_INET };
static int listener, places;
static atomic_int served;
static gos_sem room;
static gos_chan *statuses;

/* ---- the server ---- */

/* Nanoseconds that a request, or its answer, may take. */
static int64_t patience(void)
{
    return SHORTEST + (int64_t)(LONGEST - SHORTEST) / places * (places - served);
}

static int can(short what, int fd, int64_t until)
{
    struct pollfd it = { .fd = fd, .events = what };
    int64_t left = until - gos_now();
    return left > 0 && poll(&it, 1, (int)(left / 1000000) + 1) > 0;
}

/* The status to answer; 0: nobody is there any more. */
static int read_head(int fd, char *head, int64_t until)
{
    for (ssize_t n = 0, seen, got; n < HEAD; n += got) {
        if (!can(POLLIN, fd, until))
            return 408;
        got = recv(fd, head + n, (size_t)(HEAD - n), MSG_DONTWAIT);
        if (got <= 0)
            return 0;
        if (memcmp(head, "GET /", n + got < 5 ? (size_t)(n + got) : 5) != 0)
            return 400;
        seen = n < 3 ? 0 : n - 3; /* once, or who sends byte by byte has all of it looked through each time */
        if (memmem(head + seen, (size_t)(n + got - seen), "\r\n\r\n", 4))
            return 200;
    }
    return 431;
}

static int write_all(int fd, const char *bytes, size_t n, int64_t until)
{
    while (n > 0) {
        ssize_t put = can(POLLOUT, fd, until) ? send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
        if (put <= 0)
            return 0;
        bytes += put;
        n -= (size_t)put;
    }
    return 1;
}

/* The kernel throws an answer away, sent or not, where a socket is closed with bytes in it that nobody has read. */
static void read_rest(int fd, char *bytes, int64_t until)
{
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 16 && can(POLLIN, fd, until) && recv(fd, bytes, HEAD, MSG_DONTWAIT) > 0; i++)
        continue;
}

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char head[HEAD], first[100];
    int status = read_head(fd, head, gos_now() + patience());
    int is_big = status == 200 && memcmp(head, "GET /big ", 9) == 0;
    size_t length = status != 200 ? 0 : is_big ? sizeof big : sizeof small - 1;
    int n = snprintf(first, sizeof first, "HTTP/1.1 %d\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", status,
                     length);
    int64_t until = gos_now() + patience();
    if (status && write_all(fd, first, (size_t)n, until) && write_all(fd, is_big ? big : small, length, until))
        read_rest(fd, head, until);
    close(fd);
    served--;
    gos_sem_release(&room, 1);
}

/* A place before accept: so there are always descriptors for what it gives. */
static void accept_all(void *arg)
{
    (void)arg;
    for (;;) {
        gos_sem_acquire(&room, 1);
        int fd;
        while ((fd = accept(listener, NULL, NULL)) < 0)
            gos_sleep(SHORTEST); /* who came is gone, or the system has no more files: others will be closed */
        served++;
        if (gos_go(serve, (void *)(intptr_t)fd) != 0) {
            close(fd);
            served--;
            gos_sem_release(&room, 1);
        }
    }
}

static int open_server(int port)
{
    struct rlimit files;
    socklen_t size = sizeof address;
    getrlimit(RLIMIT_NOFILE, &files);
    places = files.rlim_cur < MOST + OTHER_FILES ? (int)files.rlim_cur - OTHER_FILES : MOST;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (places < 1) {
        fprintf(stderr, "15_server: RLIMIT_NOFILE is %d: raise it above %d\n", (int)files.rlim_cur, OTHER_FILES);
        return 1;
    }
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, SOMAXCONN) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("15_server: cannot listen");
        return 1;
    }
    gos_sem_release(&room, places);
    return gos_go(accept_all, NULL);
}

/* ---- asking itself ---- */

static void ask(void *request)
{
    char back[16] = "";
    int64_t status = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 && recv(fd, back, sizeof back - 1, MSG_WAITALL) > 9)
        status = atoi(back + 9);
    close(fd);
    gos_chan_send(statuses, &status);
}

static int64_t asked(void *request)
{
    int64_t status = 0;
    gos_go(ask, request);
    gos_chan_recv(statuses, &status);
    return status;
}

static int run(void *port)
{
    if (open_server(port ? atoi(port) : 0))
        return 1;
    if (port) {
        printf("port %d\n", ntohs(address.sin_port));
        fflush(stdout);
        gos_sleep(INT64_MAX);
    }
    static char endless[HEAD + 1] = "GET /";
    memset(endless + 5, 'x', HEAD - 5);
    statuses = gos_chan_new(sizeof(int64_t), 0);
    int good = 0;
    for (int i = 0; i < GOOD; i++)
        good += asked("GET / HTTP/1.1\r\n\r\n") == 200;
    printf("%d answered\n", good); // expect: 50 answered
    printf("nonsense: %d\n", (int)asked("SSH-2.0-nobody\r\n")); // expect: nonsense: 400
    printf("endless: %d\n", (int)asked(endless)); // expect: endless: 431
    printf("half: %d\n", (int)asked("GET / HTTP/1.1\r\n")); // expect: half: 408
    return 0;
}

int main(int argc, char **argv)
{
    return gos_run(run, argc > 1 ? argv[1] : NULL);
}
