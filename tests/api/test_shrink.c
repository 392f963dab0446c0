/*
 * Stacks give their memory back: a task that is parked deep what lies below its stack pointer, regions that nobody
 * needs any more all of it, and nothing is lost by it, nor where the kernel refuses. Pages are counted, for as long as
 * it takes.
 */
// not-with: emulator (qemu 7's mincore looks for a zero byte in what it is to fill)
// env: GOS_DEBUG=trim=10
// also: paged
// not-with: thread (it keeps what it knows of memory)
// timeout: 120
#include "tests/shrink.h"

#include "base/config.h"

enum { TASKS = 60, KEPT = 6 * 1024, BURST = 120 };

typedef struct place {
    long deep;          /* bytes */
    uintptr_t low, at;  /* of the deepest point; where it parks */
} place;

static place places[TASKS];
static gos_sem parked, go_on;
static gos_waitgroup ended;
static uintptr_t lowest, highest;
static gos_sem down, up;

static void note_low(void *arg)
{
    place *p = arg;
    p->low = (uintptr_t)__builtin_frame_address(0);
}

static void deep_and_back(void *arg)
{
    place *p = arg;
    descend(p->deep, note_low, p);
    p->at = (uintptr_t)__builtin_frame_address(0);
    gos_sem_release(&parked, 1);
    gos_sem_acquire(&go_on, 1);
    descend(p->deep, note_low, p);
}

/* Parks KEPT bytes deep, from where it has been much deeper. */
static void park_deep(void *arg)
{
    descend(KEPT, deep_and_back, arg);
    gos_waitgroup_done(&ended);
}

static bool is_paged;

static long deepest(int i)
{
    if (is_paged)
        return 30 * 1024;
    return i % 3 == 0 ? 300 * 1024 : 40 * 1024;
}

/* What lies a page or more below the calls of the runtime is none of its business any more. */
static long left_below(const place *p)
{
    uintptr_t end = (p->at - PAGE_BYTES) & ~(uintptr_t)(PAGE_BYTES - 1);
    return p->low < end ? resident_pages(p->low, end) : 0;
}

static void park_and_shrink(bool is_refused)
{
    long before = __atomic_load_n(&refused, __ATOMIC_RELAXED); /* the monitor may be done before all are parked */
    gos_waitgroup_add(&ended, TASKS);
    for (int i = 0; i < TASKS; i++) {
        places[i].deep = deepest(i);
        CHECK_EQ(gos_go(park_deep, &places[i]), 0);
    }
    gos_sem_acquire(&parked, TASKS);
    for (int i = 0; i < TASKS && !is_refused; i++) {
        CHECK(places[i].at - places[i].low > 3 * PAGE_BYTES);
        while (left_below(&places[i]) > 0)
            gos_sleep(1000000);
        CHECK_EQ(left_below(&places[i]), 0);
        CHECK(resident_pages(places[i].at, places[i].at + KEPT) > 0);
    }
    while (is_refused && __atomic_load_n(&refused, __ATOMIC_RELAXED) < before + 10)
        gos_sleep(1000000);
    gos_sem_release(&go_on, TASKS);
    gos_waitgroup_wait(&ended);
}

static void at_bottom(void *unused)
{
    (void)unused;
    uintptr_t at = (uintptr_t)__builtin_frame_address(0);
    for (uintptr_t old = __atomic_load_n(&lowest, __ATOMIC_RELAXED); at < old;)
        if (__atomic_compare_exchange_n(&lowest, &old, at, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            break;
    for (uintptr_t old = __atomic_load_n(&highest, __ATOMIC_RELAXED); at > old;)
        if (__atomic_compare_exchange_n(&highest, &old, at, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            break;
    gos_sem_release(&down, 1);
    gos_sem_acquire(&up, 1);
}

/* Its thread loses the worker, carries it to its end, and is a spare one then. */
static void block_at_bottom(void *arg)
{
    at_bottom(arg);
    syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void one_of_burst(void *bytes)
{
    long depth = (long)(intptr_t)bytes;
    descend(depth & ~1l, depth & 1 ? block_at_bottom : at_bottom, NULL);
    gos_waitgroup_done(&ended);
}

/* All are down at once, then they end: of all that is left what workers that still run have at hand, a region each. */
static void burst(long bytes)
{
    lowest = UINTPTR_MAX;
    highest = 0;
    gos_waitgroup_add(&ended, BURST);
    for (int i = 0; i < BURST; i++)
        CHECK_EQ(gos_go(one_of_burst, (void *)(intptr_t)(bytes | (i % 8 == 0))), 0);
    gos_sem_acquire(&down, BURST);
    long in_use = resident_pages(lowest, highest);
    CHECK(in_use >= BURST * (bytes / PAGE_BYTES / 2));
    gos_sem_release(&up, BURST);
    gos_waitgroup_wait(&ended);
    do
        gos_sleep(1000000);
    while (resident_pages(lowest, highest) > gos_procs(0) * (GOS_REGION_SIZE / PAGE_BYTES));
}

static int run(void *unused)
{
    (void)unused;
    park_and_shrink(false);
    park_and_shrink(false); /* again, on what was trimmed */
    if (!is_paged) {
        burst(90 * 1024); /* on deep regions alone */
        burst(400 * 1024);
        burst(400 * 1024);
    }
    __atomic_store_n(&refuse, MADV_DONTNEED, __ATOMIC_RELAXED);
    park_and_shrink(true);
    __atomic_store_n(&refuse, 0, __ATOMIC_RELAXED);
    park_and_shrink(false);
    if (!is_paged)
        burst(400 * 1024);
    return 0;
}

int main(void)
{
    const char *debug = getenv("GOS_DEBUG");
    is_paged = GOS_PAGED_ONLY || (debug && strstr(debug, "paged"));
    CHECK_EQ(gos_run(run, NULL), 0);
    return 0;
}
