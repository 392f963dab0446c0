/*
 * helper.c: runs a program and reads what it prints.
 *
 * Its end sends no signal and is no business of the program's waits. A process that executes a program gets the usual
 * exit signal, whatever it was made with, so one that does not stands between: the attendant, which has an exit signal
 * of 0 (wait(2), "__WCLONE"), no descriptor but its end of a pair, and this process' memory. It starts the program,
 * says so, and when it is told, or this process is gone, kills it, waits for it and ends. The handlers for fork are not
 * called.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "os/os.h"

/*
 * Thread sanitizer's own `clone` takes what it starts for a process with its own memory and has it see nothing of
 * itself from then on: with ours, that is the thread that starts it. glibc's other name for clone is left alone. This
 * file is compiled without instrumentation, since two that share a thread-local storage would change one picture.
 */
#if GOS_TSAN
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

enum { STACK = 64 * 1024, LOOK_MS = 5 };

/* Where the attendant has its end of the pair, after the three that the program has too. */
enum { CONTROL = 3 };

typedef struct job {
    char *const *argv;
    char *stack; /* the attendant's, and below it the program's, until it is executed */
    int output, control;
} job;

/* One by one where the kernel has no close_range (before 5.9): what stays open here is open to who reads the output. */
static void close_all(int first, int last)
{
    struct rlimit limit;
    if (!gos__close_range((unsigned)first, (unsigned)last, 0))
        return;
    if (!getrlimit(RLIMIT_NOFILE, &limit) && (rlim_t)last >= limit.rlim_cur)
        last = (int)limit.rlim_cur - 1;
    for (int fd = first; fd <= last; fd++)
        gos__fd_close(fd);
}

static int execute(void *arg)
{
    job *it = arg;
    gos__signals_restore(0);
    execvp(it->argv[0], it->argv);
    syscall(SYS_exit, 127);
    return 0;
}

/*
 * In this process' memory, with all signals blocked, on a thread-local storage that is the starting thread's: until it
 * has said that the program runs, that thread waits, and from then on it makes no call that can fail and write errno.
 */
static int attend(void *arg)
{
    job *it = arg;
    unsigned long standard[4] = { 0 }; /* the kernel's struct sigaction: SIG_DFL */
    char byte = 0;
    for (long sig = 1; sig <= 64; sig++)
        syscall(SYS_rt_sigaction, sig, standard, NULL, sizeof standard[0]);
    int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    syscall(SYS_dup3, null, 0, 0); /* fails where it is that already */
    syscall(SYS_dup3, it->output, 1, 0);
    syscall(SYS_dup3, null, 2, 0);
    syscall(SYS_dup3, it->control, CONTROL, O_CLOEXEC);
    close_all(CONTROL + 1, INT_MAX);
    int program = clone(execute, it->stack + STACK / 2, CLONE_VM | CLONE_VFORK | SIGCHLD, it);
    close_all(0, CONTROL - 1);
    if (program > 0) {
        if (syscall(SYS_write, CONTROL, &byte, 1) == 1) /* else who started it is told by the end of the pair */
            syscall(SYS_read, CONTROL, &byte, 1);
        syscall(SYS_kill, program, SIGKILL);
        syscall(SYS_wait4, program, NULL, 0, NULL);
    }
    syscall(SYS_exit, 0);
    return 0;
}

/* The attendant; -1: there is none. */
static int start(job *it, int told)
{
    char byte;
    uint64_t mask = gos__signals_block();
    int attendant = clone(attend, it->stack + STACK, CLONE_VM, it);
    syscall(SYS_close, it->control); /* no function of ours: it may be at one as well, and see above */
    while (attendant > 0 && syscall(SYS_read, told, &byte, 1) < 0 && errno == EINTR)
        continue;
    gos__signals_restore(mask);
    return attendant;
}

/* To its end, or to `until`. */
static size_t read_all(int fd, char *to, size_t room, int64_t until, void (*meanwhile)(void))
{
    size_t used = 0;
    while (used < room && gos__clock_ns() < until) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        struct timespec left = { .tv_nsec = LOOK_MS * 1000000l };
        long n = syscall(SYS_ppoll, &ready, 1, &left, NULL, 0);
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

/* The attendant's: a number that it does not write over itself, if there is one. */
static bool is_out_of_the_way(int *fd)
{
    *fd = gos__fd_high(*fd);
    return *fd > CONTROL;
}

static size_t run(job *it, int from, int told, char *to, size_t room, int64_t until, void (*meanwhile)(void))
{
    int attendant = start(it, told);
    gos__fd_close(it->output);
    size_t used = attendant < 0 ? 0 : read_all(from, to, room, until, meanwhile);
    if (attendant > 0) {
        if (syscall(SYS_sendto, told, "", 1, MSG_NOSIGNAL, NULL, 0) < 0)
            syscall(SYS_kill, attendant, SIGKILL); /* no memory to tell it */
        while (syscall(SYS_wait4, attendant, NULL, __WALL, NULL) < 0 && errno == EINTR)
            continue;
    }
    return used;
}

size_t gos__helper_run(char *const *argv, char *to, size_t room, int64_t until, void (*meanwhile)(void))
{
    int output[2], control[2];
    size_t used = 0;
    if (syscall(SYS_pipe2, output, O_CLOEXEC))
        return 0;
    if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control)) {
        gos__fd_close(output[0]);
        gos__fd_close(output[1]);
        return 0;
    }
    char *stack = gos__vm_reserve(STACK);
    if (is_out_of_the_way(&output[1]) && is_out_of_the_way(&control[1]) && stack && !gos__vm_commit(stack, STACK)) {
        job it = { argv, stack, output[1], control[1] };
        used = run(&it, output[0], control[0], to, room, until, meanwhile);
    } else {
        gos__fd_close(output[1]);
        gos__fd_close(control[1]);
    }
    if (stack)
        gos__vm_release(stack, STACK);
    gos__fd_close(output[0]);
    gos__fd_close(control[0]);
    return used;
}
