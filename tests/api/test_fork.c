/* Child processes: made by whatever call, while other tasks are parked; and the child that goes on as a program. */
// also: paged
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// not-with: address thread (in a child of threads they find their own locks held, and races with threads that it lacks)
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/test.h"

enum { PARKED = 50, CHILDREN = 40 };

extern char **environ;
static int pairs[PARKED][2];
static gos_waitgroup parked, all;
static int woken;

static void wait_on_descriptor(void *arg)
{
    char byte;
    CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
    CHECK_EQ(byte, 'p');
    __atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&parked);
}

static int status_of(pid_t pid)
{
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- a child that calls exec or _exit ---- */

static void run_program(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        for (int i = 0; i < PARKED; i++) /* must not be noticed by the parent, nor start anything */
            close(pairs[i][0]);
        dup2(pairs[0][1], 2);
        execlp("sh", "sh", "-c", "exit 5", NULL);
        _exit(99);
    }
    CHECK_EQ(status_of(pid), 5);
    pid = vfork();
    CHECK(pid >= 0);
    if (!pid) {
        close(pairs[0][0]);
        execlp("sh", "sh", "-c", "exit 6", NULL);
        _exit(99);
    }
    CHECK_EQ(status_of(pid), 6);
    char *argv[] = { "sh", "-c", "exit 7", NULL };
    CHECK_EQ(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ), 0);
    CHECK_EQ(status_of(pid), 7);
    int status = system("exit 8");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);
    FILE *out = popen("echo some words; exit 9", "r");
    char line[100] = "";
    CHECK(out && fgets(line, sizeof line, out));
    CHECK(!strcmp(line, "some words\n"));
    status = pclose(out);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    gos_waitgroup_done(&all);
}

/* ---- a child that goes on with tasks of its own ---- */

static gos_chan *chan;

static void send_squares(void *arg)
{
    for (long i = (long)(intptr_t)arg; i < 100; i += 4) {
        long square = i * i;
        gos_sleep(10000);
        CHECK_EQ(gos_chan_send(chan, &square), 0);
    }
}

__attribute__((noinline)) static long deep(int n)
{
    volatile char frame[1000];
    frame[0] = (char)n;
    return n ? deep(n - 1) + frame[0] - (char)n : 0;
}

static int be_a_program(void)
{
    int fds[2];
    char byte;
    CHECK_EQ(gos_ntasks(), 1);
    CHECK_EQ(deep(200), 0);
    CHECK_EQ(usleep(1000), 0);
    chan = gos_chan_new(sizeof(long), 0);
    for (intptr_t i = 0; i < 4; i++)
        CHECK_EQ(gos_go(send_squares, (void *)i), 0);
    long sum = 0, square;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(gos_chan_recv(chan, &square), 0);
        sum += square;
    }
    CHECK_EQ(sum, 328350);
    CHECK(!pipe(fds));
    struct timeval limit = { .tv_usec = 1000 };
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    CHECK_EQ(select(fds[0] + 1, &set, NULL, NULL, &limit), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(gos_procs(3), 1);
    CHECK_EQ(gos_procs(0), 3);
    return 21;
}

static void go_on(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        _exit(be_a_program());
    CHECK_EQ(status_of(pid), 21);
    /* A child whose tasks all end has ended. */
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        gos_sleep(1000);
        gos_exit();
    }
    CHECK_EQ(status_of(pid), 0);
    /* A pinned one, and a child of a child. */
    gos_pin();
    pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        gos_sleep(1000);
        pid = fork();
        _exit(pid ? status_of(pid) + 1 : be_a_program());
    }
    CHECK_EQ(status_of(pid), 22);
    gos_unpin();
    gos_waitgroup_done(&all);
}

static int run(void *arg)
{
    gos_waitgroup_add(&parked, PARKED);
    for (int i = 0; i < PARKED; i++) {
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]));
        CHECK_EQ(gos_go(wait_on_descriptor, &pairs[i][0]), 0);
    }
    gos_sleep(1000000);
    gos_waitgroup_add(&all, CHILDREN);
    for (int i = 0; i < CHILDREN / 2; i++) {
        CHECK_EQ(gos_go(run_program, NULL), 0);
        CHECK_EQ(gos_go(go_on, NULL), 0);
    }
    gos_waitgroup_wait(&all);
    CHECK_EQ(woken, 0);
    for (int i = 0; i < PARKED; i++)
        CHECK_EQ(write(pairs[i][1], "p", 1), 1);
    gos_waitgroup_wait(&parked);
    CHECK_EQ(woken, PARKED);
    for (int i = 0; i < PARKED; i++)
        close(pairs[i][0]), close(pairs[i][1]);
    /* The main task in a child: its result is the child's. */
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        gos_sleep(1000);
        return 23;
    }
    CHECK_EQ(status_of(pid), 23);
    woken = 0;
    return *(int *)arg;
}

static int in_the_child(void *arg)
{
    gos_yield();
    return *(int *)arg;
}

/* A thread that is no task forks while tasks run: its child has none, and may have new ones. */
static void *foreign(void *arg)
{
    (void)arg;
    int result = 24;
    pid_t pid = fork();
    if (!pid) {
        CHECK_EQ(gos_go(send_squares, NULL), -EPERM);
        _exit(gos_run(in_the_child, &result));
    }
    CHECK_EQ(status_of(pid), 24);
    return NULL;
}

static int with_foreign(void *arg)
{
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, foreign, NULL));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return *(int *)arg;
}

int main(void)
{
    int result = 17;
    CHECK_EQ(gos_run(run, &result), 17);
    CHECK_EQ(gos_run(with_foreign, &result), 17);
    CHECK_EQ(foreign(NULL), NULL);
    return gos_run(run, &result) - 17;
}
