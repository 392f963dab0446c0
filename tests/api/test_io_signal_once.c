/* A handler that the kernel takes away as it runs it (SA_RESETHAND) runs where it began, though the main task blocks
 * another thread: the signal sent on would end the program. */
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// not-with: thread (it starts no threads in a child of threads)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

static volatile sig_atomic_t once, often;
static pid_t blocked;

static void handle_once(int number)
{
    (void)number;
    once++;
}

static void handle_often(int number)
{
    (void)number;
    often++;
}

static int is_in_wait(void)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)__atomic_load_n(&blocked, __ATOMIC_ACQUIRE));
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    int is_read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return is_read && text[0] >= '0' && text[0] <= '9' && atoi(text) == SYS_wait4;
}

static void send(void *child)
{
    while (!is_in_wait())
        gos_yield();
    CHECK_EQ(kill(getpid(), SIGUSR2), 0);
    while (!once)
        gos_yield();
    CHECK_EQ(kill(getpid(), SIGUSR1), 0); /* which has a handler that stays: sent on */
    while (!often)
        gos_yield();
    CHECK_EQ(kill((pid_t)(intptr_t)child, SIGKILL), 0);
}

static int run(void *unused)
{
    struct sigaction reset = { .sa_handler = handle_once, .sa_flags = (int)SA_RESETHAND | SA_RESTART };
    struct sigaction stay = { .sa_handler = handle_often }, now;
    (void)unused;
    CHECK(!sigaction(SIGUSR2, &reset, NULL) && !sigaction(SIGUSR1, &stay, NULL));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        alarm(60);
        pause();
        _exit(0);
    }
    CHECK_EQ(gos_go(send, (void *)(intptr_t)child), 0);
    __atomic_store_n(&blocked, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    CHECK_EQ(waitpid(-1, NULL, 0), -1);
    CHECK(once == 1 && often == 1);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    CHECK(!sigaction(SIGUSR2, NULL, &now) && now.sa_handler == SIG_DFL);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
