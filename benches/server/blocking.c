/*
 * blocking.c: the server as one writes it down: accept, and for each connection a function that reads, parses and
 * writes until it is done. Plain POSIX and a parser library: nothing here knows what runs it (start.h).
 */
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"
#include "serve.h"
#include "start.h"

static bool write_all(int fd, http_answer answer)
{
    while (answer.n) {
        ssize_t put = write(fd, answer.data, answer.n);
        if (put <= 0)
            return false;
        answer.data += put;
        answer.n -= (size_t)put;
    }
    return true;
}

static void connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[HTTP_BUFFER];
    http_connection http;
    ssize_t n;
    http_begin(&http);
    while (!http.last && !http.refusal && (n = read(fd, buffer, sizeof buffer)) > 0) {
        http_feed(&http, buffer, (size_t)n);
        serve_answered(http.complete); /* before the write, so that no driver can have counted more */
        if (!write_all(fd, http_answers(&http)))
            break;
    }
    if (http.refusal) {
        write_all(fd, http_refusal(&http));
        serve_refused();
    }
    serve_closed(); /* first: who sees the end may connect again at once */
    close(fd);
}

static int serve(void *unused)
{
    (void)unused;
    struct timeval limit = { .tv_sec = serve_options_given.timeout };
    int port = serve_options_given.port, listener = serve_listen(&port, 0, false, true);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            serve_accept_failed(errno);
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (!serve_opened()) {
            close(fd);
        } else if (start(connection, (void *)(intptr_t)fd)) {
            serve_closed();
            close(fd);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    serve_begin(argc, argv);
    return start_main(serve, NULL);
}
