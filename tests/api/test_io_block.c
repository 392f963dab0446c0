/* Calls that nothing can poll for: one worker, a task in such a call, and the main task goes on all the same. Where the
 * call is known to block, that does not take the monitor, which alone counts hand-offs. */
// also: paged
// env: GOS_PROCS=1
// timeout: 240
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/test.h"

static char path[] = "/tmp/gos-io-block-XXXXXX";
static int locked, other, queue, set, events;
static pid_t child, blocked_tid;
static int stage; /* 1: about to block; 2: came back */

static pid_t start_child(void)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        /* By number: it stays without a run of its own, which thread sanitizer cannot have. */
        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        _exit(9);
    }
    return pid;
}

static void end_child(void)
{
    kill(child, SIGTERM);
}

/* ---- each a call that blocks, and what ends it ---- */

static void take_flock(void)
{
    CHECK_EQ(flock(other, LOCK_EX), 0);
    CHECK_EQ(flock(other, LOCK_UN), 0);
}

static void free_flock(void)
{
    CHECK_EQ(flock(locked, LOCK_UN), 0);
}

static void take_record(void)
{
    struct flock lock = { .l_type = F_WRLCK };
    CHECK_EQ(fcntl(other, F_OFD_SETLKW, &lock), 0);
    lock.l_type = F_UNLCK;
    CHECK_EQ(fcntl(other, F_OFD_SETLK, &lock), 0);
}

static void free_record(void)
{
    struct flock lock = { .l_type = F_UNLCK };
    CHECK_EQ(fcntl(locked, F_OFD_SETLK, &lock), 0);
}

static void lock_record(void)
{
    struct flock lock = { .l_type = F_WRLCK };
    CHECK_EQ(fcntl(locked, F_OFD_SETLK, &lock), 0);
    CHECK_EQ(lockf(other, F_TEST, 0), -1); /* the description's lock is in the process's way */
    CHECK_EQ(errno, EACCES);
}

static void take_lockf(void)
{
    CHECK_EQ(lockf(other, F_LOCK, 1), 0);
    CHECK_EQ(lockf(other, F_ULOCK, 1), 0);
}

static void take_message(void)
{
    struct { long type; char text[4]; } message;
    CHECK_EQ(msgrcv(queue, &message, sizeof message.text, 7, 0), 3);
    CHECK_EQ(message.text[0], 'm');
}

static void give_message(void)
{
    struct { long type; char text[4]; } message = { 7, "mno" };
    CHECK_EQ(msgsnd(queue, &message, 3, 0), 0);
}

static void take_sysv(void)
{
    struct sembuf down = { .sem_num = 0, .sem_op = -1 };
    CHECK_EQ(semop(set, &down, 1), 0);
}

static void give_sysv(void)
{
    struct sembuf up = { .sem_num = 0, .sem_op = 1 };
    CHECK_EQ(semop(set, &up, 1), 0);
}

static void wait_signal(void)
{
    sigset_t usr;
    int number = 0;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    CHECK_EQ(sigwait(&usr, &number), 0);
    CHECK_EQ(number, SIGUSR1);
}

static void wait_signal_info(void)
{
    sigset_t usr;
    siginfo_t info;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    CHECK_EQ(sigwaitinfo(&usr, &info), SIGUSR1);
}

static void send_signal(void)
{
    kill(getpid(), SIGUSR1);
}

static void handle(int number)
{
    (void)number;
}

static void pause_until(void)
{
    CHECK_EQ(pause(), -1);
}

static void suspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQ(sigsuspend(&none), -1);
}

static void masked_poll(void)
{
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQ(ppoll(NULL, 0, NULL, &none), -1);
}

static void masked_select(void)
{
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQ(pselect(0, NULL, NULL, NULL, NULL, &none), -1);
}

static void masked_epoll(void)
{
    sigset_t none;
    struct epoll_event event;
    sigemptyset(&none);
    CHECK_EQ(epoll_pwait(events, &event, 1, -1, &none), -1);
}

static void interrupt_blocked(void)
{
    syscall(SYS_tgkill, getpid(), blocked_tid, SIGUSR2);
}

static void wait_any(void)
{
    int status;
    CHECK_EQ(wait(&status), child);
    CHECK(WIFSIGNALED(status));
}

static void wait_stop(void)
{
    int status;
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
}

static void stop_child(void)
{
    kill(child, SIGSTOP);
}

static void wait_named(void)
{
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_EQ(waitpid(child, &status, 0), -1);
    CHECK_EQ(errno, ECHILD);
}

static void wait_named_id(void)
{
    siginfo_t info = { .si_pid = 0 };
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED), 0);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_status, SIGTERM);
}

static void wait_fifo(void)
{
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
}

static void open_fifo(void)
{
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0);
    close(fd);
}

typedef struct call {
    const char *name;
    void (*prepare)(void), (*block)(void), (*release)(void);
    enum { AT_ONCE, LATER, PARKS } how;
} call;

static void lock_file(void)
{
    CHECK_EQ(flock(locked, LOCK_EX), 0);
}

static void new_child(void)
{
    child = start_child();
}

static void make_fifo(void)
{
    unlink(path);
    CHECK_EQ(mkfifo(path, 0600), 0);
}

static void nothing(void)
{
}

