/* outside.c: parts of everything.c that meet the world outside: descriptors, threads, processes, signals, dumps. */
#define _GNU_SOURCE
#include "tests/fault/everything.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gossamer/context.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- descriptors ---- */

enum { MESSAGES = 20 };

/* The sum of what arrived, or -1 when a call was refused. */
static long read_numbers(int fd)
{
    long sum = 0;
    int32_t n;
    for (ssize_t got; (got = read(fd, &n, sizeof n)) != 0;) {
        if (!posix_done("read", got))
            return -1;
        CHECK_EQ(got, sizeof n);
        sum += n;
    }
    return sum;
}

static long write_numbers(int fd)
{
    long sum = 0;
    for (int32_t n = 1; n <= MESSAGES; n++, sum += n - 1) {
        if (!posix_done("write", write(fd, &n, sizeof n)))
            return -1;
        if (n % 4 == 0)
            usleep(50);
    }
    return sum;
}

typedef struct pair {
    int fds[2];
    long wrote, got;
} pair;

static void writer(void *arg)
{
    pair *it = arg;
    it->wrote = write_numbers(it->fds[0]);
    close(it->fds[0]);
    gos_waitgroup_done(&all);
}

static void reader(void *arg)
{
    pair *it = arg;
    it->got = read_numbers(it->fds[1]);
    close(it->fds[1]);
    gos_waitgroup_done(&all);
}

void part_pairs(void)
{
    enum { N = 20 };
    pair made[N];
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGPIPE, &ignore, NULL);
    for (int i = 0; i < N; i++) {
        made[i] = (pair){ .wrote = -1, .got = -1 };
        if (!posix_done("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, made[i].fds)))
            continue;
        gos_waitgroup_add(&all, 2);
        if (!done("reader", gos_go(reader, &made[i]))) {
            close(made[i].fds[1]);
            gos_waitgroup_done(&all);
        }
        if (!done("writer", gos_go(writer, &made[i]))) {
            close(made[i].fds[0]);
            gos_waitgroup_done(&all);
        }
    }
    gos_waitgroup_wait(&all);
    for (int i = 0; i < N; i++)
        if (may_be_refused ? made[i].got >= 0 && made[i].wrote >= 0 : 1)
            CHECK_EQ(made[i].got, MESSAGES * (MESSAGES + 1) / 2);
}

static struct sockaddr_in address;

static void client(void *unused)
{
    (void)unused;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (posix_done("socket", fd)) {
        if (posix_done("connect", connect(fd, (struct sockaddr *)&address, sizeof address)))
            write_numbers(fd);
        close(fd);
    }
    gos_waitgroup_done(&all);
}

void part_tcp(void)
{
    enum { CLIENTS = 4 };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), started = 0;
    if (!posix_done("socket", listener))
        return;
    address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(listener, 16), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < CLIENTS; i++) {
        gos_waitgroup_add(&all, 1);
        if (done("client", gos_go(client, NULL)))
            started++;
        else
            gos_waitgroup_done(&all);
    }
    for (int i = 0; i < started; i++) {
        struct pollfd ready = { .fd = listener, .events = POLLIN };
        int n = poll(&ready, 1, may_be_refused ? 200 : -1);
        if (!posix_done("poll", n) || !n)
            break; /* a client may have been refused its connect */
        int fd = accept(listener, NULL, NULL);
        if (!posix_done("accept", fd))
            continue;
        long sum = read_numbers(fd);
        CHECK(sum == MESSAGES * (MESSAGES + 1) / 2 || may_be_refused);
        close(fd);
    }
    gos_waitgroup_wait(&all); /* before: a client that is late would be refused its connect by this test */
    close(listener);
}

static int quiet[2];

/* Nothing is ever there to read. */
static void polls_in_vain(void *number)
{
    struct pollfd fd = { .fd = quiet[0], .events = POLLIN };
    int n = poll(&fd, 1, 1 + (int)(intptr_t)number % 3);
    if (posix_done("poll", n))
        CHECK_EQ(n, 0);
    total += (intptr_t)number;
    gos_waitgroup_done(&all);
}

