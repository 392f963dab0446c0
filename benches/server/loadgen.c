/*
 * loadgen.c: requests over keep-alive connections, at times that are drawn beforehand: an open loop. A request that
 * finds its connection busy waits, and its latency counts from when it should have been sent: what a slow answer does
 * to those behind it is seen (no coordinated omission). One thread, which never sleeps while requests are due.
 *
 *   loadgen --port N --connections N --rate PER_SECOND --seconds S [--warmup S] [--seed N]
 *   loadgen ... --rate 0        closed loop: each connection sends again as soon as it has its answer
 *
 * Request i belongs to connection i % connections. Each connection first makes one request that is not counted in the
 * latencies, so that it is open at both ends when the clock starts. Prints one line of JSON; p99_span_ns in it is the
 * median over spans of 50 ms of the 99th percentile of those due in each: what stops a processor for some milliseconds
 * once in a while, be it a service of the machine, decides that of the whole run, and not this one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define STATUS "HTTP/1.1 200 OK\r\n"

enum { EVENTS = 512, ANSWER_LIMIT = 512, CONNECTING = 256, DRAIN_S = 5, LEAST_IN_SPAN = 200 };
static const int64_t SECOND = 1000000000, SPAN = 50000000;

typedef struct connection {
    int fd;
    uint32_t due, sent, done;  /* requests of this connection: should have been sent, were, were answered */
    uint32_t have, whole;      /* bytes of the answer under way; its length once known */
    bool is_open, primed;
    int64_t began;             /* of the request under way, in a closed loop */
    char answer[ANSWER_LIMIT];
} connection;

static struct {
    int port, connections;
    double rate, seconds, warmup;
    uint64_t seed;
} given = { .connections = 1, .seconds = 1, .seed = 1 };

static connection *all;
static int epoll;
static int64_t *intended;      /* open loop: when each request should be sent, from the start */
static uint32_t requests, next_due;
static int64_t start, counted_from, end;
static struct latency { int64_t from, ns; } *latencies;
static size_t latencies_n, latencies_room;
static uint64_t sent, answered, errors, primed;

static _Noreturn void fail(const char *what, int error)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(error));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void *need(void *memory)
{
    if (!memory)
        fail("memory", ENOMEM);
    return memory;
}

static void note(int64_t from, int64_t ns)
{
    if (latencies_n == latencies_room) {
        latencies_room = latencies_room ? 2 * latencies_room : 1 << 20;
        latencies = need(realloc(latencies, latencies_room * sizeof *latencies));
    }
    latencies[latencies_n++] = (struct latency){ from, ns };
}

/* ---- requests and answers ---- */

static void lose(connection *connection)
{
    errors++;
    close(connection->fd);
    connection->is_open = false;
}

static void ask(connection *connection, int64_t now)
{
    if (send(connection->fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) != sizeof REQUEST - 1) {
        lose(connection);
        return;
    }
    connection->began = now;
    connection->sent++;
    sent++;
}

/* The length of an answer of which the head is here; 0: not yet. */
static uint32_t length_of(connection *connection)
{
    connection->answer[connection->have] = 0;
    char *head_end = strstr(connection->answer, "\r\n\r\n");
    char *length = strcasestr(connection->answer, "\nContent-Length:");
    if (!head_end)
        return 0;
    if (!length || strncmp(connection->answer, STATUS, sizeof STATUS - 1))
        return UINT32_MAX;
    return (uint32_t)(head_end + 4 - connection->answer) + (uint32_t)strtoul(length + 16, NULL, 10);
}

static void finish(connection *connection, int64_t now, int index)
{
    connection->have = connection->whole = 0;
    if (!connection->primed) {
        connection->primed = true;
        connection->sent = 0;
        primed++;
        return;
    }
    answered++;
    int64_t from = given.rate > 0 ? start + intended[(uint64_t)connection->done * (uint64_t)given.connections +
                                                     (uint64_t)index] : connection->began;
    connection->done++;
    if (from >= counted_from && (given.rate > 0 || now < end))
        note(from, now - from);
    if (given.rate > 0 ? connection->due > connection->sent : now < end)
        ask(connection, now);
}

static void hear(connection *connection, int index)
{
    ssize_t n = recv(connection->fd, connection->answer + connection->have, ANSWER_LIMIT - 1 - connection->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(connection);
        return;
    }
    connection->have += (uint32_t)n;
    if (!connection->whole)
        connection->whole = length_of(connection);
    uint32_t most = connection->whole ? connection->whole : ANSWER_LIMIT - 2;
    if (connection->whole >= ANSWER_LIMIT || connection->have > most)
        lose(connection);
    else if (connection->have == connection->whole)
        finish(connection, now_ns(), index);
}

/* ---- connecting ---- */

static void open_one(int index)
{
    int one = 1;
    connection *connection = &all[index];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)given.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLOUT | EPOLLIN, .data.u32 = (uint32_t)index };
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        fail("cannot make a socket", errno);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail("cannot connect", errno);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event))
        fail("epoll", errno);
}

static void opened(int index)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)index };
    getsockopt(all[index].fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        fail("cannot connect", error);
    epoll_ctl(epoll, EPOLL_CTL_MOD, all[index].fd, &event);
    all[index].is_open = true;
    ask(&all[index], 0);
}

static void handle(int timeout)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, timeout);
    for (int i = 0; i < n; i++) {
        int index = (int)events[i].data.u32;
        if (all[index].is_open)
            hear(&all[index], index);
        else if (!all[index].primed)
            opened(index);
    }
}

