/* The observer thread: see observer.h. */
#include "observer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PERIOD_NS = 10000000 };

observer the_observer;

static pthread_t thread;
static int over;
static int cap;
static char stop_reason[160];

static void answer(int request)
{
    if (request == OBSERVER_STOP) stop_for_reading();
    else if (the_observer.error != 0) limits_explain(the_observer.error, the_observer.why, sizeof the_observer.why);
    else snprintf(the_observer.why, sizeof the_observer.why, "%s", stop_reason);
    __atomic_store_n(&the_observer.request, OBSERVER_IDLE, __ATOMIC_RELEASE);
}

static bool safe(uint64_t left_at_start, int64_t end)
{
    if (memory_left() < left_at_start / 5)
        snprintf(stop_reason, sizeof stop_reason, "safety stop: 80 %% of the %.1f GiB of free memory are used",
                 (double)left_at_start / (1 << 30));
    else if (clock_ns() > end)
        snprintf(stop_reason, sizeof stop_reason, "time cap: spawning took longer than %d s", cap);
    else
        return true;
    return false;
}

static void *observe(void *unused)
{
    (void)unused;
    const struct timespec pause = { 0, PERIOD_NS };
    uint64_t left_at_start = memory_left();
    int64_t end = clock_ns() + cap * INT64_C(1000000000);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        if (the_observer.stop == 0 && !safe(left_at_start, end))
            __atomic_store_n(&the_observer.stop, 1, __ATOMIC_RELEASE);
        int request = __atomic_load_n(&the_observer.request, __ATOMIC_ACQUIRE);
        if (request != OBSERVER_IDLE) answer(request);
        else nanosleep(&pause, NULL);
    }
    return NULL;
}

void observer_start(int cap_seconds)
{
    cap = cap_seconds;
    memset(&the_observer, 0, sizeof the_observer);
    __atomic_store_n(&over, 0, __ATOMIC_RELEASE);
    if (pthread_create(&thread, NULL, observe, NULL) == 0) return;
    fprintf(stderr, "gosbench: no thread for the observer\n");
    exit(1);
}

void observer_end(void)
{
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
}
