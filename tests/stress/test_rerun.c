/* Two hundred runs in one program: threads, descriptors, mappings and memory do not pile up. */
// not-with: emulator (each run reserves anew, which takes it a second)
// also: paged
#include <dirent.h>
#include <gossamer.h>
#include <limits.h>

#include "tests/test.h"

enum { RUNS = 200, WARM = 20, TASKS = 100, SEEN = 5 };

static gos_waitgroup all;

typedef struct usage {
    long threads, descriptors, mappings, kib;
} usage;

static long entries(const char *path)
{
    long n = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static usage measure(void)
{
    usage u = { .threads = entries("/proc/self/task"), .descriptors = entries("/proc/self/fd") };
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r"), *status = fopen("/proc/self/status", "r");
    CHECK(maps != NULL && status != NULL);
    while (fgets(line, sizeof line, maps))
        u.mappings++;
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "VmRSS:", 6))
            u.kib = atol(line + 6);
    fclose(maps);
    fclose(status);
    return u;
}

static long least(long a, long b)
{
    return a < b ? a : b;
}

__attribute__((noinline)) static int deep(int n)
{
    volatile char frame[5000];
    frame[n] = 1;
    gos_yield();
    return n > 0 ? deep(n - 1) + frame[n] : 0;
}

static void task(void *arg)
{
    CHECK_EQ(deep((int)(intptr_t)arg % 30), (int)(intptr_t)arg % 30);
    gos_sleep(1000);
    gos_waitgroup_done(&all);
}

static void left_behind(void *chan)
{
    gos_chan_recv(chan, NULL);
}

static int run(void *chan)
{
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(task, (void *)i), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(left_behind, chan), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    int runs = san && *san ? WARM + 10 : RUNS;
    usage before = { .threads = 0 };
    long early = LONG_MAX, late = LONG_MAX; /* the least of several: a sanitizer's own pages come and go */
    gos_procs(4);
    for (int i = 0; i < runs; i++) {
        gos_chan *chan = gos_chan_new(0, 0);
        CHECK_EQ(gos_run(run, chan), 0);
        gos_chan_free(chan);
        if (i == WARM)
            before = measure();
        if (i >= WARM && i < WARM + SEEN)
            early = least(early, measure().kib);
        if (i >= runs - SEEN)
            late = least(late, measure().kib);
    }
    usage after = measure();
    for (int i = 0; i < 10000 && after.threads > before.threads; i++) { /* one may be just about to end */
        usleep(1000);
        after = measure();
    }
    CHECK_EQ(after.threads, before.threads);
    CHECK_EQ(after.descriptors, before.descriptors);
    if (!san || strcmp(san, "thread")) /* whose own, for threads and tasks, are dozens more or fewer each time */
        CHECK(after.mappings <= before.mappings + 8); /* malloc may have its own ideas */
    printf("%ld KiB, then %ld\n", early, late);
    fflush(stdout);
    CHECK(late <= early + 16384); /* a tenth of what these runs would leave: an abandoned one may */
    return 0;
}
