/* serve.h: what the servers share: options, the listening socket, counts, the end. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct serve_options {
    int port;     /* 0: the kernel chooses */
    int loops;    /* epoll only: threads */
    int limit;    /* connections at most; more are closed as they come */
    int timeout;  /* seconds without a byte after which a connection is closed */
} serve_options;

extern serve_options serve_options_given;

/* Reads the command line, raises the limit of open files, starts the thread that answers SIGUSR1 with a line of counts
 * and SIGTERM or SIGINT with another and the end. */
void serve_begin(int argc, char **argv);

/* A listening socket on 127.0.0.1; says "listening PORT" on standard output when `announced`. port 0: a free one. */
int serve_listen(int *port, int type_flags, bool shared, bool announced);

/* Counts. opened: false, and the connection is one too many. */
bool serve_opened(void);
void serve_closed(void);
void serve_answered(unsigned requests);
void serve_refused(void);

/* After accept has failed: returns when trying again makes sense, or ends the program. */
void serve_accept_failed(int error);

_Noreturn void serve_fail(const char *what, int error);

#endif
