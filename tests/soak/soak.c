/*
 * soak.c: everything at once, for as long as is asked for: activities that run in rounds, each with a sum that must
 * come out exactly, under signals at 10 kHz and a changing number of workers. At the end of each period all activities
 * pause, and what the process then holds is looked at: resident memory and descriptors must not grow.
 *
 *     soak SECONDS PERIOD_SECONDS MOST_TASKS SEED
 *
 * Exit 0: all sums right, no growth. The last line of standard output says what was done (soak.py).
 */
#define _GNU_SOURCE
#include "tests/soak/soak.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND 1000000000ll

enum { MOST_PERIODS = 1000, SIGNALS_A_MS = 10, PAGE_KIB = 4 };

/* A process that runs long meets ever rarer extremes: so much more is no growth. */
enum { SLACK_KIB = 8 * 1024, SLACK_PERCENT = 5 };

soak_counts soak_counts_now;
long soak_most_tasks;

static const struct activity {
    const char *name;
    soak_round *round;
} activities[] = {
    { "storms", soak_storm }, { "depths", soak_depths }, { "selects", soak_selects }, { "timers", soak_timers },
    { "sockets", soak_sockets }, { "pins", soak_pins }, { "processes", soak_processes }, { "workers", soak_workers },
};
enum { ACTIVITIES = sizeof activities / sizeof *activities };

static gos_rwmutex pause_lock; /* read: in a round */
static gos_waitgroup running;
static _Atomic int is_over;
static _Atomic long rounds[ACTIVITIES], sent, handled;
static uint64_t seed;
static int64_t seconds, period;
static long resident[MOST_PERIODS];
static int descriptors[MOST_PERIODS], periods;

static void act(void *number)
{
    intptr_t i = (intptr_t)number;
    gos__rng rng = { .state = seed + (uint64_t)i };
    while (!is_over) {
        gos_rwmutex_rlock(&pause_lock);
        activities[i].round(&rng);
        gos_rwmutex_runlock(&pause_lock);
        rounds[i]++;
        gos_yield();
    }
    gos_waitgroup_done(&running);
}

/* How late those are who wait for a time: while a storm is as large as can be, and else. */
enum { SIZES = 48 };
static struct lateness {
    _Atomic long n, longest_ns, of_size[SIZES]; /* by the power of two that is above it */
} lateness[2];

static void note_lateness(struct lateness *it, long ns)
{
    int size = ns > 0 ? 64 - __builtin_clzl((unsigned long)ns) : 0;
    it->n++;
    it->of_size[size < SIZES ? size : SIZES - 1]++;
    if (ns > it->longest_ns)
        it->longest_ns = ns;
}

/* 99 of a hundred were not later than this, to the next power of two. */
static double percentile_99_ms(const struct lateness *it)
{
    long below = 0;
    for (int size = 0; size < SIZES; size++)
        if ((below += it->of_size[size]) * 100 >= it->n * 99)
            return it->n ? (double)(1l << size) / 1e6 : 0;
    return 0;
}

static void sleeps(void *unused)
{
    (void)unused;
    while (!is_over) {
        int64_t due = gos_now() + SECOND / 1000;
        long edges = soak_storm_edges;
        gos_sleep(SECOND / 1000);
        note_lateness(&lateness[edges % 2 || edges != soak_storm_edges], (long)(gos_now() - due));
    }
    gos_waitgroup_done(&running);
}

static void on_signal(int number)
{
    (void)number;
    handled++;
}

static void *send_signals(void *unused)
{
    union sigval nothing = { .sival_int = 0 };
    int64_t begin = gos_now();
    while (!is_over) {
        long due = (long)((gos_now() - begin) / 1000000) * SIGNALS_A_MS;
        for (int i = 0; sent < due && i < 10 * SIGNALS_A_MS; i++) {
            if (sigqueue(getpid(), SIGRTMIN, nothing))
                break; /* as many wait as may: later */
            sent++;
        }
        if (due - sent > 1000 * SIGNALS_A_MS)
            begin += 1000ll * 1000000; /* what a busy machine did not get to is not made good for */
        struct timespec moment = { .tv_nsec = 1000000 };
        nanosleep(&moment, NULL);
    }
    return unused;
}

