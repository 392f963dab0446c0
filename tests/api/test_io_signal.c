/* A handler that has run ends the wait of the main task, and of no other, with EINTR, as signal(7) lists them. */
// also: paged
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// env: GOS_PROCS=2
// not-with: thread (it starts no threads in a child of threads, and takes a handler's writes for races)
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/blocked.h"
#include "tests/parked.h"
#include "tests/test.h"

enum { ROUNDS = 2000, LONG = 1000 /* seconds */ };

static volatile sig_atomic_t handled, handled_info;
static gos_waitgroup all, others;
static int fds[2], pair[2], listener, epoll, other[2], locked[2];
static pid_t child, blocked_thread;
static sem_t sem;

static int run(void *arg);

static void handle(int number)
{
    (void)number;
    handled++;
}

static void handle_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    handled_info += info->si_signo == number && info->si_code == SI_USER && info->si_pid == getpid();
}

static void install(int flags)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = flags };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

/* ---- calls of the main task; each gives -1 and errno ---- */

static __attribute__((noinline)) int error(void)
{
    return errno;
}

static int read_pipe(void)
{
    char byte;
    return (int)read(fds[0], &byte, 1);
}

static int read_socket(void)
{
    char byte;
    return (int)recv(pair[0], &byte, 1, 0);
}

static int take_connection(void)
{
    return accept(listener, NULL, NULL);
}

static int wait_child(void)
{
    return waitpid(child, NULL, 0);
}

static int poll_pipe(void)
{
    return poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, -1);
}

static int select_pipe(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    return select(fds[0] + 1, &set, NULL, NULL, &(struct timeval){ .tv_sec = LONG });
}

static int wait_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, LONG * 1000);
}

static int sleep_long(void)
{
    struct timespec left = { .tv_sec = 0 };
    int result = nanosleep(&(struct timespec){ .tv_sec = LONG }, &left);
    CHECK(left.tv_sec > 0 && left.tv_sec < LONG && left.tv_nsec >= 0 && left.tv_nsec < 1000000000);
    return result;
}

static int sleep_by_clock(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG;
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), EINTR);
    errno = EINTR;
    return -1;
}

static int sleep_micro(void)
{
    return usleep(LONG * 1000000u);
}

static int sleep_seconds(void)
{
    unsigned left = sleep(LONG);
    CHECK(left > 0 && left <= LONG);
    errno = EINTR;
    return -1;
}

static int suspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}

static int take_sem(void)
{
    return sem_wait(&sem) ? -1 : 1;
}

static int take_sem_timed(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG;
    return sem_timedwait(&sem, &until) ? -1 : 1;
}

static int wait_any(void)
{
    return waitpid(-1, NULL, 0);
}

static int wait_stopped(void)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED) ? -1 : 1;
}

static int lock_file(void)
{
    return flock(locked[1], LOCK_EX) ? -1 : 1;
}

static void let_go_of_file(int fd)
{
    struct flock all_of_it = { .l_type = F_UNLCK };
    CHECK(!flock(fd, LOCK_UN) && !fcntl(fd, F_OFD_SETLK, &all_of_it));
}

/* By one description, so that locking it by another waits. */
static void hold_file(void)
{
    struct flock all_of_it = { .l_type = F_WRLCK };
    let_go_of_file(locked[1]);
    CHECK(!flock(locked[0], LOCK_EX) && !fcntl(locked[0], F_OFD_SETLK, &all_of_it));
}

static int lock_part(void)
{
    struct flock all_of_it = { .l_type = F_WRLCK };
    return fcntl(locked[1], F_OFD_SETLKW, &all_of_it) ? -1 : 1;
}

static int wait_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return sigwaitinfo(&set, NULL);
}

static int poll_masked(void)
{
    sigset_t none;
    sigemptyset(&none);
    return ppoll(NULL, 0, NULL, &none);
}

typedef struct call {
    const char *name;
    int (*make)(void);
    bool restarts;
    int blocks; /* the thread, in this system call */
} call;