static void connect_all(void)
{
    int64_t limit = now_ns() + 60 * SECOND;
    for (int opened = 0; primed < (uint64_t)given.connections;) {
        while (opened < given.connections && (uint64_t)opened - primed < CONNECTING)
            open_one(opened++);
        handle(100);
        if (errors || now_ns() > limit) {
            fprintf(stderr, "loadgen: %d of %d connections answered a first request\n", (int)primed, given.connections);
            exit(1);
        }
    }
    sent = 0;
}

/* ---- the loops ---- */

/* Exponential gaps: arrivals that know nothing of each other. */
static void draw_times(void)
{
    double at = 0, total = given.warmup + given.seconds;
    requests = (uint32_t)(given.rate * total);
    intended = need(malloc((requests + (size_t)1) * sizeof *intended));
    for (uint32_t i = 0; i < requests; i++) {
        given.seed = given.seed * 6364136223846793005u + 1442695040888963407u;
        at -= log(((double)(given.seed >> 11) + 1) / 9007199254740993.0) / given.rate;
        intended[i] = (int64_t)(at * 1e9);
    }
}

static void open_loop(void)
{
    while (next_due < requests || (answered + errors < requests && now_ns() < end + DRAIN_S * SECOND)) {
        int64_t now = now_ns();
        for (; next_due < requests && start + intended[next_due] <= now; next_due++) {
            connection *connection = &all[next_due % (uint32_t)given.connections];
            connection->due++;
            if (connection->is_open && connection->sent == connection->done)
                ask(connection, now);
        }
        handle(0);
    }
}

static void closed_loop(void)
{
    for (int i = 0; i < given.connections; i++)
        ask(&all[i], now_ns());
    while (now_ns() < end)
        handle(100);
    for (int64_t limit = now_ns() + DRAIN_S * SECOND; answered + errors < sent && now_ns() < limit;)
        handle(100);
}

/* ---- start and end ---- */

static int by_ns(const void *a, const void *b)
{
    const struct latency *x = a, *y = b;
    return (x->ns > y->ns) - (x->ns < y->ns);
}

static int64_t span_of(const struct latency *latency)
{
    return (latency->from - counted_from) / SPAN;
}

static int by_span(const void *a, const void *b)
{
    int64_t x = span_of(a), y = span_of(b);
    return x != y ? (x > y) - (x < y) : by_ns(a, b);
}

/* Of n that are sorted by_ns. */
static int64_t quantile(const struct latency *sorted, size_t n, double q)
{
    size_t rank = (size_t)ceil(q * (double)n);
    return n ? sorted[rank ? rank - 1 : 0].ns : 0;
}

/* Leaves the latencies sorted by_span. 0: no span has enough requests. */
static int64_t usual_quantile(double q)
{
    struct latency *found = need(calloc(latencies_n / LEAST_IN_SPAN + 1, sizeof *found));
    size_t found_n = 0;
    qsort(latencies, latencies_n, sizeof *latencies, by_span);
    for (size_t i = 0, next; i < latencies_n; i = next) {
        for (next = i; next < latencies_n && span_of(&latencies[next]) == span_of(&latencies[i]); next++)
            ;
        if (next - i >= LEAST_IN_SPAN)
            found[found_n++].ns = quantile(latencies + i, next - i, q);
    }
    qsort(found, found_n, sizeof *found, by_ns);
    int64_t median = quantile(found, found_n, 0.5);
    free(found);
    return median;
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        char *stop = NULL;
        double value = i + 1 < argc ? strtod(argv[i + 1], &stop) : -1;
        if (!stop || *stop || !(value >= 0 && value < 1e9)) {
            fprintf(stderr, "loadgen: %s wants a number\n", argv[i]);
            exit(2);
        }
        if (!strcmp(argv[i], "--port"))
            given.port = (int)value;
        else if (!strcmp(argv[i], "--connections") && value >= 1)
            given.connections = (int)value;
        else if (!strcmp(argv[i], "--rate"))
            given.rate = value;
        else if (!strcmp(argv[i], "--seconds"))
            given.seconds = value;
        else if (!strcmp(argv[i], "--warmup"))
            given.warmup = value;
        else if (!strcmp(argv[i], "--seed"))
            given.seed = (uint64_t)value;
        else {
            fprintf(stderr, "loadgen: unknown argument '%s': use --port --connections --rate --seconds --warmup "
                    "--seed\n", argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    read_options(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    all = need(calloc((size_t)given.connections, sizeof *all));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (given.rate > 0)
        draw_times();
    connect_all();
    start = now_ns();
    counted_from = start + (int64_t)(given.warmup * 1e9);
    end = counted_from + (int64_t)(given.seconds * 1e9);
    if (given.rate > 0)
        open_loop();
    else
        closed_loop();
    int64_t took = now_ns() - start;
    int64_t p99_span = usual_quantile(0.99);
    qsort(latencies, latencies_n, sizeof *latencies, by_ns);
    printf("{\"connections\": %d, \"rate\": %.0f, \"asked\": %u, \"sent\": %lu, \"answered\": %lu, \"errors\": %lu, "
           "\"primed\": %lu, \"counted\": %zu, \"requests_per_s\": %.1f", given.connections, given.rate,
           given.rate > 0 ? requests : (uint32_t)sent, sent, answered, errors, primed, latencies_n,
           given.rate > 0 ? (double)answered * 1e9 / (double)took : (double)latencies_n / given.seconds);
    static const struct { const char *name; double q; } printed[] = {
        { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 },
    };
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++)
        printf(", \"%s_ns\": %ld", printed[i].name, quantile(latencies, latencies_n, printed[i].q));
    printf(", \"p99_span_ns\": %ld, \"took_ns\": %ld}\n", p99_span, took);
    return errors ? 1 : 0;
}
