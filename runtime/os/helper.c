/*
 * helper.c: runs a program and reads what it prints.
 *
 * Its end sends no signal and is no business of the program's waits (an exit signal of 0; wait(2), "__WCLONE"), it
 * shares no descriptor but its output, and the handlers for fork are not called.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

enum { STACK = 64 * 1024, LOOK_MS = 5 };

typedef struct job {
    char *const *argv;
    int output;
} job;

/* In the parent's memory, while the parent's thread waits; all signals are blocked. */
static int begin(void *arg)
{
    job *it = arg;
    unsigned long standard[4] = { 0 }; /* the kernel's struct sigaction: SIG_DFL */
    for (long sig = 1; sig <= 64; sig++)
        syscall(SYS_rt_sigaction, sig, standard, NULL, sizeof standard[0]);
    int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    syscall(SYS_dup2, null, 0);
    syscall(SYS_dup2, it->output, 1);
    syscall(SYS_dup2, null, 2);
    gos__close_range(3, ~0u, 0);
    gos__signals_restore(0);
    execvp(it->argv[0], it->argv);
    syscall(SYS_exit, 127);
    return 0;
}

static int start(char *const *argv, int output)
{
    char *stack = gos__vm_reserve(STACK);
    if (!stack || gos__vm_commit(stack, STACK))
        return -ENOMEM;
    job it = { argv, output };
    uint64_t mask = gos__signals_block();
    int child = clone(begin, stack + STACK, CLONE_VM | CLONE_VFORK, &it);
    int failed = child < 0 ? -errno : child;
    gos__signals_restore(mask);
    gos__vm_release(stack, STACK);
    return failed;
}

/* To its end, or to `until`. */
static size_t read_all(int fd, char *to, size_t room, int64_t until, void (*meanwhile)(void))
{
    size_t used = 0;
    while (used < room && gos__clock_ns() < until) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        long n = syscall(SYS_poll, &ready, 1, LOOK_MS);
        if (meanwhile)
            meanwhile();
        if (n <= 0)
            continue;
        n = syscall(SYS_read, fd, to + used, room - used);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        used += n > 0 ? (size_t)n : 0;
    }
    return used;
}

size_t gos__helper_run(char *const *argv, char *to, size_t room, int64_t until, void (*meanwhile)(void))
{
    int ends[2];
    if (syscall(SYS_pipe2, ends, O_CLOEXEC))
        return 0;
    int child = start(argv, ends[1]);
    gos__fd_close(ends[1]);
    size_t used = child < 0 ? 0 : read_all(ends[0], to, room, until, meanwhile);
    gos__fd_close(ends[0]);
    if (child >= 0) {
        syscall(SYS_kill, child, SIGKILL); /* if time is over */
        while (syscall(SYS_wait4, child, NULL, __WALL, NULL) < 0 && errno == EINTR)
            continue;
    }
    return used;
}
