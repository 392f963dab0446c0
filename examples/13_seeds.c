/*
 * Two faults that hardly ever show, found by searching the seeds of the scheduler. With GOS_SEED=n every decision about
 * who runs is drawn from n: the same n is the same run, another n another interleaving.
 *
 * Without arguments this program runs itself, with one seed after the other, until one shows the fault, and then once
 * more with that seed. `GOS_SEED=n build/.../13_seeds lost` runs one by hand.
 */
// not-with: paged (no checked calls, at which tasks are interrupted)
#include <gossamer.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every call is a place where another task may go on; an inlined one is none. */
#define CALL static __attribute__((noinline))

enum { TELLERS = 4, DEPOSITS = 3, SEEDS = 500 };

static gos_waitgroup all;
static gos_mutex left, right;
static int balance;

CALL int read_balance(void) { return balance; }
CALL void write_balance(int to) { balance = to; }

/* The fault: whoever deposits between the two calls is forgotten. */
static void deposit(void *unused)
{
    (void)unused;
    for (int i = 0; i < DEPOSITS; i++)
        write_balance(read_balance() + 1);
    gos_waitgroup_done(&all);
}

static int lost(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TELLERS);
    for (int i = 0; i < TELLERS; i++)
        gos_go(deposit, NULL);
    gos_waitgroup_wait(&all);
    return balance != TELLERS * DEPOSITS;
}

static void lock_both(gos_mutex *first, gos_mutex *second)
{
    gos_mutex_lock(first);
    gos_mutex_lock(second);
    gos_mutex_unlock(second);
    gos_mutex_unlock(first);
    gos_waitgroup_done(&all);
}

/* The fault: not in the same order. */
static void left_first(void *unused) { (void)unused; lock_both(&left, &right); }
static void right_first(void *unused) { (void)unused; lock_both(&right, &left); }

static int deadlock(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 2);
    gos_go(left_first, NULL);
    gos_go(right_first, NULL);
    gos_waitgroup_wait(&all);
    return 0;
}

/* The exit status of this program with `fault` as its argument and GOS_SEED=seed; its messages are not shown. */
static int run_with(const char *fault, int seed)
{
    extern char **environ;
    char text[16], *argv[] = { "13_seeds", (char *)(uintptr_t)fault, NULL };
    posix_spawn_file_actions_t quiet;
    pid_t child;
    int status;
    snprintf(text, sizeof text, "%d", seed);
    setenv("GOS_SEED", text, 1);
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    if (posix_spawn(&child, "/proc/self/exe", &quiet, NULL, argv, environ) != 0 || waitpid(child, &status, 0) < 0)
        return -1;
    posix_spawn_file_actions_destroy(&quiet);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void search(const char *fault, int status)
{
    int seed = 1;
    while (seed <= SEEDS && run_with(fault, seed) != status)
        seed++;
    printf("%s: %s\n", fault, seed <= SEEDS ? "found" : "not found");
    printf("and again by the same seed: %s\n", run_with(fault, seed) == status ? "yes" : "no");
    fprintf(stderr, "%s: GOS_SEED=%d\n", fault, seed);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return gos_run(strcmp(argv[1], "lost") == 0 ? lost : deadlock, NULL);
    search("lost", 1);     // expect: lost: found
                           // expect: and again by the same seed: yes
    search("deadlock", 2); // expect: deadlock: found
                           // expect: and again by the same seed: yes
    return 0;
}
