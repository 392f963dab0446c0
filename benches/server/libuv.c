/*
 * libuv.c: the server on libuv's loop, as one writes it for that library: callbacks, one buffer for
 * all reads of a loop, uv_try_write for answers and uv_write for what the socket did not take, uv_timer once a second
 * for the time limits. Parser, bytes and counts are those of the others in C.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

#include "http.h"
#include "serve.h"

typedef struct client {
    uv_tcp_t tcp;
    struct client *next, *prev; /* in the order of their last bytes */
    uint64_t heard;             /* the loop's milliseconds */
    http_connection http;
    uv_write_t rest;            /* of an answer that the socket did not take at once */
    bool closing;
} client;

typedef struct loop {
    uv_loop_t uv;
    uv_tcp_t listener;
    uv_timer_t second;
    uv_os_sock_t socket;
    client order;               /* the head of a ring: next is the one that was silent for longest */
    char buffer[HTTP_BUFFER];
} loop;

static loop *loop_of(const uv_handle_t *handle) { return handle->loop->data; }

static void unlink_client(client *c)
{
    c->next->prev = c->prev;
    c->prev->next = c->next;
}

static void heard(loop *l, client *c)
{
    c->heard = uv_now(&l->uv);
    c->next = &l->order;
    c->prev = l->order.prev;
    c->prev->next = l->order.prev = c;
}

static void closed(uv_handle_t *handle)
{
    free(handle); /* the first member */
    serve_closed();
}

static void drop(client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    unlink_client(c);
    uv_close((uv_handle_t *)&c->tcp, closed);
}

static void buffer_for(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    loop *l = loop_of(handle);
    *buffer = uv_buf_init(l->buffer, sizeof l->buffer);
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer);

static void written(uv_write_t *request, int error)
{
    client *c = request->data;
    if (error || c->http.last || c->http.refusal)
        drop(c);
    else
        uv_read_start((uv_stream_t *)&c->tcp, buffer_for, got);
}

/* Writes now what goes, the rest later; nothing is read meanwhile. */
static void answer(client *c, http_answer what)
{
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    uv_buf_t buffer = uv_buf_init((char *)what.data, (unsigned)what.n);
    int put = uv_try_write(stream, &buffer, 1);
    if (put == UV_EAGAIN)
        put = 0;
    if (put < 0) {
        drop(c);
    } else if ((size_t)put < what.n) {
        uv_buf_t rest = uv_buf_init(buffer.base + put, buffer.len - (unsigned)put);
        uv_read_stop(stream);
        c->rest.data = c;
        if (uv_write(&c->rest, stream, &rest, 1, written))
            drop(c);
    } else if (c->http.last || c->http.refusal) {
        drop(c);
    }
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    client *c = (client *)stream;
    http_connection *http = &c->http;
    if (n < 0) {
        drop(c);
        return;
    }
    if (n == 0)
        return;
    unlink_client(c);
    heard(loop_of((uv_handle_t *)stream), c);
    http_feed(http, buffer->base, (size_t)n);
    serve_answered(http->complete);
    if (http->refusal) {
        serve_refused();
        answer(c, http_refusal(http));
    } else if (http->complete) {
        answer(c, http_answers(http));
    }
}

static void came(uv_stream_t *listener, int error)
{
    loop *l = loop_of((uv_handle_t *)listener);
    client *c = error ? NULL : calloc(1, sizeof *c);
    if (!c) {
        serve_accept_failed(error ? -error : ENOMEM);
        return;
    }
    uv_tcp_init(&l->uv, &c->tcp);
    heard(l, c);
    http_begin(&c->http);
    bool taken = uv_accept(listener, (uv_stream_t *)&c->tcp) == 0;
    bool welcome = serve_opened();
    if (taken && welcome) {
        uv_tcp_nodelay(&c->tcp, 1);
        uv_read_start((uv_stream_t *)&c->tcp, buffer_for, got);
        return;
    }
    c->closing = true;
    unlink_client(c);
    uv_close((uv_handle_t *)&c->tcp, welcome ? closed : (uv_close_cb)free);
}

static void expire(uv_timer_t *timer)
{
    loop *l = loop_of((uv_handle_t *)timer);
    uint64_t limit = (uint64_t)serve_options_given.timeout * 1000;
    while (l->order.next != &l->order && uv_now(&l->uv) - l->order.next->heard >= limit)
        drop(l->order.next);
}

static void run(void *arg)
{
    loop *l = arg;
    l->order.next = l->order.prev = &l->order;
    int error = uv_loop_init(&l->uv);
    l->uv.data = l;
    if (!error)
        error = uv_tcp_init(&l->uv, &l->listener);
    if (!error)
        error = uv_tcp_open(&l->listener, l->socket);
    if (!error)
        error = uv_listen((uv_stream_t *)&l->listener, SOMAXCONN, came);
    if (!error)
        error = uv_timer_init(&l->uv, &l->second);
    if (!error)
        error = uv_timer_start(&l->second, expire, 1000, 1000);
    if (error)
        serve_fail("libuv", -error);
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    serve_begin(argc, argv);
    int port = serve_options_given.port, loops = serve_options_given.loops;
    for (int i = 0; i < loops; i++) {
        loop *l = calloc(1, sizeof *l);
        uv_thread_t thread;
        if (!l)
            serve_fail("memory", ENOMEM);
        l->socket = serve_listen(&port, SOCK_NONBLOCK, true, i == 0);
        if (i + 1 == loops)
            run(l);
        else if (uv_thread_create(&thread, run, l))
            serve_fail("cannot start a thread", EAGAIN);
    }
    return 0;
}
