/* activities.c: what soak.c does, in rounds; each checks its own sum. */
#define _GNU_SOURCE
#include "tests/soak/soak.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")
#define MS 1000000ll

static void did(long n)
{
    soak_counts_now.operations += n;
}

/* ---- storms: as many as asked for, parked at once now and then ---- */

static gos_waitgroup storm_all;
static gos_chan *storm_gate;
static _Atomic long storm_sum;
_Atomic long soak_storm_edges;

static void add_number(void *number)
{
    storm_sum += (intptr_t)number;
    gos_waitgroup_done(&storm_all);
}

static void wait_and_add(void *number)
{
    CHECK_EQ(gos_chan_recv(storm_gate, NULL), -EPIPE);
    add_number(number);
}

void soak_storm(gos__rng *rng)
{
    static int round; /* the first one and every twentieth is as large as can be, all of it parked at once */
    bool is_large = round++ % 20 == 0;
    long n = is_large ? soak_most_tasks : 1000 + soak_draw(rng, soak_most_tasks / 20);
    storm_sum = 0;
    soak_storm_edges += is_large;
    CHECK((storm_gate = gos_chan_new(0, 0)) != NULL);
    gos_waitgroup_add(&storm_all, n);
    for (intptr_t i = 1; i <= n; i++)
        CHECK_EQ(gos_go(i % 2 && !is_large ? add_number : wait_and_add, (void *)i), 0);
    long tasks = gos_ntasks();
    if (tasks > soak_counts_now.most_tasks)
        soak_counts_now.most_tasks = tasks;
    CHECK_EQ(gos_chan_close(storm_gate), 0);
    gos_waitgroup_wait(&storm_all);
    gos_chan_free(storm_gate);
    soak_storm_edges += is_large;
    CHECK_EQ(storm_sum, n * (n + 1) / 2);
    did(n);
}

/* ---- depths: deep and large regions, parked at the deepest ---- */

static gos_waitgroup depth_all;
static _Atomic long depth_sum;

__attribute__((noinline)) static long dive(long depth)
{
    volatile long frame[200];
    REAL(frame);
    frame[depth % 200] = depth;
    if (depth == 0)
        gos_sleep(MS / 10);
    return (depth ? dive(depth - 1) : 0) + frame[depth % 200];
}

static void dive_to(void *depth)
{
    depth_sum += dive((intptr_t)depth);
    gos_waitgroup_done(&depth_all);
}

void soak_depths(gos__rng *rng)
{
    long expected = 0;
    depth_sum = 0;
    for (int i = 0; i < 20; i++) {
        intptr_t depth = 1 + soak_draw(rng, i % 10 ? 100 : 4000); /* up to 6 MiB */
        gos_waitgroup_add(&depth_all, 1);
        CHECK_EQ(gos_go(dive_to, (void *)depth), 0);
        expected += depth * (depth + 1) / 2;
    }
    gos_waitgroup_wait(&depth_all);
    CHECK_EQ(depth_sum, expected);
    did(20);
}

/* ---- selects ---- */

enum { CHANNELS = 8, SENDERS = 32, EACH = 50 };
static gos_chan *select_chans[CHANNELS];
static gos_waitgroup select_all;

static void send_each(void *number)
{
    for (int64_t i = 1; i <= EACH; i++)
        CHECK_EQ(gos_chan_send(select_chans[(uintptr_t)number % CHANNELS], &i), 0);
    gos_waitgroup_done(&select_all);
}