void part_polls(void)
{
    total = 0;
    if (!posix_done("pipe", pipe(quiet)))
        return;
    long expected = start("polls", 100, polls_in_vain);
    gos_waitgroup_wait(&all);
    close(quiet[0]);
    close(quiet[1]);
    CHECK_EQ(total, expected);
}

/* ---- threads ---- */

static pthread_mutex_t libc_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t libc_cond = PTHREAD_COND_INITIALIZER;

static void locks_as_threads_do(void *number)
{
    pthread_mutex_lock(&libc_mutex);
    gos_yield();
    total += (intptr_t)number;
    pthread_cond_signal(&libc_cond);
    pthread_mutex_unlock(&libc_mutex);
    gos_block_begin();
    struct timespec moment = { .tv_nsec = 20000 };
    syscall(SYS_nanosleep, &moment, NULL);
    gos_block_end();
    gos_waitgroup_done(&all);
}

void part_locks(void)
{
    total = 0;
    pthread_mutex_lock(&libc_mutex);
    long expected = start("locks", 30, locks_as_threads_do);
    while (total != expected)
        pthread_cond_wait(&libc_cond, &libc_mutex);
    pthread_mutex_unlock(&libc_mutex);
    gos_waitgroup_wait(&all);
}

static int blocked_pipe[2];

/* By number: the runtime does not see it coming. */
static void blocks(void *number)
{
    char byte;
    CHECK_EQ(syscall(SYS_read, blocked_pipe[0], &byte, 1), 1);
    total += (intptr_t)number;
    gos_waitgroup_done(&all);
}

static void *unblock(void *n)
{
    struct timespec pause = { .tv_nsec = 3 * MS };
    nanosleep(&pause, NULL);
    for (intptr_t i = 0; i < (intptr_t)n; i++)
        if (syscall(SYS_write, blocked_pipe[1], "", 1) != 1)
            abort();
    return NULL;
}

void part_hand_offs(void)
{
    enum { BLOCKED = 3 };
    pthread_t other;
    total = 0;
    if (!posix_done("pipe", pipe(blocked_pipe)))
        return;
    if (!done("pthread_create", -pthread_create(&other, NULL, unblock, (void *)BLOCKED))) {
        close(blocked_pipe[0]);
        close(blocked_pipe[1]);
        return;
    }
    long expected = start("hand-offs", BLOCKED, blocks);
    for (int i = 0; i < 50; i++)
        gos_yield();
    gos_waitgroup_wait(&all);
    CHECK_EQ(pthread_join(other, NULL), 0);
    close(blocked_pipe[0]);
    close(blocked_pipe[1]);
    CHECK(total == expected);
}

static gos_chan *there, *back;

static void pinned_echo(void *unused)
{
    int64_t n;
    (void)unused;
    gos_pin();
    pthread_t here = pthread_self();
    while (!gos_chan_recv(there, &n)) {
        CHECK(pthread_equal(here, pthread_self()));
        n++;
        if (gos_chan_send(back, &n))
            break;
    }
    gos_unpin();
    gos_waitgroup_done(&all);
}

void part_pins(void)
{
    there = gos_chan_new(sizeof(int64_t), 0);
    back = there ? gos_chan_new(sizeof(int64_t), 0) : NULL;
    gos_waitgroup_add(&all, 1);
    int result = back ? gos_go(pinned_echo, NULL) : -ENOMEM;
    if (done("pins", result)) {
        gos_pin();
        for (int64_t i = 0, n = 0; i < 60; i++) {
            CHECK_EQ(gos_chan_send(there, &n), 0);
            CHECK_EQ(gos_chan_recv(back, &n), 0);
            CHECK_EQ(n, i + 1);
        }
        gos_unpin();
        gos_chan_close(there);
    } else {
        gos_waitgroup_done(&all);
    }
    gos_waitgroup_wait(&all);
    gos_chan_free(there);
    gos_chan_free(back);
}

