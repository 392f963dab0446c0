/*
 * blocked.c: whether another thread is blocked in the kernel: /proc/self/task/N/syscall says so.
 *
 * Reading that takes a descriptor, and open gives the lowest free number of the caller's table, which a program may
 * count on. So a thread of its own looks, the onlooker, whose table is not the program's and empty at first. It is made
 * for the first question and lives until the end of the run. Where it cannot be (no thread to be had, a kernel before
 * 5.9), the asking thread looks itself: that takes the lowest number for a moment, once for each thread looked at.
 *
 *     who asks (one thread at a time)              the onlooker
 *     A1  the question                             B1  sleep while `turn` is not ASKED
 *     A2  turn = ASKED (release), wake             B2  the answer
 *     A3  sleep while `turn` is ASKED              B3  turn = ANSWERED (release), wake
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"
#include "os/os.h"

/* Threads beyond this number have no descriptor kept: there may be ten thousand. */
enum { KEPT = 64 };

enum { CLOSE_RANGE_UNSHARES = 2, STACK = 65536 };

enum turn { ANSWERED, ASKED, SHALL_END };

static struct {
    enum { UNKNOWN, WORKS, REFUSED } state;
    uint32_t turn;
    uint32_t kept;
    int32_t tid; /* the question: 0: close `fd` */
    int32_t fd;
    int is_blocked; /* the answer */
    pthread_t thread;
} onlooker;

/* The file holds "running" or the number of the system call (-1: a fault) and its arguments. System calls throughout:
 * the interposed ones would look for tasks that wait. */
static void look(void)
{
    char path[64], text[8];
    if (onlooker.fd < 0) {
        snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)onlooker.tid);
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        onlooker.fd = fd < 0 || onlooker.kept >= KEPT || onlooker.state == WORKS ? fd : gos__fd_high(fd);
        onlooker.kept += onlooker.fd >= 0;
    }
    ssize_t n = onlooker.fd < 0 ? -1 : syscall(SYS_pread64, onlooker.fd, text, sizeof text, 0);
    onlooker.is_blocked = n > 0 ? text[0] != 'r' : -1;
}

static void drop(void)
{
    gos__fd_close(onlooker.fd);
    onlooker.fd = -1;
    onlooker.kept--;
}

static void answer(void)
{
    if (onlooker.tid)
        look();
    if (onlooker.fd >= 0 && (!onlooker.tid || onlooker.kept > KEPT))
        drop();
}

/* Before its table is its own no handler of the program may run on it: that would miss its descriptors. */
static bool leave_program(void)
{
    uint64_t all = ~(3ull << 31); /* but glibc's own signals: setuid must reach every thread */
    syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, sizeof all);
    return !gos__close_range(0, ~0u, CLOSE_RANGE_UNSHARES);
}

static void *onlooker_main(void *arg)
{
    onlooker.state = leave_program() ? WORKS : REFUSED;
    gos__store_release(&onlooker.turn, (uint32_t)ANSWERED);
    gos__futex_wake(&onlooker.turn, 1);
    while (onlooker.state == WORKS) {
        uint32_t turn = gos__load_acquire(&onlooker.turn);
        if (turn == SHALL_END)
            break;
        if (turn == ANSWERED) { /* B1 */
            gos__futex_wait(&onlooker.turn, turn, INT64_MAX);
            continue;
        }
        answer();                                                /* B2 */
        gos__store_release(&onlooker.turn, (uint32_t)ANSWERED); /* B3 */
        gos__futex_wake(&onlooker.turn, 1);
    }
    return arg;
}

static void ask_and_wait(void)
{
    while (gos__load_acquire(&onlooker.turn) == ASKED) /* A3 */
        gos__futex_wait(&onlooker.turn, ASKED, INT64_MAX);
}

static void make_onlooker(void)
{
    pthread_attr_t attr;
    bool has_attr = !pthread_attr_init(&attr);
    onlooker.turn = ASKED;
    /* A program with much thread-local data needs more than the small stack. */
    bool made = (has_attr && !pthread_attr_setstacksize(&attr, STACK) &&
                 !pthread_create(&onlooker.thread, &attr, onlooker_main, NULL)) ||
                !pthread_create(&onlooker.thread, NULL, onlooker_main, NULL);
    if (has_attr)
        pthread_attr_destroy(&attr);
    if (made)
        ask_and_wait();
    if (made && onlooker.state == REFUSED)
        pthread_join(onlooker.thread, NULL);
    if (!made)
        onlooker.state = REFUSED;
}

static void ask(int32_t tid, int32_t *fd)
{
    onlooker.tid = tid; /* A1 */
    onlooker.fd = *fd;
    if (onlooker.state == WORKS) {
        gos__store_release(&onlooker.turn, (uint32_t)ASKED); /* A2 */
        gos__futex_wake(&onlooker.turn, 1);
        ask_and_wait();
    } else {
        answer();
    }
    *fd = onlooker.fd;
}

int gos__thread_blocked(int32_t tid, int32_t *fd)
{
    if (onlooker.state == UNKNOWN)
        make_onlooker();
    ask(tid, fd);
    return onlooker.is_blocked;
}

void gos__thread_forget(int32_t *fd)
{
    if (*fd >= 0)
        ask(0, fd);
}

bool gos__thread_fds_are_ours(void)
{
    return onlooker.state == REFUSED;
}

bool gos__onlooker_is_there(void)
{
    return onlooker.state == WORKS;
}

void gos__onlooker_end(void)
{
    if (onlooker.state == WORKS) {
        gos__store_release(&onlooker.turn, (uint32_t)SHALL_END);
        gos__futex_wake(&onlooker.turn, 1);
        pthread_join(onlooker.thread, NULL);
    }
    gos__onlooker_forked();
}

void gos__onlooker_forked(void)
{
    onlooker.state = UNKNOWN;
    onlooker.kept = 0;
}
