/* Tasks parked in every way are packed away and woken at random, while others write to their variables: each finds its
 * stack as it was. Thousands, since whole runs of pages are packed. */
// timeout: 180
// env: GOS_DEBUG=cold=1
// not-with: paged (no nurseries)
#include <gossamer.h>

#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "os/os.h"
#include "tests/test.h"

enum { KINDS = 9, EACH = 1500, TASKS = KINDS * EACH, PIPES = 40, ROUNDS = 25, WORDS = 6, MAIL = 4, RANDOM = 5 };

typedef struct message {
    uint64_t value, check;
    char rest[24];
} message;

typedef struct task {
    uint64_t *words; /* on its stack; NULL: not yet */
    uint64_t mail;   /* what was added to words[MAIL] by others */
    uint64_t random; /* what the kernel wrote into words[RANDOM] */
} task;

static task tasks[TASKS];
static uint64_t seed;
static gos_chan *messages, *other, *tokens, *never;
static gos_mutex locked, guard;
static gos_cond cond;
static gos_sem sem;
static gos_waitgroup all, gate;
static int pipes[PIPES][2];
static int is_over;
static long wakes;

static inline uint64_t pattern(long number, int word)
{
    return ((uint64_t)number << 20 | (uint64_t)word) * 0x9e3779b97f4a7c15u;
}

/* Inline, so that a task stays on its nursery. */
static inline void begin(long number, uint64_t *words)
{
    for (int i = 0; i < MAIL; i++)
        words[i] = pattern(number, i);
    words[MAIL] = words[RANDOM] = 0;
    __atomic_store_n(&tasks[number].words, words, __ATOMIC_RELEASE);
}

static inline void look(long number, const uint64_t *words)
{
    for (int i = 0; i < MAIL; i++)
        CHECK_EQ(words[i], pattern(number, i));
    CHECK_EQ(__atomic_load_n(&words[RANDOM], __ATOMIC_RELAXED), tasks[number].random);
    __atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);
}

static inline void end(long number, const uint64_t *words)
{
    look(number, words);
    CHECK_EQ(words[MAIL], tasks[number].mail);
    gos_waitgroup_done(&all);
}

static void receives(void *arg)
{
    uint64_t words[WORDS];
    message got;
    begin((long)arg, words);
    while (gos_chan_recv(messages, &got) == 0) {
        CHECK_EQ(got.check, ~got.value);
        look((long)arg, words);
    }
    end((long)arg, words);
}

static void sends(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    for (uint64_t n = (uint64_t)(long)arg; gos_chan_send(tokens, &n) == 0; n += TASKS)
        look((long)arg, words);
    end((long)arg, words);
}

static void selects(void *arg)
{
    uint64_t words[WORDS], n;
    begin((long)arg, words);
    for (;;) {
        gos_case cases[2] = { { never, GOS_RECV, &n, 0 }, { other, GOS_RECV, &n, 0 } };
        int which = gos_select(cases, 2, -1);
        look((long)arg, words);
        if (cases[which].result)
            break;
        CHECK_EQ(which, 1);
    }
    end((long)arg, words);
}

static void sleeps(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        gos_sleep(20000000 + (long)arg % 64 * 1000000);
        look((long)arg, words);
    }
    end((long)arg, words);
}

static void waits_for_lock(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    for (bool over = false; !over;) {
        gos_mutex_lock(&locked);
        over = __atomic_load_n(&is_over, __ATOMIC_ACQUIRE);
        gos_mutex_unlock(&locked);
        look((long)arg, words);
        if (!over)
            gos_sem_acquire(&sem, 1);
        look((long)arg, words);
    }
    end((long)arg, words);
}

static void waits_for_condition(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    gos_mutex_lock(&guard);
    while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
        gos_cond_wait(&cond, &guard);
        look((long)arg, words);
    }
    gos_mutex_unlock(&guard);
    end((long)arg, words);
}

static void waits_for_group(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    gos_waitgroup_wait(&gate);
    end((long)arg, words);
}

static void reads(void *arg)
{
    uint64_t words[WORDS];
    char byte;
    begin((long)arg, words);
    while (read(pipes[(long)arg % PIPES][0], &byte, 1) == 1)
        look((long)arg, words);
    end((long)arg, words);
}

/* Parks on a deep region: nothing is known of what its nursery holds. */
__attribute__((noinline)) static void deep(long number, uint64_t *words, int depth)
{
    volatile char frame[600] = { (char)depth };
    message got;
    if (depth)
        deep(number, words, depth - 1);
    else
        while (gos_chan_recv(messages, &got) == 0)
            look(number, words);
    CHECK_EQ(frame[0], (char)depth);
}

