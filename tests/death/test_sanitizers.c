/*
 * Sanitizers see tasks (runtime/arch/san.h): the stack of a task that has ended is nobody's, for address sanitizer, and
 * turns taken through a channel are no race, for thread sanitizer.
 */
// timeout: 30
#include <gossamer.h>

#include "tests/death/death.h"

#ifndef GOS_ASAN
#define GOS_ASAN 0
#endif

static gos_waitgroup done;
static int *volatile leaked;
static int shared;
static gos_chan *turns;

static void leaves_its_stack(void *unused)
{
    (void)unused;
    int local = 7;
    leaked = &local;
    gos_waitgroup_done(&done);
}

static int looks_at_it(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&done, 1);
    CHECK_EQ(gos_go(leaves_its_stack, NULL), 0);
    gos_waitgroup_wait(&done);
    while (gos_ntasks() > 1)
        gos_yield();
    return *leaked;
}

static void adds(void *locked)
{
    char turn = 1;
    for (int i = 0; i < 20000; i++) {
        if (locked)
            gos_chan_recv(turns, &turn);
        shared++;
        if (locked)
            gos_chan_send(turns, &turn);
    }
    gos_waitgroup_done(&done);
}

static int race(void *locked)
{
    char turn = 1;
    turns = gos_chan_new(1, 1);
    gos_chan_send(turns, &turn);
    gos_waitgroup_add(&done, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(gos_go(adds, locked), 0);
    gos_waitgroup_wait(&done);
    gos_chan_free(turns);
    return 0;
}

static void child(int (*fn)(void *), void *arg)
{
    gos_procs(4);
    exit(gos_run(fn, arg));
}

static void ended_stack(void *unused)
{
    (void)unused;
    child(looks_at_it, NULL);
}

static void racing(void *locked)
{
    child(race, locked);
}

/* The report is long: its first lines are enough. */
static void expect_report(void (*fn)(void *), const char *what)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        death_child(fds[1], fn, NULL);
    close(fds[1]);
    static char text[1 << 20];
    size_t length = 0;
    for (ssize_t n; (n = read(fds[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    close(fds[0]);
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    fprintf(stderr, "%s", text); /* shown on failure */
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) != 0);
    CHECK(strstr(text, what) != NULL);
}

int main(void)
{
    static const char *const nothing[] = { NULL };
    expect_death("turns", racing, &shared, 0, 0, nothing);
    if (GOS_ASAN)
        expect_report(ended_stack, "use-after-poison");
    return 0;
}
