/* Tasks of a function that parks deeper than the smallest nursery start on one that is large enough; what one burst
 * needed is forgotten; what no nursery can hold is not tried again and again. */
// not-with: paged (no nurseries)
// not-with: undefined (its handlers are unchecked code: what may call them runs on a region)
// build: checked
#include <gossamer.h>
#include <fcntl.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { SMALLEST = 768, LARGEST = 4096 };

static gos_chan *gate;
static _Atomic long parked;

/* Parks below `depth` bytes of frames. */
__attribute__((noinline)) static void park_below(int depth)
{
    volatile char frame[64];
    frame[0] = (char)depth;
    __asm__ volatile("" : : "r"(frame) : "memory"); /* all of it is there */
    if (depth > 0) {
        park_below(depth - 100);
    } else {
        atomic_fetch_add(&parked, 1);
        gos_chan_recv(gate, NULL);
    }
    frame[1] = frame[0];
}

static void by_argument(void *arg)
{
    park_below((int)(intptr_t)arg);
}

static void other(void *arg)
{
    by_argument(arg);
    atomic_signal_fence(memory_order_seq_cst); /* no tail call */
}

static void crowd(void *arg)
{
    by_argument(arg);
    atomic_signal_fence(memory_order_seq_cst);
}

static void hopeless(void *arg)
{
    by_argument(arg);
    atomic_signal_fence(memory_order_seq_cst);
}

static void let_go(long n)
{
    for (long i = 0; i < n; i++)
        CHECK_EQ(gos_chan_send(gate, NULL), 0);
    while (gos_ntasks() > 1)
        gos_yield();
}

/* n tasks that park so deep, one after the other; then they end. */
static void burst(void (*fn)(void *), long n, int depth)
{
    long before = parked;
    for (long i = 0; i < n; i++) {
        CHECK_EQ(gos_go(fn, (void *)(intptr_t)depth), 0);
        while (parked <= before + i)
            gos_yield();
    }
    let_go(n);
}

static gos_stats now(void)
{
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    return stats;
}

static char *dump(void)
{
    static char text[1 << 16];
    char path[] = "/tmp/test_sizing.XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && unlink(path) == 0);
    gos_dump(fd);
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    CHECK(length > 0);
    text[length] = 0;
    close(fd);
    return text;
}

/* What the dump says the size for a function is. */
static int size_of(void (*fn)(void *))
{
    char ends[80];
    const char *text = dump();
    snprintf(ends, sizeof ends, "(%p) start on ", (void *)(intptr_t)fn);
    const char *at = strstr(text, ends);
    return at ? atoi(at + strlen(ends)) : SMALLEST;
}

/* A task started now that parks so deep needs no region. */
static void check_fits(void (*fn)(void *), int depth)
{
    long before = parked;
    CHECK_EQ(gos_go(fn, (void *)(intptr_t)depth), 0);
    while (parked == before)
        gos_yield();
    char *line = strstr(dump(), "[chan receive]");
    CHECK(line != NULL);
    line[strcspn(line, "\n")] = 0;
    CHECK(strstr(line, ", nursery of ") != NULL);
    CHECK(strstr(line, "deep region") == NULL);
    let_go(1);
}

static void grows_and_decays(void)
{
    CHECK_EQ(size_of(by_argument), SMALLEST);
    burst(by_argument, 40, 0);
    CHECK_EQ(size_of(by_argument), SMALLEST);
    CHECK_EQ(now().larger_nurseries, 0);

    burst(by_argument, 40, 1000);
    int size = size_of(by_argument);
    CHECK(size > SMALLEST && size <= LARGEST);
    gos_stats raised = now();
    CHECK(raised.sizes_raised > 0);
    CHECK_EQ(raised.sizes_lowered, 0);
    CHECK(raised.larger_nurseries > 0 && raised.larger_nurseries < 40);
    check_fits(by_argument, 1000);
    CHECK_EQ(size_of(other), SMALLEST); /* a size is one function's */

    /* Those that need it keep it for as long as they come; then it goes. */
    burst(by_argument, 1000, 1000);
    CHECK_EQ(size_of(by_argument), size);
    CHECK(now().larger_nurseries > 1000);
    burst(by_argument, 400, 0);
    CHECK_EQ(size_of(by_argument), SMALLEST);
    gos_stats low = now();
    CHECK(low.sizes_lowered > 0);
    burst(by_argument, 100, 0);
    CHECK_EQ(now().larger_nurseries, low.larger_nurseries);
}

/* One in many: its own region costs less than larger nurseries for all. With one worker, since each counts its own. */
static void rare_needs_do_not_count(void)
{
    int64_t before = now().larger_nurseries;
    for (int i = 0; i < 30; i++) {
        burst(other, 50, 0);
        burst(other, 1, 600);
    }
    CHECK_EQ(size_of(other), SMALLEST);
    CHECK_EQ(now().larger_nurseries, before);
}

static void too_deep_is_not_tried(void)
{
    int64_t before = now().larger_nurseries;
    burst(hopeless, 200, 20000);
    CHECK_EQ(size_of(hopeless), SMALLEST);
    CHECK_EQ(now().larger_nurseries, before);
    /* Up to the largest and no further. */
    burst(hopeless, 200, 2600);
    int size = size_of(hopeless);
    CHECK(size > 2600 && size <= LARGEST);
    /* Tasks that leave the largest as well soon end that. */
    burst(hopeless, 400, 20000);
    CHECK_EQ(size_of(hopeless), SMALLEST);
    burst(hopeless, 200, 2600);
    CHECK_EQ(size_of(hopeless), SMALLEST);
}

/* Live tasks on larger nurseries. */
static long larger_alive(void)
{
    long sum = 0;
    for (char *line = strtok(dump(), "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, ", nursery of "))
            sum += strncmp(line, "task ", 5) ? atol(line) : 1;
    return sum;
}

/* All alive at once: the counter counts them. */
static void a_crowd_fits(void)
{
    long n = 5000, before = parked, larger = now().larger_nurseries;
    for (long i = 0; i < n; i++)
        CHECK_EQ(gos_go(crowd, (void *)(intptr_t)(i % 50 ? 700 : 1500)), 0);
    while (parked < before + n)
        gos_yield();
    larger = now().larger_nurseries - larger;
    CHECK(larger > n / 2);
    CHECK_EQ(larger_alive(), larger);
    let_go(n);
}

static int run(void *one_worker)
{
    CHECK((gate = gos_chan_new(0, 0)) != NULL);
    grows_and_decays();
    if (one_worker)
        rare_needs_do_not_count();
    too_deep_is_not_tried();
    a_crowd_fits();
    gos_chan_free(gate);
    return 0;
}

int main(void)
{
    gos_procs(1);
    CHECK_EQ(gos_run(run, &parked), 0);
    gos_procs(2);
    return gos_run(run, NULL);
}
