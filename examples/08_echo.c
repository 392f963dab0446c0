/*
 * An echo server as it would be written for threads: plain blocking calls, one task for each connection. It talks to
 * itself over loopback. Where a call would block, the task waits and its worker runs the others.
 */
#include <arpa/inet.h>
#include <gossamer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 100, LINES = 10 };

static int listener;
static struct sockaddr_in address;
static gos_chan *echoed; /* how many bytes each client got back */

static void serve(void *arg)
{
    int connection = (int)(intptr_t)arg;
    char bytes[64];
    ssize_t n;
    while ((n = read(connection, bytes, sizeof bytes)) > 0)
        if (write(connection, bytes, (size_t)n) != n)
            break;
    close(connection);
}

static void accept_all(void *arg)
{
    (void)arg;
    int connection;
    while ((connection = accept(listener, NULL, NULL)) >= 0)
        if (gos_go(serve, (void *)(intptr_t)connection) != 0)
            close(connection);
}

static void ask(void *arg)
{
    (void)arg;
    static const char line[] = "how do you do?\n";
    char back[sizeof line];
    int64_t bytes = 0;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0)
        for (int i = 0; i < LINES; i++)
            if (write(connection, line, sizeof line) > 0)
                bytes += recv(connection, back, sizeof back, MSG_WAITALL);
    close(connection);
    gos_chan_send(echoed, &bytes);
}

static int run(void *arg)
{
    (void)arg;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, CLIENTS) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("no loopback");
        return 1;
    }
    echoed = gos_chan_new(sizeof(int64_t), 0);
    gos_go(accept_all, NULL);
    for (int i = 0; i < CLIENTS; i++)
        gos_go(ask, NULL);
    int64_t sum = 0, bytes;
    for (int i = 0; i < CLIENTS; i++) {
        gos_chan_recv(echoed, &bytes);
        sum += bytes;
    }
    printf("%d clients got %lld bytes back\n", CLIENTS, (long long)sum); // expect: 100 clients got 16000 bytes back
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