static const call calls[] = {
    { "read", read_pipe, true, 0 }, { "recv", read_socket, true, 0 }, { "accept", take_connection, true, 0 },
    { "waitpid", wait_child, true, 0 }, { "poll", poll_pipe, false, 0 }, { "select", select_pipe, false, 0 },
    { "epoll_wait", wait_epoll, false, 0 }, { "nanosleep", sleep_long, false, 0 },
    { "usleep", sleep_micro, false, 0 }, { "pause", pause, false, 0 }, { "sigsuspend", suspend, false, 0 },
    { "sleep", sleep_seconds, false, 0 }, { "clock_nanosleep", sleep_by_clock, false, 0 },
    { "sem_wait", take_sem, true, 0 }, { "sem_timedwait", take_sem_timed, true, 0 },
    { "waitpid for any child", wait_any, true, SYS_wait4 },
    { "waitid for a stop", wait_stopped, true, SYS_waitid },
    { "flock", lock_file, true, SYS_flock }, { "fcntl", lock_part, true, SYS_fcntl },
    { "sigwaitinfo", wait_signal, false, SYS_rt_sigtimedwait }, { "ppoll", poll_masked, false, SYS_ppoll },
};

static void (*main_entry(void))(void *)
{
    return (void (*)(void *))(uintptr_t)run;
}

static bool main_is_parked(void)
{
    return parked_tasks(main_entry(), GOS_WAIT_FD) || parked_tasks(main_entry(), GOS_WAIT_SEM);
}

static bool main_is_in(const call *it)
{
    if (!it || !it->blocks)
        return main_is_parked();
    return blocks_in(__atomic_load_n(&blocked_thread, __ATOMIC_ACQUIRE), it->blocks);
}

static int sends = SIGUSR1;

/* The main task is in its call: its state says so even before the wait is complete, and the signal counts from then. */
static void interrupt(const call *it)
{
    while (!main_is_in(it))
        gos_yield();
    CHECK_EQ(kill(getpid(), sends), 0);
}

static void interrupt_main(void *arg)
{
    interrupt(arg);
    gos_waitgroup_done(&all);
}

static int make(const call *it)
{
    if (it->blocks)
        gos_pin();
    __atomic_store_n(&blocked_thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    int result = it->make();
    if (it->blocks)
        gos_unpin();
    __atomic_store_n(&blocked_thread, 0, __ATOMIC_RELEASE);
    return result;
}

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

static void is_interrupted(const call *it)
{
    int before = handled;
    fprintf(stderr, "%s\n", it->name); /* shown when it fails */
    start(interrupt_main, (void *)(uintptr_t)it);
    errno = 0;
    CHECK_EQ(make(it), -1);
    CHECK_EQ(error(), EINTR);
    CHECK_EQ(handled, before + 1); /* before the call returned */
    gos_waitgroup_wait(&all);
}

static bool waits_for_child(const call *it)
{
    return it->make == wait_child || it->make == wait_any || it->make == wait_stopped;
}

static void interrupt_and_end(void *arg)
{
    const call *it = arg;
    int before = handled;
    interrupt(it);
    while (handled == before)
        gos_yield();
    gos_sleep(5000000); /* in which nothing ends it */
    while (!main_is_in(it)) /* at once, but for a thread that the kernel is about to restart */
        gos_yield();
    CHECK_EQ(handled, before + 1);
    if (it->make == read_pipe)
        CHECK_EQ(write(fds[1], "x", 1), 1);
    if (it->make == read_socket)
        CHECK_EQ(write(pair[1], "x", 1), 1);
    if (waits_for_child(it))
        kill(child, SIGKILL);
    if (it->make == lock_file || it->make == lock_part)
        let_go_of_file(locked[0]);
    if (it->make == take_sem || it->make == take_sem_timed)
        CHECK_EQ(sem_post(&sem), 0);
    if (it->make == take_connection) {
        struct sockaddr_in address;
        socklen_t size = sizeof address;
        CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK_EQ(connect(fd, (struct sockaddr *)&address, size), 0);
        close(fd);
    }
    gos_waitgroup_done(&all);
}

static void start_child(void)
{
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        pause();
        _exit(0);
    }
}

static void goes_on(const call *it)
{
    fprintf(stderr, "%s, restarted\n", it->name);
    start(interrupt_and_end, (void *)(uintptr_t)it);
    int result = make(it);
    CHECK(result > 0);
    if (waits_for_child(it))
        start_child(); /* the next */
    if (it->make == take_connection)
        close(result);
    gos_waitgroup_wait(&all);
    if (it->make == lock_file || it->make == lock_part)
        hold_file();
}

static void read_other(void *unused)
{
    (void)unused;
    char byte;
    CHECK_EQ(read(other[0], &byte, 1), 1);
    gos_waitgroup_done(&others);
}

