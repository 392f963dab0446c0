/* http.h: requests in, answers out: the parser of a library, limits, and the bytes that all servers here send. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#if __has_include(<http_parser.h>)
#include <http_parser.h>
#define HTTP_LIBRARY "http-parser"
typedef http_parser http_machine;
#else /* its successor, where a distribution has dropped the former */
#include <llhttp.h>
#define HTTP_LIBRARY "llhttp"
typedef llhttp_t http_machine;
#endif

enum {
    HTTP_BUFFER = 1024,            /* read at once; a request may come in any number of pieces */
    HTTP_HEAD_LIMIT = 8 << 10,     /* bytes of a request before its body */
    HTTP_BODY_LIMIT = 64 << 10,
    HTTP_PIPELINE = HTTP_BUFFER / 16 /* no request is shorter than 16 bytes */
};

/* What is known of a connection between two reads. */
typedef struct http_connection {
    http_machine machine;
    unsigned complete; /* requests that ended in the last piece */
    size_t head, body; /* bytes of the request under way */
    bool in_body;
    bool last;         /* no more requests: the client said so */
    int refusal;       /* 0, or the status of the answer that ends the connection */
} http_connection;

void http_begin(http_connection *connection);

/* Takes in what was read. `complete`, `last` and `refusal` say what to answer. */
void http_feed(http_connection *connection, const char *data, size_t n);

/* The answers to all that is complete, one after the other. */
typedef struct http_answer {
    const char *data;
    size_t n;
} http_answer;
http_answer http_answers(const http_connection *connection);

/* The answer to what was refused. */
http_answer http_refusal(const http_connection *connection);

#endif
