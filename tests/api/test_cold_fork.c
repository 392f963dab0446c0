/* A child process finds packed stacks as they were when it was forked, by pointers and in system calls, with a runtime
 * and without; the parent's stay as they are, and are packed again. */
// timeout: 120
// env: GOS_DEBUG=cold=1
// not-with: paged (no nurseries)
#define _GNU_SOURCE
#include <gossamer.h>

#include <pthread.h>
#include <sys/wait.h>

#include "os/os.h"
#include "tests/test.h"

enum { TASKS = 9000, WORDS = 6, FORKS = 12 };

static uint64_t *words_of[TASKS];
static gos_waitgroup gate, all;
static uint64_t seed, generation;

static uint64_t pattern(long number, int word)
{
    return ((uint64_t)number << 20 | (uint64_t)word) * 0x9e3779b97f4a7c15u + generation;
}

static void parks(void *arg)
{
    uint64_t words[WORDS];
    __atomic_store_n(&words_of[(long)arg], words, __ATOMIC_RELEASE);
    gos_waitgroup_wait(&gate);
    for (int i = 0; i < WORDS; i++)
        CHECK_EQ(words[i], pattern((long)arg, i));
    gos_waitgroup_done(&all);
}

static void write_all(void)
{
    for (long i = 0; i < TASKS; i++)
        for (int word = 0; word < WORDS; word++)
            words_of[i][word] = pattern(i, word);
}

static void check_all(int step)
{
    for (long i = 0; i < TASKS; i += step)
        for (int word = 0; word < WORDS; word++)
            CHECK_EQ(words_of[i][word], pattern(i, word));
}

/* Through the kernel. */
static void check_by_pipe(long number)
{
    int ends[2];
    uint64_t got[WORDS];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(write(ends[1], words_of[number], sizeof got), (long)sizeof got);
    CHECK_EQ(read(ends[0], got, sizeof got), (long)sizeof got);
    for (int word = 0; word < WORDS; word++)
        CHECK_EQ(got[word], pattern(number, word));
    close(ends[0]);
    close(ends[1]);
}

static void adds(void *arg)
{
    ++*(int *)arg;
}

static void child(int how)
{
    alarm(100);
    if (how % 3 == 0)
        close_range(3, ~0u, 0); /* as before an exec */
    for (int i = 0; i < 50; i++)
        check_by_pipe((long)(test_random(&seed) % TASKS));
    if (how % 2) {
        int n = 0;
        CHECK_EQ(gos_go(adds, &n), 0);
        while (!__atomic_load_n(&n, __ATOMIC_RELAXED))
            gos_sleep(1000000);
    }
    check_all(how % 4 == 1 ? 1 : 37);
    generation += 77;
    write_all();
    check_all(1);
    _exit(0);
}

static void *forks(void *unused)
{
    (void)unused;
    pid_t pid = fork();
    if (!pid)
        child(0);
    CHECK(pid > 0);
    return (void *)(long)pid;
}

static void wait_for_packing(void)
{
    gos_stats now;
    do {
        gos_sleep(1000000);
        CHECK_EQ(gos_stats_read(&now), 0);
    } while (now.cold_pages < 1000);
}

static void one_fork(int how)
{
    pthread_t thread;
    void *pid = NULL;
    if (test_random(&seed) % 2)
        wait_for_packing(); /* else: while it is under way */
    if (how % 5 == 4) {
        CHECK_EQ(pthread_create(&thread, NULL, forks, NULL), 0);
        CHECK_EQ(pthread_join(thread, &pid), 0);
    } else if (!(pid = (void *)(long)fork())) {
        child(how);
    }
    CHECK((long)pid > 0);
    if (how % 3)
        wait_for_packing(); /* although the child may share the pages */
    check_all(how % 2 ? 1 : 11);
    int status;
    CHECK_EQ(waitpid((pid_t)(long)pid, &status, 0), (long)pid);
    CHECK_EQ(status, 0);
}

static int main_task(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&gate, 1);
    gos_waitgroup_add(&all, TASKS);
    for (long i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(parks, (void *)i), 0);
    for (long i = 0; i < TASKS; i++)
        while (!__atomic_load_n(&words_of[i], __ATOMIC_ACQUIRE))
            gos_sleep(1000000);
    for (int i = 0; i < FORKS; i++) {
        generation++;
        write_all();
        one_fork(i);
    }
    gos_waitgroup_done(&gate);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    gos__userfault faults;
    if (gos__userfault_open(&faults))
        SKIP("no userfaultfd for system calls here");
    gos__userfault_close(&faults);
    seed = test_seed();
    return gos_run(main_task, NULL);
}