void soak_selects(gos__rng *rng)
{
    int64_t got, sum = 0;
    gos_case cases[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        CHECK((select_chans[i] = gos_chan_new(sizeof got, (size_t)soak_draw(rng, 4))) != NULL);
    gos_waitgroup_add(&select_all, SENDERS);
    for (intptr_t i = 0; i < SENDERS; i++)
        CHECK_EQ(gos_go(send_each, (void *)i), 0);
    for (int left = SENDERS * EACH; left;) {
        for (int i = 0; i < CHANNELS; i++)
            cases[i] = (gos_case){ select_chans[i], GOS_RECV, &got, 0 };
        int which = gos_select(cases, CHANNELS, left % 7 ? -1 : MS);
        if (which == -ETIMEDOUT)
            continue;
        CHECK(which >= 0 && cases[which].result == 0);
        sum += got;
        left--;
    }
    gos_waitgroup_wait(&select_all);
    for (int i = 0; i < CHANNELS; i++)
        gos_chan_free(select_chans[i]);
    CHECK_EQ(sum, SENDERS * EACH * (EACH + 1) / 2);
    did(SENDERS * EACH);
}

/* ---- timers ---- */

static gos_waitgroup timer_all;
static _Atomic long timer_sum;

static void on_timer(void *number)
{
    timer_sum += (intptr_t)number;
    gos_waitgroup_done(&timer_all);
}

void soak_timers(gos__rng *rng)
{
    enum { N = 500 };
    gos_timer *timers[N];
    long expected = 0;
    timer_sum = 0;
    gos_waitgroup_add(&timer_all, N);
    for (intptr_t i = 0; i < N; i++)
        CHECK((timers[i] = gos_timer_new(soak_draw(rng, 2 * MS), on_timer, (void *)i)) != NULL);
    for (intptr_t i = 0; i < N; i++) {
        int result = i % 2 ? gos_timer_stop(timers[i]) : -EALREADY;
        if (result == 0)
            gos_waitgroup_done(&timer_all); /* it will not run */
        else
            expected += i;
    }
    gos_waitgroup_wait(&timer_all);
    for (int i = 0; i < N; i++)
        gos_timer_free(timers[i]);
    CHECK_EQ(timer_sum, expected);
    did(N);
}

/* ---- sockets: opened, used, closed ---- */

enum { CLIENTS = 8, MESSAGES = 20 };
static struct sockaddr_in server;
static gos_waitgroup socket_all;

static ssize_t whole(int fd, void *bytes, size_t n, int writes)
{
    size_t done = 0;
    while (done < n) {
        char *at = (char *)bytes + done;
        ssize_t got = writes ? write(fd, at, n - done) : read(fd, at, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static void echo(void *fd_number)
{
    int fd = (int)(intptr_t)fd_number;
    int64_t n;
    while (whole(fd, &n, sizeof n, 0) == sizeof n)
        CHECK_EQ(whole(fd, &n, sizeof n, 1), sizeof n);
    close(fd);
    gos_waitgroup_done(&socket_all);
}

static void ask(void *unused)
{
    (void)unused;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    while (connect(fd, (struct sockaddr *)&server, sizeof server))
        CHECK(errno == EINTR || errno == EALREADY);
    for (int64_t i = 1, n = 1; i <= MESSAGES; n = ++i) {
        CHECK_EQ(whole(fd, &n, sizeof n, 1), sizeof n);
        CHECK_EQ(whole(fd, &n, sizeof n, 0), sizeof n);
        CHECK_EQ(n, i);
    }
    struct linger at_once = { 1, 0 }; /* no port waits for stragglers */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, SHUT_WR);
    close(fd);
    gos_waitgroup_done(&socket_all);
}

void soak_sockets(gos__rng *rng)
{
    (void)rng;
    socklen_t size = sizeof server;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CHECK_EQ(bind(listener, (struct sockaddr *)&server, sizeof server), 0);
    CHECK_EQ(listen(listener, CLIENTS), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&server, &size), 0);
    gos_waitgroup_add(&socket_all, 2 * CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_EQ(gos_go(ask, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        int fd;
        while ((fd = accept(listener, NULL, NULL)) < 0)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(gos_go(echo, (void *)(intptr_t)fd), 0);
    }
    close(listener);
    gos_waitgroup_wait(&socket_all);
    did(CLIENTS * MESSAGES);
}

/* ---- pinned tasks ---- */

static gos_chan *pin_there, *pin_back;
static gos_waitgroup pin_all;

static void pinned_echo(void *unused)
{
    int64_t n;
    (void)unused;
    gos_pin();
    pthread_t here = pthread_self();
    while (!gos_chan_recv(pin_there, &n)) {
        CHECK(pthread_equal(here, pthread_self()));
        n++;
        CHECK_EQ(gos_chan_send(pin_back, &n), 0);
    }
    gos_unpin();
    gos_waitgroup_done(&pin_all);
}

void soak_pins(gos__rng *rng)
{
    int64_t n = 0, rounds = 20 + soak_draw(rng, 100);
    CHECK((pin_there = gos_chan_new(sizeof n, 0)) && (pin_back = gos_chan_new(sizeof n, 0)));
    gos_waitgroup_add(&pin_all, 1);
    CHECK_EQ(gos_go(pinned_echo, NULL), 0);
    for (int64_t i = 0; i < rounds; i++) {
        CHECK_EQ(gos_chan_send(pin_there, &n), 0);
        CHECK_EQ(gos_chan_recv(pin_back, &n), 0);
    }
    CHECK_EQ(n, rounds);
    gos_chan_close(pin_there);
    gos_waitgroup_wait(&pin_all);
    gos_chan_free(pin_there);
    gos_chan_free(pin_back);
    did(rounds);
}

/* ---- processes, workers ---- */

static void child_adds(void *sum)
{
    ++*(_Atomic int *)sum;
}

/* Only the task that forked goes on in the child, in a run of its own. */
static _Noreturn void child(void)
{
    _Atomic int sum = 0;
    for (int i = 0; i < 10; i++)
        if (gos_go(child_adds, &sum))
            _exit(1);
    while (sum < 10)
        gos_yield();
    _exit(0);
}

static void wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(status, 0);
    soak_counts_now.processes++;
}

void soak_processes(gos__rng *rng)
{
    char name[] = "true", *argv[] = { name, NULL }, *env[] = { NULL };
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        child();
    wait_for(pid);
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        execve("/bin/true", argv, env);
        _exit(127);
    }
    wait_for(pid);
    CHECK_EQ(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env), 0);
    wait_for(pid);
    did(3);
    gos_sleep(soak_draw(rng, 20) * MS);
}

void soak_workers(gos__rng *rng)
{
    int n = 1 + (int)soak_draw(rng, 4);
    gos_procs(n);
    CHECK_EQ(gos_procs(0), n);
    did(1);
    gos_sleep((5 + soak_draw(rng, 30)) * MS);
}