/* A thread of the program's own that starts tasks and waits in channels. */
static void *outsider(void *unused)
{
    int64_t n = 5;
    if (gos_chan_send(there, &n))
        abort();
    gos_waitgroup_add(&all, 1);
    if (!done("gos_go outside", gos_go(add_number, (void *)11))) {
        gos_waitgroup_done(&all);
        return unused;
    }
    return there;
}

void part_outsiders(void)
{
    pthread_t other;
    int64_t n = 0;
    void *started;
    total = 0;
    if (!(there = gos_chan_new(sizeof n, 0))) {
        done("gos_chan_new", -ENOMEM);
        return;
    }
    if (!done("pthread_create", -pthread_create(&other, NULL, outsider, NULL))) {
        gos_chan_free(there);
        return;
    }
    CHECK_EQ(gos_chan_recv(there, &n), 0);
    CHECK_EQ(n, 5);
    CHECK_EQ(pthread_join(other, &started), 0);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total, started ? 11 : 0);
    gos_chan_free(there);
}

void part_processors(void)
{
    int former = gos_procs(3);
    total = 0;
    long expected = start("processors", 300, add_number);
    gos_procs(1);
    gos_waitgroup_wait(&all);
    CHECK_EQ(total, expected);
    gos_procs(former);
    if (!may_be_refused)
        CHECK_EQ(gos_procs(0), former);
}

/* ---- processes, signals, dumps ---- */

/* 0, or 9: told that something was refused. */
static _Noreturn void child(void)
{
    int64_t n = 3;
    gos_chan *chan = gos_chan_new(sizeof n, 1);
    if (!chan)
        _exit(9);
    if (gos_chan_send(chan, &n) || gos_chan_recv(chan, &n) || n != 3)
        _exit(1);
    total = 0;
    long expected = start("child", 20, add_number);
    gos_waitgroup_wait(&all);
    _exit(total == expected ? 0 : 1);
}

static void wait_for(pid_t pid, bool may_die)
{
    int status;
    if (!posix_done("waitpid", waitpid(pid, &status, 0))) {
        while (syscall(SYS_wait4, pid, &status, 0, NULL) < 0 && errno == EINTR)
            continue;
    }
    bool refused = WIFEXITED(status) && (WEXITSTATUS(status) == 9 || (WEXITSTATUS(status) == 2 && may_die));
    CHECK(status == 0 || (may_be_refused && refused));
}

void part_processes(void)
{
    pid_t pid = fork();
    if (!pid)
        child();
    if (posix_done("fork", pid))
        wait_for(pid, true);
    char *argv[] = { (char *)(uintptr_t)"true", NULL }, *env[] = { NULL };
    int failed = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env);
    if (done("posix_spawn", -failed))
        wait_for(pid, false);
}

void part_signals(void)
{
    int number = 0;
    gos_chan *chan = gos_chan_new(sizeof number, 1);
    int result = chan ? gos_signal_notify(chan, SIGUSR1) : -ENOMEM;
    if (done("gos_signal_notify", result)) {
        kill(getpid(), SIGUSR1);
        CHECK_EQ(gos_chan_recv(chan, &number), 0);
        CHECK_EQ(number, SIGUSR1);
        gos_signal_notify(NULL, SIGUSR1);
    }
    gos_chan_free(chan);
}

static void wait_at_gate(void *number)
{
    gos_chan_recv(gate, NULL);
    total += (intptr_t)number;
    gos_waitgroup_done(&all);
}

/* A crowd that is parked, for GOS_DEBUG=cold to pack; dumped. */
void part_crowd(void)
{
    const char *debug = getenv("GOS_DEBUG");
    bool is_cold = debug && strstr(debug, "cold");
    total = 0;
    if (!(gate = gos_chan_new(0, 0))) {
        done("gos_chan_new", -ENOMEM);
        return;
    }
    long expected = start("crowd", is_cold ? 6000 : 300, wait_at_gate);
    gos_sleep((is_cold ? 40 : 5) * MS);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (posix_done("open", null)) {
        gos_dump(null);
        close(null);
    }
    gos_chan_close(gate);
    gos_waitgroup_wait(&all);
    gos_chan_free(gate);
    CHECK_EQ(total, expected);
}