static const call calls[] = {
    { "flock", lock_file, take_flock, free_flock, AT_ONCE },
    { "fcntl", lock_record, take_record, free_record, AT_ONCE },
    { "lockf", lock_record, take_lockf, free_record, AT_ONCE },
    { "msgrcv", nothing, take_message, give_message, AT_ONCE },
    { "semop", nothing, take_sysv, give_sysv, AT_ONCE },
    { "sigwait", nothing, wait_signal, send_signal, AT_ONCE },
    { "sigwaitinfo", nothing, wait_signal_info, send_signal, AT_ONCE },
    { "pause", nothing, pause_until, interrupt_blocked, AT_ONCE },
    { "sigsuspend", nothing, suspend, interrupt_blocked, AT_ONCE },
    { "ppoll with a mask", nothing, masked_poll, interrupt_blocked, AT_ONCE },
    { "pselect with a mask", nothing, masked_select, interrupt_blocked, AT_ONCE },
    { "epoll_pwait with a mask", nothing, masked_epoll, interrupt_blocked, AT_ONCE },
    { "wait", new_child, wait_any, end_child, AT_ONCE },
    { "waitpid for a stop", new_child, wait_stop, stop_child, AT_ONCE },
    { "waitpid", new_child, wait_named, end_child, PARKS },
    { "waitid", new_child, wait_named_id, end_child, PARKS },
    { "open of a FIFO", make_fifo, wait_fifo, open_fifo, LATER },
};

static void make_call(void *arg)
{
    const call *it = arg;
    blocked_tid = (pid_t)syscall(SYS_gettid);
    __atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
    it->block();
    __atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
}

/* The monitor's hand-offs meanwhile; of what parks: whether there was one. */
static long long try_call(const call *it)
{
    gos_stats before, after;
    it->prepare();
    stage = 0;
    CHECK_EQ(gos_stats_read(&before), 0);
    CHECK_EQ(gos_go(make_call, (void *)(uintptr_t)it), 0);
    while (!__atomic_load_n(&stage, __ATOMIC_ACQUIRE))
        gos_yield(); /* its thread may have to wait for a CPU, and then this task has the only worker */
    CHECK_EQ(__atomic_load_n(&stage, __ATOMIC_ACQUIRE), 1);
    gos_sleep(2000000); /* until it is really in its call */
    CHECK_EQ(gos_stats_read(&after), 0);
    it->release();
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 2) {
        gos_sleep(1000000);
        if (it->release == interrupt_blocked && __atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 2)
            it->release(); /* the first one came before it was in its call */
    }
    printf("%s: %lld hand-offs by the monitor, %lld threads\n", it->name, (long long)(after.handoffs - before.handoffs),
           (long long)after.threads);
    if (it->how == PARKS && blocked_tid == (pid_t)syscall(SYS_gettid))
        return 0; /* one thread was enough for both */
    if (it->how == PARKS)
        return 1;
    return after.handoffs - before.handoffs;
}

/* On a busy machine the monitor may take a thread for blocked that does not get to run: not every time. */
static void check_call(const call *it)
{
    long long handoffs = try_call(it);
    while (it->how != LATER && handoffs)
        handoffs = try_call(it);
}

static int parked_children;

static void wait_for_one(void *arg)
{
    (void)arg;
    pid_t pid = start_child();
    int status = 0;
    __atomic_fetch_add(&parked_children, 1, __ATOMIC_RELAXED);
    kill(pid, SIGTERM);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    __atomic_fetch_add(&parked_children, -1, __ATOMIC_RELAXED);
}

/* A descriptor for a child that does not block says so. */
static void prompt_pidfd(void)
{
    siginfo_t info = { .si_pid = 0 };
    pid_t pid = start_child();
    int fd = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    CHECK(fd >= 0);
    CHECK_EQ(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WSTOPPED), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), 0);
    CHECK(info.si_pid == pid && info.si_code == CLD_KILLED);
    CHECK_EQ(close(fd), 0);
}

static int run(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_call(&calls[i]);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(gos_go(wait_for_one, NULL), 0);
    while (gos_ntasks() > 1)
        gos_sleep(1000000);
    CHECK_EQ(parked_children, 0);
    prompt_pidfd();
    /* Time limits, and what is done at once. */
    int epoll = epoll_create1(0);
    struct epoll_event event;
    CHECK_EQ(epoll_pwait2(epoll, &event, 1, &(struct timespec){ .tv_nsec = 100000 }, NULL), 0);
    close(epoll);
    sigset_t usr;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    CHECK_EQ(sigtimedwait(&usr, NULL, &(struct timespec){ .tv_nsec = 1000 }), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(flock(locked, LOCK_SH | LOCK_NB), 0);
    CHECK_EQ(semtimedop(set, &(struct sembuf){ .sem_op = -1 }, 1, &(struct timespec){ .tv_nsec = 100000 }), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(msgrcv(queue, &event, 1, 0, IPC_NOWAIT), -1);
    CHECK_EQ(errno, ENOMSG);
    CHECK(fcntl(locked, F_SETOWN, -getpgrp()) == 0 && fcntl(locked, F_GETOWN) == -getpgrp());
    return 0;
}

int main(void)
{
    sigset_t usr;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr, NULL);
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR2, &action, NULL);
    locked = mkstemp(path);
    other = open(path, O_RDWR);
    events = epoll_create1(0);
    queue = msgget(IPC_PRIVATE, 0600);
    set = semget(IPC_PRIVATE, 1, 0600);
    CHECK(locked >= 0 && other >= 0 && events >= 0 && queue >= 0 && set >= 0);
    int result = gos_run(run, NULL);
    msgctl(queue, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    unlink(path);
    return result;
}
