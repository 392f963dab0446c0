/* A handler that has run, mostly on another thread, ends the main task's waits for System V messages and semaphores
 * with EINTR, SA_RESTART or not, as signal(7) has it; those of other tasks go on. */
// also: paged
// env: GOS_PROCS=2
// not-with: emulator (its threads are in system calls of the machine below, as /proc has it)
// not-with: thread (it puts off handlers of threads that are in calls which it does not know)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "tests/blocked.h"
#include "tests/test.h"

enum { ROUNDS = 50 };

typedef struct message {
    long type;
    char text[512];
} message;

typedef struct call {
    int (*make)(void);
    int number;
} call;

static volatile sig_atomic_t handled, handled_on;
static gos_waitgroup all, others;
static int empty, full, set, other, elsewhere;
static pid_t main_thread, other_thread;

static void handle(int number)
{
    (void)number;
    handled_on = (sig_atomic_t)syscall(SYS_gettid);
    handled++;
}

static __attribute__((noinline)) int error(void)
{
    return errno;
}

static __attribute__((noinline)) void note_thread(pid_t *thread)
{
    __atomic_store_n(thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

static int receive(void)
{
    message it;
    return (int)msgrcv(empty, &it, sizeof it.text, 0, 0);
}

static int send_one(void)
{
    message it = { .type = 1 };
    return msgsnd(full, &it, sizeof it.text, 0);
}

static int take(void)
{
    return semop(set, &(struct sembuf){ .sem_op = -1 }, 1);
}

static int take_timed(void)
{
    return semtimedop(set, &(struct sembuf){ .sem_op = -1 }, 1, &(struct timespec){ .tv_sec = 1000 });
}

static const call calls[] = {
    { receive, SYS_msgrcv }, { send_one, SYS_msgsnd }, { take, SYS_semtimedop }, { take_timed, SYS_semtimedop },
};

static void await_thread(const pid_t *thread, int number)
{
    while (!blocks_in(__atomic_load_n(thread, __ATOMIC_ACQUIRE), number))
        gos_yield();
}

static void interrupt(void *number)
{
    await_thread(&main_thread, (int)(intptr_t)number);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    gos_waitgroup_done(&all);
}

static void is_interrupted(const call *it)
{
    int before = handled;
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(interrupt, (void *)(intptr_t)it->number), 0);
    note_thread(&main_thread);
    CHECK(it->make() == -1 && error() == EINTR);
    __atomic_store_n(&main_thread, 0, __ATOMIC_RELEASE);
    CHECK_EQ(handled, before + 1);
    elsewhere += handled_on != (sig_atomic_t)syscall(SYS_gettid);
    gos_waitgroup_wait(&all);
}

/* Meanwhile; it gets its message in the end. On its own thread no handler runs, which would end the call. */
static void receive_other(void *unused)
{
    message it;
    sigset_t usr;
    (void)unused;
    CHECK(!sigemptyset(&usr) && !sigaddset(&usr, SIGUSR1) && !sigprocmask(SIG_BLOCK, &usr, NULL));
    note_thread(&other_thread);
    CHECK_EQ(msgrcv(other, &it, sizeof it.text, 0, 0), (long)sizeof it.text);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr, NULL), 0);
    gos_waitgroup_done(&others);
}

static int run(void *unused)
{
    message it = { .type = 1 };
    (void)unused;
    gos_waitgroup_add(&others, 1);
    CHECK_EQ(gos_go(receive_other, NULL), 0);
    await_thread(&other_thread, SYS_msgrcv);
    gos_pin();
    for (int round = 0; round < ROUNDS; round++) {
        struct sigaction action = { .sa_handler = handle, .sa_flags = round % 2 ? SA_RESTART : 0 };
        CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
            is_interrupted(&calls[i]);
    }
    gos_unpin();
    CHECK(elsewhere > 0);
    await_thread(&other_thread, SYS_msgrcv);
    CHECK_EQ(msgsnd(other, &it, sizeof it.text, 0), 0);
    gos_waitgroup_wait(&others);
    return 0;
}

int main(void)
{
    message it = { .type = 1 };
    empty = msgget(IPC_PRIVATE, 0600);
    full = msgget(IPC_PRIVATE, 0600);
    other = msgget(IPC_PRIVATE, 0600);
    set = semget(IPC_PRIVATE, 1, 0600);
    CHECK(empty >= 0 && full >= 0 && other >= 0 && set >= 0);
    while (!msgsnd(full, &it, sizeof it.text, IPC_NOWAIT))
        continue;
    CHECK_EQ(errno, EAGAIN);
    int result = gos_run(run, NULL);
    msgctl(empty, IPC_RMID, NULL);
    msgctl(full, IPC_RMID, NULL);
    msgctl(other, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
    return result;
}
