/* http.c: see http.h. */
#include "http.h"

#include <string.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
#define ANSWER HEAD "Hello, world\n"

static char answers[HTTP_PIPELINE * (sizeof ANSWER - 1)];

__attribute__((constructor)) static void fill(void)
{
    for (size_t i = 0; i < HTTP_PIPELINE; i++)
        memcpy(answers + i * (sizeof ANSWER - 1), ANSWER, sizeof ANSWER - 1);
}

static int on_begin(http_machine *machine)
{
    http_connection *connection = machine->data;
    connection->head = connection->body = 0;
    connection->in_body = false;
    return 0;
}

static int on_head(http_machine *machine)
{
    http_connection *connection = machine->data;
    connection->in_body = true;
    return 0;
}

static int on_body(http_machine *machine, const char *data, size_t n)
{
    (void)data;
    http_connection *connection = machine->data;
    connection->body += n;
    if (connection->body <= HTTP_BODY_LIMIT)
        return 0;
    connection->refusal = 413;
    return -1;
}

static int on_end(http_machine *machine)
{
    http_connection *connection = machine->data;
    connection->complete++;
    connection->in_body = false;
    connection->head = 0;
#ifdef LLHTTP_VERSION_MAJOR
    connection->last = !llhttp_should_keep_alive(machine);
#else
    connection->last = !http_should_keep_alive(machine);
#endif
    return 0;
}

#ifdef LLHTTP_VERSION_MAJOR

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin, .on_headers_complete = on_head, .on_body = on_body, .on_message_complete = on_end
};

static void begin(http_machine *machine)
{
    llhttp_init(machine, HTTP_REQUEST, &settings);
}

static bool parse(http_machine *machine, const char *data, size_t n)
{
    return llhttp_execute(machine, data, n) == HPE_OK;
}

#else

static const http_parser_settings settings = {
    .on_message_begin = on_begin, .on_headers_complete = on_head, .on_body = on_body, .on_message_complete = on_end
};

static void begin(http_machine *machine)
{
    http_parser_init(machine, HTTP_REQUEST);
}

static bool parse(http_machine *machine, const char *data, size_t n)
{
    return http_parser_execute(machine, &settings, data, n) == n && !machine->upgrade;
}

#endif

void http_begin(http_connection *connection)
{
    *connection = (http_connection){ .complete = 0 };
    begin(&connection->machine);
    connection->machine.data = connection;
}

void http_feed(http_connection *connection, const char *data, size_t n)
{
    connection->complete = 0;
    bool well = parse(&connection->machine, data, n);
    if (connection->last || connection->refusal)
        return; /* what comes after the last request is none of ours */
    if (!well)
        connection->refusal = 400;
    else if (!connection->in_body && !connection->complete && (connection->head += n) > HTTP_HEAD_LIMIT)
        connection->refusal = 431;
}

http_answer http_answers(const http_connection *connection)
{
    return (http_answer){ answers, connection->complete * (sizeof ANSWER - 1) };
}

http_answer http_refusal(const http_connection *connection)
{
#define REFUSAL(words) "HTTP/1.1 " words "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define AS_ANSWER(words) (http_answer){ REFUSAL(words), sizeof REFUSAL(words) - 1 }
    switch (connection->refusal) {
    case 413: return AS_ANSWER("413 Payload Too Large");
    case 431: return AS_ANSWER("431 Request Header Fields Too Large");
    default: return AS_ANSWER("400 Bad Request");
    }
}
