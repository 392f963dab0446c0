/* A child process that is made just while another thread begins the first run of its process has no run, and may begin
 * its own: the time when the runtime gets to know of forks is no gap. */
// env: GOS_PROCS=2
// timeout: 120
// not-with: address thread (in a child of threads they find their own locks held)
// not-with: emulator (it runs children of threads one after the other)
#include <gossamer.h>

#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { PROCESSES = 400, DELAYS = 40, DELAY_NS = 2500 };

extern char **environ;

static uint32_t begins;

static int run(void *arg)
{
    return *(int *)arg;
}

static void *begin(void *result)
{
    __atomic_store_n(&begins, 1, __ATOMIC_RELEASE);
    CHECK_EQ(gos_run(run, result), 7);
    return NULL;
}

/* A process of its own: its first run begins, and `delay` ns later it forks. */
static int fork_amid(int64_t delay)
{
    int result = 7, status = -1;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, begin, &result), 0);
    while (!__atomic_load_n(&begins, __ATOMIC_ACQUIRE))
        ;
    for (int64_t until = gos_now() + delay; gos_now() < until;)
        ;
    pid_t child = fork();
    if (!child) {
        alarm(20);
        _exit(gos_run(run, &result) == 7 ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fork_amid(atoll(argv[1]));
    for (int i = 0; i < PROCESSES; i++) {
        char delay[24];
        snprintf(delay, sizeof delay, "%d", i % DELAYS * DELAY_NS);
        char *args[] = { argv[0], delay, NULL };
        pid_t process;
        int status = -1;
        CHECK_EQ(posix_spawn(&process, "/proc/self/exe", NULL, NULL, args, environ), 0);
        CHECK_EQ(waitpid(process, &status, 0), process);
        CHECK_EQ(status, 0);
    }
    return 0;
}
