/* GOS_SEED: the same seed gives the same run, other seeds other runs; time is the scheduler's own. */
// not-with: emulator (it cannot execute itself)
// timeout: 120
#include <gossamer.h>
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

enum { TASKS = 8, STEPS = 12, SEEDS = 12 };

static uint64_t order;   /* a hash of who did what, in which order and when */
static gos_chan *words, *none;
static gos_mutex lock;
static gos_waitgroup all;
static int pipes[2];

static __attribute__((noinline)) void note(int64_t what)
{
    order = (order ^ (uint64_t)what) * 1099511628211u;
}

/* What may park, and what may not. */
static void mixed(void *arg)
{
    intptr_t me = (intptr_t)arg;
    for (int i = 0; i < STEPS; i++) {
        note(me * 100 + i);
        switch ((me + i) % 6) {
        case 0:
            gos_sleep((me + 1) * 1000000);
            break;
        case 1:
            gos_mutex_lock(&lock);
            note(-me);
            gos_mutex_unlock(&lock);
            break;
        case 2:
            gos_chan_send(words, &(int64_t){ me });
            break;
        case 3: {
            gos_case one = { .chan = none, .op = GOS_RECV };
            CHECK_EQ(gos_select(&one, 1, 5000000), -ETIMEDOUT);
            break;
        }
        case 4: {
            char byte = (char)me;
            CHECK_EQ(write(pipes[1], &byte, 1), 1);
            CHECK_EQ(read(pipes[0], &byte, 1), 1);
            note(byte);
            break;
        }
        default:
            gos_yield();
        }
        note(gos_now());
    }
    gos_waitgroup_done(&all);
}

static void receive(void *unused)
{
    (void)unused;
    for (int64_t word; gos_chan_recv(words, &word) == 0;)
        note(1000 + word);
}

static void late(void *when)
{
    note((intptr_t)when);
    gos_waitgroup_done(&all);
}

static int body(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_procs(4), 1);   /* the former number; a seeded run has one worker */
    CHECK_EQ(gos_procs(0), 1);
    words = gos_chan_new(sizeof(int64_t), 3);
    none = gos_chan_new(0, 0);
    CHECK(pipe(pipes) == 0);
    gos_waitgroup_add(&all, TASKS + 1);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(mixed, (void *)i), 0);
    gos_go(receive, NULL);
    gos_timer *timer = gos_timer_new(7000000, late, (void *)77);
    gos_waitgroup_wait(&all);
    gos_timer_free(timer);
    int64_t before = gos_now();
    gos_sleep(3600ll * 1000000000);   /* at once */
    CHECK(gos_now() - before >= 3600ll * 1000000000 && gos_now() - before < 3601ll * 1000000000);
    gos_chan_close(words);
    char line[32];
    CHECK(write(1, line, (size_t)snprintf(line, sizeof line, "%016llx\n", (unsigned long long)order)) > 0);
    return 0;
}

/* What a run by `seed` prints. */
static uint64_t run_by(int seed)
{
    extern char **environ;
    char text[16], *argv[] = { "test_seed", "run", NULL };
    int out[2];
    posix_spawn_file_actions_t to_us;
    pid_t child;
    snprintf(text, sizeof text, "%d", seed);
    setenv("GOS_SEED", text, 1);
    CHECK(pipe(out) == 0);
    posix_spawn_file_actions_init(&to_us);
    posix_spawn_file_actions_adddup2(&to_us, out[1], 1);
    posix_spawn_file_actions_addclose(&to_us, out[0]);
    CHECK_EQ(posix_spawn(&child, "/proc/self/exe", &to_us, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&to_us);
    close(out[1]);
    char line[32] = "";
    CHECK(read(out[0], line, sizeof line - 1) == 17);
    close(out[0]);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return strtoull(line, NULL, 16);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return gos_run(body, NULL);
    uint64_t seen[SEEDS];
    int different = 0;
    for (int i = 0; i < SEEDS; i++) {
        seen[i] = run_by(i);
        CHECK_EQ(run_by(i), seen[i]);
        different += i > 0 && seen[i] != seen[i - 1];
    }
    CHECK(different >= SEEDS - 3);
    return 0;
}
