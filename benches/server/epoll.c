/*
 * epoll.c: what one writes by hand for speed: a loop a thread, each with a listening socket of its own (SO_REUSEPORT),
 * sockets that never block, level-triggered readiness, one recv and one send a request, no allocation per request.
 * Time limits cost a look at a list once a second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"
#include "serve.h"

enum { EVENTS = 512 };

typedef struct client {
    struct client *next, *prev; /* in the order of their last bytes */
    int fd;
    int32_t heard;              /* seconds */
    http_connection http;
    http_answer rest;           /* what the socket did not take yet */
} client;

typedef struct loop {
    int epoll, listener;
    int32_t now;
    client order; /* the head of a ring: next is the one that was silent for longest */
    char buffer[HTTP_BUFFER];
} loop;

static void unlink_client(client *client)
{
    client->next->prev = client->prev;
    client->prev->next = client->next;
}

static void heard(loop *loop, client *client)
{
    client->heard = loop->now;
    client->next = &loop->order;
    client->prev = loop->order.prev;
    client->prev->next = loop->order.prev = client;
}

static void drop(client *client)
{
    unlink_client(client);
    serve_closed(); /* first: who sees the end may connect again at once */
    close(client->fd); /* which ends its registration */
    free(client);
}

static void watch(loop *loop, client *client, uint32_t events, int how)
{
    struct epoll_event event = { .events = events, .data.ptr = client };
    if (epoll_ctl(loop->epoll, how, client->fd, &event))
        drop(client);
}

static void take_all(loop *loop)
{
    for (;;) {
        int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EAGAIN)
                serve_accept_failed(errno);
            return;
        }
        client *client = serve_opened() ? malloc(sizeof *client) : NULL;
        if (!client) {
            close(fd);
            continue;
        }
        client->fd = fd;
        client->rest.n = 0;
        http_begin(&client->http);
        heard(loop, client);
        watch(loop, client, EPOLLIN, EPOLL_CTL_ADD);
    }
}

/* False: the connection is over. */
static bool flush(client *client)
{
    ssize_t put = send(client->fd, client->rest.data, client->rest.n, 0);
    if (put < 0)
        return errno == EAGAIN || errno == EINTR;
    client->rest.data += put;
    client->rest.n -= (size_t)put;
    return true;
}

static void serve_client(loop *loop, client *client, uint32_t events)
{
    http_connection *http = &client->http;
    bool waited = client->rest.n;
    if (waited && events & EPOLLOUT && !flush(client)) {
        drop(client);
        return;
    }
    if (!client->rest.n && !http->last && !http->refusal) {
        ssize_t n = recv(client->fd, loop->buffer, sizeof loop->buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            drop(client);
            return;
        }
        if (n > 0) {
            unlink_client(client);
            heard(loop, client);
            http_feed(http, loop->buffer, (size_t)n);
            if (http->complete) {
                client->rest = http_answers(http);
                serve_answered(http->complete);
            }
            if (http->refusal) { /* on its own: a refusal after answers of the same piece goes without them */
                client->rest = http_refusal(http);
                serve_refused();
            }
            if (client->rest.n && !flush(client)) {
                drop(client);
                return;
            }
        }
    }
    if (!client->rest.n && (http->last || http->refusal))
        drop(client);
    else if (waited != (client->rest.n != 0))
        watch(loop, client, client->rest.n ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

static void expire(loop *loop)
{
    while (loop->order.next != &loop->order && loop->now - loop->order.next->heard >= serve_options_given.timeout)
        drop(loop->order.next);
}

static int32_t seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return (int32_t)time.tv_sec;
}

static void *run(void *arg)
{
    loop *loop = arg;
    struct epoll_event events[EVENTS], first = { .events = EPOLLIN };
    loop->order.next = loop->order.prev = &loop->order;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &first))
        serve_fail("epoll", errno);
    for (loop->now = seconds();;) {
        int n = epoll_wait(loop->epoll, events, EVENTS, 1000);
        int32_t now = seconds();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve_client(loop, events[i].data.ptr, events[i].events);
            else
                take_all(loop);
        }
        if (now != loop->now) {
            loop->now = now;
            expire(loop);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    serve_begin(argc, argv);
    int port = serve_options_given.port, loops = serve_options_given.loops;
    for (int i = 0; i < loops; i++) {
        loop *loop = calloc(1, sizeof *loop);
        pthread_t thread;
        if (!loop)
            serve_fail("memory", errno);
        loop->listener = serve_listen(&port, SOCK_NONBLOCK, true, i == 0);
        if (i + 1 == loops)
            run(loop);
        int error = pthread_create(&thread, NULL, run, loop);
        if (error)
            serve_fail("cannot start a thread", error);
    }
    return 0;
}