static void goes_deep(void *arg)
{
    uint64_t words[WORDS];
    begin((long)arg, words);
    if ((long)arg % 8 == 0)
        deep((long)arg, words, 2);
    else
        gos_waitgroup_wait(&gate);
    end((long)arg, words);
}

static void (*const kinds[KINDS])(void *) = { receives, sends, selects, sleeps, waits_for_lock, waits_for_condition,
                                              waits_for_group, reads, goes_deep };

/* Others' variables, by a pointer and by the kernel. */
static void meddle(void)
{
    for (int i = 0; i < 200; i++) {
        task *one = &tasks[test_random(&seed) % TASKS];
        uint64_t *words = __atomic_load_n(&one->words, __ATOMIC_ACQUIRE);
        __atomic_fetch_add(&words[MAIL], i + 1, __ATOMIC_RELAXED);
        one->mail += (uint64_t)i + 1;
        long number = one - tasks;
        CHECK_EQ(words[1], pattern(number, 1));
        if (number / EACH == 6) { /* it sleeps until the end */
            CHECK_EQ(syscall(SYS_getrandom, &words[RANDOM], 8, 0), 8);
            one->random = words[RANDOM];
        }
    }
}

static void wake_some(void)
{
    message m = { .value = test_random(&seed) };
    m.check = ~m.value;
    for (uint64_t n = test_random(&seed) % 800; n; n--)
        gos_chan_try_send(messages, &m);
    for (uint64_t n = test_random(&seed) % 800, got; n; n--)
        gos_chan_try_recv(tokens, &got);
    for (uint64_t n = test_random(&seed) % 800; n; n--)
        gos_chan_try_send(other, &n);
    gos_sem_release(&sem, 1 + (long)(test_random(&seed) % 500));
    if (test_random(&seed) % 2)
        gos_cond_broadcast(&cond);
    else
        gos_cond_signal(&cond);
    for (int i = 0; i < PIPES; i += 1 + (int)(test_random(&seed) % 9))
        CHECK_EQ(write(pipes[i][1], "abcdefgh", 8), 8);
}

/* The keeper has packed more since; judged by its counter alone. */
static void wait_for_packing(void)
{
    gos_stats before, now;
    CHECK_EQ(gos_stats_read(&before), 0);
    do {
        gos_sleep(1000000);
        CHECK_EQ(gos_stats_read(&now), 0);
    } while (now.cold_packed <= before.cold_packed || now.cold_pages < 200);
}

static void finish(void)
{
    __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
    gos_chan_close(messages);
    gos_chan_close(tokens);
    gos_chan_close(other);
    gos_sem_release(&sem, 1000000);
    gos_mutex_lock(&guard);
    gos_cond_broadcast(&cond);
    gos_mutex_unlock(&guard);
    gos_waitgroup_done(&gate);
    for (int i = 0; i < PIPES; i++)
        close(pipes[i][1]);
    gos_waitgroup_wait(&all);
}

static int main_task(void *unused)
{
    (void)unused;
    messages = gos_chan_new(sizeof(message), 0);
    tokens = gos_chan_new(8, 0);
    other = gos_chan_new(8, 0);
    never = gos_chan_new(8, 0);
    gos_waitgroup_add(&all, TASKS);
    gos_waitgroup_add(&gate, 1);
    for (int i = 0; i < PIPES; i++)
        CHECK_EQ(pipe(pipes[i]), 0);
    gos_mutex_lock(&locked);
    for (long i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(kinds[i / EACH], (void *)i), 0);
    for (long i = 0; i < TASKS; i++)
        while (!__atomic_load_n(&tasks[i].words, __ATOMIC_ACQUIRE))
            gos_sleep(1000000);
    gos_mutex_unlock(&locked);
    for (int round = 0; round < ROUNDS; round++) {
        wait_for_packing();
        if (test_random(&seed) % 2)
            meddle();
        wake_some();
        if (round % 5 == 0) {
            int null = open("/dev/null", O_WRONLY);
            gos_dump(null);
            close(null);
        }
    }
    finish();
    gos_stats stats;
    CHECK_EQ(gos_stats_read(&stats), 0);
    CHECK(stats.cold_put_back > 0);
    fprintf(stderr, "%ld wake-ups, %lld pages packed, %lld put back\n", wakes, (long long)stats.cold_packed,
            (long long)stats.cold_put_back);
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
