/* A million timers at once on two workers, a quarter of them stopped: each fires once or is stopped, and none early. */
// not-with: emulator (address space, which is limited for it)
// timeout: 120
// env: GOS_PROCS=2
#include <errno.h>
#include <gossamer.h>

#include "tests/test.h"

static const int64_t ms = 1000000;

typedef struct entry {
    gos_timer *timer;
    int64_t due;
    int fired;
} entry;

static int n;
static entry *entries;
static int64_t ended, early;

static void fire(void *arg)
{
    entry *mine = arg;
    if (gos_now() < mine->due)
        __atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&mine->fired, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
}

static int run(void *unused)
{
    (void)unused;
    uint64_t random = test_seed();
    int stopped = 0;
    for (int i = 0; i < n; i++) {
        int64_t wait = 500 * ms + (int64_t)(test_random(&random) % (uint64_t)(1500 * ms));
        if (i % 8 == 0)
            wait += 3600 * 1000 * ms; /* will not have fired when it is stopped */
        entries[i].due = gos_now() + wait;
        CHECK((entries[i].timer = gos_timer_new(wait, fire, &entries[i])) != NULL);
    }
    for (int i = 0; i < n; i += 4)
        if (!gos_timer_stop(entries[i].timer)) {
            entries[i].due = INT64_MAX; /* to fire now would be early */
            stopped++;
        }
    CHECK(stopped >= (n + 7) / 8);
    while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < n - stopped)
        gos_sleep(10 * ms);
    gos_sleep(20 * ms); /* for one too many */
    CHECK_EQ(ended, n - stopped);
    CHECK_EQ(early, 0);
    for (int i = 0; i < n; i++) {
        CHECK_EQ(entries[i].fired, entries[i].due != INT64_MAX);
        CHECK_EQ(gos_timer_stop(entries[i].timer), -EALREADY);
        gos_timer_free(entries[i].timer);
    }
    return 0;
}

int main(void)
{
    const char *san = getenv("SAN");
    n = san && *san ? 5000 : 1000000;
    CHECK((entries = calloc((size_t)n, sizeof *entries)) != NULL);
    return gos_run(run, NULL);
}
