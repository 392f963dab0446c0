/* serve.c: see serve.h. */
#include "serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

serve_options serve_options_given = { .loops = 1, .limit = 20000, .timeout = 30 };

static atomic_ulong served, refused, connections, turned_away;
static atomic_long open_now;

_Noreturn void serve_fail(const char *what, int error)
{
    fprintf(stderr, "server: %s: %s\n", what, strerror(error));
    exit(1);
}

static int number(const char *name, const char *text, int least, int most)
{
    char *end;
    errno = 0;
    long value = strtol(text ? text : "", &end, 10);
    if (!text || end == text || *end || errno || value < least || value > most) {
        fprintf(stderr, "server: %s='%s' is no number from %d to %d\n", name, text ? text : "", least, most);
        exit(2);
    }
    return (int)value;
}

static void read_options(int argc, char **argv)
{
    serve_options *given = &serve_options_given;
    for (int i = 1; i < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) {
            given->port = number(argv[i], argv[i + 1], 0, 65535);
        } else if (!strcmp(argv[i], "--loops")) {
            given->loops = number(argv[i], argv[i + 1], 1, 256);
        } else if (!strcmp(argv[i], "--limit")) {
            given->limit = number(argv[i], argv[i + 1], 1, 1000000);
        } else if (!strcmp(argv[i], "--timeout")) {
            given->timeout = number(argv[i], argv[i + 1], 1, 86400);
        } else {
            fprintf(stderr, "server: unknown argument '%s': use --port N --loops N --limit N --timeout SECONDS\n",
                    argv[i]);
            exit(2);
        }
    }
}

static void print_counts(void)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("{\"served\": %lu, \"refused\": %lu, \"connections\": %lu, \"turned_away\": %lu, \"open\": %ld, "
           "\"cpu_ns\": %lld, \"parser\": \"" HTTP_LIBRARY "\"}\n", served, refused, connections, turned_away, open_now,
           (long long)cpu.tv_sec * 1000000000 + cpu.tv_nsec);
    fflush(stdout);
}

static void *answer_signals(void *set)
{
    for (int number;;) {
        if (sigwait(set, &number))
            continue;
        print_counts();
        if (number != SIGUSR1)
            _exit(0); /* connections end with the process */
    }
    return NULL;
}

void serve_begin(int argc, char **argv)
{
    static sigset_t set;
    pthread_t thread;
    read_options(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before there are other threads: all inherit it */
    int error = pthread_create(&thread, NULL, answer_signals, &set);
    if (error)
        serve_fail("cannot start a thread", error);
    pthread_detach(thread);
}

int serve_listen(int *port, int type_flags, bool shared, bool announced)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    if (fd < 0)
        serve_fail("cannot make a socket", errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* what is accepted inherits it */
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 16384))
        serve_fail("cannot listen", errno);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    if (announced) {
        printf("listening %d\n", *port);
        fflush(stdout);
    }
    return fd;
}

bool serve_opened(void)
{
    if (atomic_fetch_add_explicit(&open_now, 1, memory_order_relaxed) < serve_options_given.limit) {
        atomic_fetch_add_explicit(&connections, 1, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub_explicit(&open_now, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&turned_away, 1, memory_order_relaxed);
    return false;
}

void serve_closed(void)
{
    atomic_fetch_sub_explicit(&open_now, 1, memory_order_relaxed);
}

void serve_answered(unsigned requests)
{
    atomic_fetch_add_explicit(&served, requests, memory_order_relaxed);
}

void serve_refused(void)
{
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
}

void serve_accept_failed(int error)
{
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
        usleep(10000); /* until some connection ends */
    else if (error != EINTR && error != ECONNABORTED && error != EPROTO && error != EAGAIN)
        serve_fail("accept", error);
}
