/* A call of the main task that takes its thread though poll calls the socket ready goes on after a handler with
 * SA_RESTART that ran on another thread, as signal(7) has it, and ends with EINTR after one without. */
// timeout: 30
// also: paged
// env: GOS_PROCS=2
// not-with: emulator (its threads are in system calls of the machine below, as /proc has it)
// not-with: thread (it puts off handlers of threads that are in calls which it does not know)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "tests/blocked.h"
#include "tests/test.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;
static volatile sig_atomic_t handled;
static int receiver, filler;
static pid_t main_thread;
static gos_waitgroup all;

static void handle(int number)
{
    (void)number;
    handled = 1;
}

static long put(int fd, int flags)
{
    return sendto(fd, "x", 1, flags, (struct sockaddr *)&address, address_size);
}

static void interrupt(void *makes_room)
{
    char byte;
    while (!blocks_in(main_thread, SYS_sendto))
        gos_yield();
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    while (!handled)
        gos_yield();
    gos_sleep(10000000); /* in which it would end, if it did */
    if (makes_room)
        CHECK_EQ(read(receiver, &byte, 1), 1);
    gos_waitgroup_done(&all);
}

static void send_interrupted(bool restarts)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = restarts ? SA_RESTART : 0 };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    handled = 0;
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(interrupt, restarts ? &all : NULL), 0);
    errno = 0;
    CHECK_EQ(put(fd, 0), restarts ? 1 : -1);
    CHECK_EQ(errno, restarts ? 0 : EINTR);
    gos_waitgroup_wait(&all);
    close(fd);
}

static int run(void *unused)
{
    sigset_t usr;
    (void)unused;
    CHECK(!sigemptyset(&usr) && !sigaddset(&usr, SIGUSR1));
    CHECK_EQ(sigprocmask(SIG_BLOCK, &usr, NULL), 0); /* so that it runs on another thread; pins the task */
    main_thread = (pid_t)syscall(SYS_gettid);
    send_interrupted(true);
    send_interrupted(false);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr, NULL), 0);
    return 0;
}

int main(void)
{
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "gossamer-restart-%d", getpid());
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
    filler = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(receiver, (struct sockaddr *)&address, address_size), 0);
    while (put(filler, MSG_DONTWAIT) == 1)
        continue;
    return gos_run(run, NULL);
}
