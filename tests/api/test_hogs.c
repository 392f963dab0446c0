/*
 * A thousand tasks that only compute, on two workers, and a sleeper: it runs when it is due, after the slice that is
 * under way on one of them or both, and not after everybody's. Counted in slices that tasks began meanwhile: in half
 * of the sleeps a few, whoever has the machine's processors, and in all of them together no more. While one worker's
 * thread waits for a processor that others have, for seconds at worst, those of the other worker go on: they are
 * allowed for.
 */
// also: paged
// env: GOS_PROCS=2
// timeout: 120
// not-with: paged (without stack checks nothing is preempted)
#include <dirent.h>
#include <gossamer.h>

#include "tests/test.h"

enum { HOGS = 1000, SLEEPS = 20, MOST_SLICES = 10 /* a sleep, on average: one or two on each worker are usual */ };
enum { SLICE_NS = 10000000 };

static int stop, started;
static int64_t slices;
static void *now_on[64]; /* by thread: the hog that ran there last */
static gos_waitgroup all;
static __thread int thread_number;
static int threads;

/* Where it runs may change at each call. */
__attribute__((noinline)) static void **place(void)
{
    if (!thread_number)
        thread_number = 1 + __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % 64;
    return &now_on[thread_number - 1];
}

__attribute__((noinline)) static void compute(void *self)
{
    void **last = place();
    if (__atomic_load_n(last, __ATOMIC_RELAXED) == self)
        return;
    __atomic_store_n(last, self, __ATOMIC_RELAXED);
    __atomic_fetch_add(&slices, 1, __ATOMIC_RELAXED);
}

static void hog(void *self)
{
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        compute(self);
    gos_waitgroup_done(&all);
}

/* For how long this program's threads were ready to run and had no processor; 0 where the kernel does not tell. */
static int64_t waited_ns(void)
{
    int64_t sum = 0;
    DIR *threads = opendir("/proc/self/task");
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        FILE *file = fopen(path, "r");
        int64_t waited;
        if (file && fscanf(file, "%*d %" SCNd64, &waited) == 1)
            sum += waited;
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return sum;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int run(void *unused)
{
    static char names[HOGS];
    (void)unused;
    gos_waitgroup_add(&all, HOGS);
    for (int i = 0; i < HOGS; i++)
        CHECK_EQ(gos_go(hog, &names[i]), 0);
    int64_t of_sleep[SLEEPS], passed = 0;
    for (int i = 0; i < SLEEPS; i++) {
        of_sleep[i] = -__atomic_load_n(&slices, __ATOMIC_RELAXED);
        gos_sleep(1000000);
        passed += of_sleep[i] += __atomic_load_n(&slices, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    gos_waitgroup_wait(&all);
    int64_t waited = waited_ns(); /* since they began */
    qsort(of_sleep, SLEEPS, sizeof *of_sleep, by_number);
    printf("%" PRId64 " slices in %d sleeps, median %" PRId64 ", %" PRId64 " ms without a processor\n", passed, SLEEPS,
           of_sleep[SLEEPS / 2], waited / 1000000);
    fflush(stdout);
    CHECK(of_sleep[SLEEPS / 2] <= MOST_SLICES);
    CHECK(passed <= SLEEPS * MOST_SLICES + waited / SLICE_NS);
    CHECK_EQ(started, HOGS);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