static void sees_its_own_handlers(void)
{
    struct sigaction action = { .sa_sigaction = handle_info, .sa_flags = SA_SIGINFO }, now;
    CHECK_EQ(sigaction(SIGUSR2, &action, NULL), 0);
    CHECK_EQ(kill(getpid(), SIGUSR2), 0);
    while (!handled_info)
        gos_yield();
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_sigaction == handle_info && now.sa_flags & SA_SIGINFO);
    static const call any = { "waitpid for any child", wait_any, false, SYS_wait4 };
    sends = SIGUSR2;
    start(interrupt_main, (void *)(uintptr_t)&any);
    CHECK(make(&any) == -1 && error() == EINTR);
    gos_waitgroup_wait(&all);
    sends = SIGUSR1;
    CHECK_EQ(handled_info, 2);
    CHECK(!sigaction(SIGURG, NULL, &now) && now.sa_handler == SIG_DFL); /* by which the call ended */
    CHECK(signal(SIGUSR2, SIG_DFL) == (void (*)(int))(uintptr_t)handle_info);
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == handle && !(now.sa_flags & SA_SIGINFO));
    CHECK(sigaction(SIGKILL, &action, NULL) == -1 && error() == EINVAL);
}

/* Blocked on every thread since before the run, so that the handler runs as sigsuspend lets it, before the wait. */
static void pending(void)
{
    int before = handled;
    struct sigaction action = { .sa_handler = handle };
    CHECK_EQ(sigaction(SIGHUP, &action, NULL), 0);
    for (int i = 1; i <= 20; i++) {
        CHECK_EQ(kill(getpid(), SIGHUP), 0);
        CHECK_EQ(handled, before + i - 1);
        CHECK_EQ(suspend(), -1);
        CHECK_EQ(error(), EINTR);
        CHECK_EQ(handled, before + i);
    }
    sigset_t now;
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGHUP));
}

/* From another process, when all threads have been asleep for so long that the monitor is, too. SIGHUP comes to the
 * main task's thread, which alone lets it in; SIGUSR1 most likely to the monitor. */
static void while_all_sleep(int number, int (*make)(void))
{
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
        kill(parent, number);
        _exit(0);
    }
    CHECK_EQ(make(), -1);
    CHECK_EQ(error(), EINTR);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* With a time limit a socket's read is not restarted. */
static void with_limit(void)
{
    static const call limited = { "recv with a time limit", read_socket, false, 0 };
    struct timeval limit = { .tv_sec = LONG };
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    is_interrupted(&limited);
    limit.tv_sec = 0;
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
}

static void in_a_child(void)
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        start(interrupt_main, NULL);
        _exit(usleep(LONG * 1000000u) == -1 && error() == EINTR ? 17 : 1);
    }
    while (waitpid(pid, &status, 0) < 0)
        CHECK_EQ(error(), EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 17);
}

static int run(void *arg)
{
    const size_t n = sizeof calls / sizeof *calls;
    (void)arg;
    start_child();
    gos_waitgroup_add(&others, 1);
    CHECK_EQ(gos_go(read_other, NULL), 0);
    await_parked(other[0], 1);
    install(0);
    for (size_t i = 0; i < n; i++)
        is_interrupted(&calls[i]);
    for (int i = 0; i < ROUNDS; i++) {
        static const call any[] = { { "rounds: usleep", sleep_micro, false, 0 },
                                    { "rounds: recv", read_socket, true, 0 },
                                    { "rounds: waitpid for any child", wait_any, true, SYS_wait4 } };
        is_interrupted(&any[i % 3]);
    }
    pending();
    while_all_sleep(SIGUSR1, read_pipe);
    while_all_sleep(SIGHUP, suspend);
    install(SA_RESTART);
    for (size_t i = 0; i < n; i++)
        if (calls[i].restarts)
            goes_on(&calls[i]);
        else
            is_interrupted(&calls[i]);
    with_limit();
    sees_its_own_handlers();
    install(0);
    in_a_child();
    CHECK_EQ(write(other[1], "x", 1), 1);
    gos_waitgroup_wait(&others);
    CHECK(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
    return 0;
}

int main(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    sigset_t hup;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &hup, NULL), 0);
    install(0); /* before the run */
    CHECK(!pipe(fds) && !pipe(other) && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    epoll = epoll_create1(0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    char name[] = "/tmp/gos_test_io_signal.XXXXXX";
    locked[0] = mkstemp(name);
    locked[1] = open(name, O_RDWR | O_CLOEXEC);
    CHECK(locked[0] >= 0 && locked[1] >= 0 && !unlink(name));
    hold_file();
    CHECK(epoll >= 0 && !bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 5));
    return gos_run(run, NULL);
}