static long resident_kib(void)
{
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file && fscanf(file, "%ld %ld", &size, &pages) == 2);
    fclose(file);
    return pages * PAGE_KIB;
}

static int open_descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void look(void)
{
    gos_rwmutex_lock(&pause_lock);
    long before; /* what nobody needs goes back to the kernel, after a storm for a while */
    resident[periods] = LONG_MAX;
    do {
        before = resident[periods];
        gos_sleep(SECOND / 2);
        resident[periods] = resident_kib();
    } while (resident[periods] < before - SLACK_KIB / 4);
    descriptors[periods] = open_descriptors();
    printf("period %d: resident %ld KiB, descriptors %d, operations %ld, signals %ld, longest delay %.1f ms, in the "
           "largest storms %.1f ms\n", periods, resident[periods], descriptors[periods], soak_counts_now.operations,
           handled, (double)lateness[0].longest_ns / 1e6, (double)lateness[1].longest_ns / 1e6);
    fflush(stdout);
    periods++;
    gos_rwmutex_unlock(&pause_lock);
}

static void watch(void)
{
    int64_t end = gos_now() + seconds * SECOND;
    while (gos_now() < end && periods < MOST_PERIODS) {
        gos_sleep(period * SECOND);
        look();
    }
    is_over = 1;
}

/* After the first period, which warms up. */
static void judge(void)
{
    for (int i = 0; i < ACTIVITIES; i++) {
        printf("%s: %ld rounds\n", activities[i].name, rounds[i]);
        CHECK(rounds[i] > 0);
    }
    CHECK_EQ(handled, sent);
    long first = periods > 1 ? resident[1] : 0, last = periods > 1 ? resident[periods - 1] : 0;
    double growth = periods > 2 ? (double)(last - first) / (periods - 2) * 60 / (double)period : 0;
    for (int i = 0; i < 2; i++)
        printf("%s: %ld sleeps of 1 ms, 99 %% of them late by less than %.3f ms, the longest by %.1f ms\n",
               i ? "largest storms" : "other times", lateness[i].n, percentile_99_ms(&lateness[i]),
               (double)lateness[i].longest_ns / 1e6);
    printf("done: operations=%ld processes=%ld tasks=%ld signals=%ld late99_ms=%.3f latest_ms=%.1f "
           "storm_late99_ms=%.3f storm_latest_ms=%.1f growth_kib=%.0f\n",
           soak_counts_now.operations, soak_counts_now.processes, soak_counts_now.most_tasks, handled,
           percentile_99_ms(&lateness[0]), (double)lateness[0].longest_ns / 1e6, percentile_99_ms(&lateness[1]),
           (double)lateness[1].longest_ns / 1e6, growth);
    for (int i = 2; i < periods; i++) {
        CHECK(resident[i] <= first + first / 100 * SLACK_PERCENT + SLACK_KIB);
        CHECK(descriptors[i] <= descriptors[1]);
    }
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&running, ACTIVITIES + 1);
    CHECK_EQ(gos_go(sleeps, NULL), 0);
    for (intptr_t i = 0; i < ACTIVITIES; i++)
        CHECK_EQ(gos_go(act, (void *)i), 0);
    watch();
    gos_waitgroup_wait(&running);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5 || (seconds = atoll(argv[1])) < 1 || (period = atoll(argv[2])) < 1 ||
        (soak_most_tasks = atol(argv[3])) < 1000) {
        fputs("usage: soak SECONDS PERIOD_SECONDS MOST_TASKS SEED\n", stderr);
        return 2;
    }
    seed = strtoull(argv[4], NULL, 0);
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    CHECK_EQ(sigaction(SIGRTMIN, &action, NULL), 0);
    signal(SIGPIPE, SIG_IGN);
    pthread_t sender;
    CHECK_EQ(pthread_create(&sender, NULL, send_signals, NULL), 0);
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK_EQ(pthread_join(sender, NULL), 0);
    struct timespec moment = { .tv_nsec = 200000000 };
    while (handled < sent && nanosleep(&moment, NULL) == 0)
        continue; /* those that still wait for a thread */
    judge();
    return 0;
}
