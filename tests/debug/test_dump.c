/* A dump: each task with what it does, what it waits on, what it was started with and where it is; alike ones once. */
// not-with: emulator (more tasks than there are mappings for guards)
// also: paged
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <pthread.h>

#include "tests/debug/dumped.h"
#include "tests/parked.h"

#if defined(GOS_ASAN) || defined(GOS_TSAN)
enum { SANITIZED = 1, MANY = 1000 };
#else
enum { SANITIZED = 0, MANY = 100000 };
#endif

static gos_chan *chan;
static gos_mutex mutex;
static int pipe_ends[2];
static _Atomic int entered;

static void receiver(void *unused)
{
    int n;
    entered++;
    gos_chan_recv(chan, &n);
    (void)unused;
    entered--;
}

static __attribute__((noinline)) void goes_deep(int n)
{
    volatile char frame[2000];
    frame[n] = 1;
    if (n)
        goes_deep(n - 1);
    else
        receiver(NULL);
    frame[n]++;
}

static void deep(void *unused)
{
    (void)unused;
    goes_deep(3);
    entered++; /* no tail call */
}

static void sleeper(void *unused)
{
    (void)unused;
    gos_sleep(INT64_MAX);
    entered++;
}

static void locker(void *unused)
{
    (void)unused;
    gos_mutex_lock(&mutex);
    entered++;
}

static void reader(void *unused)
{
    char byte;
    (void)unused;
    CHECK_EQ(read(pipe_ends[0], &byte, 1), 1);
}

static void pinned(void *unused)
{
    gos_pin();
    receiver(unused);
    gos_unpin();
}

TEST_HELPER void start(int n, void (*fn)(void *))
{
    for (int i = 0; i < n; i++)
        CHECK_EQ(gos_go(fn, NULL), 0);
}

/* A line of a backtrace; sanitized builds, which do not look at the stacks of others, have none, and no "on". */
static void follows(char **at, const char *function)
{
    if (!SANITIZED)
        CHECK(!strncmp(line_with(at, function), "    ", 4));
}

static void look_at(char *text)
{
    char tasks[40], alike[80], on[40], *at = text;
    snprintf(tasks, sizeof tasks, "gossamer: %d tasks", MANY + 9);
    snprintf(alike, sizeof alike, "%d tasks like 0x", MANY);
    snprintf(on, sizeof on, "on %p", (void *)chan);
    CHECK_STR(line_with(&at, "gossamer: "), tasks);
    char *line = line_with(&at, alike);
    CHECK(strstr(line, "[chan receive") && (SANITIZED || strstr(line, on)));
    CHECK(strstr(line, "started with receiver") != NULL);
    CHECK(!strstr(line, "others"));
    follows(&at, "receiver");

    line = line_with(&at, "started with deep");
    CHECK(!strncmp(line, "3 tasks like ", 13) && strstr(line, "[chan receive"));
    follows(&at, "receiver");
    for (int i = 0; i < 4; i++)
        follows(&at, "goes_deep");
    follows(&at, "deep");
}

/* The lines of groups of one task come in any order. */
static void look_at_single(char *text, const char *const wanted[])
{
    char *copy = strdup(text), *at = copy, *line = line_with(&at, wanted[0]);
    for (int i = 1; wanted[i]; i++)
        CHECK(strstr(line, wanted[i]) != NULL);
    free(copy);
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(pipe(pipe_ends), 0);
    gos_mutex_lock(&mutex);
    start(MANY, receiver);
    start(3, deep);
    start(2, sleeper);
    start(1, locker);
    start(1, reader);
    start(1, pinned);
    while (entered < MANY + 4)
        gos_sleep(1000000);
    await_tasks(receiver, GOS_WAIT_RECV, MANY);
    await_tasks(deep, GOS_WAIT_RECV, 3);
    gos_sleep(10000000);
    char *text = dumped();
    CHECK_EQ(gos_ntasks(), MANY + 9);
    look_at_single(text, (const char *const[]){ "[running", "started with run", NULL });
    look_at_single(text, (const char *const[]){ "[descriptor", "started with reader", NULL });
    look_at_single(text, (const char *const[]){ "started with pinned", "[chan receive", ", pinned", NULL });
    look_at_single(text, (const char *const[]){ "[sleep", "2 tasks like ", "started with sleeper", NULL });
    char mutex_is[40];
    snprintf(mutex_is, sizeof mutex_is, "on %p", (void *)&mutex);
    const char *const locker[] = { "[mutex", SANITIZED ? "[mutex" : mutex_is, "started with locker", NULL };
    look_at_single(text, locker);
    look_at(text);
    free(text);

    /* All of them still run. */
    for (int i = 0; i < MANY + 4; i++)
        CHECK_EQ(gos_chan_send(chan, &i), 0);
    while (entered > 3)
        gos_sleep(1000000);
    return 0;
}

/* A thread that is no task's, while tasks run; afterwards there is nothing to see. */
static void *from_outside(void *text)
{
    *(char **)text = dumped();
    return NULL;
}

static int outside(void *unused)
{
    (void)unused;
    pthread_t thread;
    char *text;
    start(5, receiver);
    await_tasks(receiver, GOS_WAIT_RECV, 5);
    CHECK_EQ(pthread_create(&thread, NULL, from_outside, &text), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    look_at_single(text, (const char *const[]){ "5 tasks like", "[chan receive", NULL });
    free(text);
    return 0;
}

int main(void)
{
    chan = gos_chan_new(sizeof(int), 0);
    CHECK(chan != NULL);
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK_EQ(gos_run(outside, NULL), 0);
    char *text = dumped();
    CHECK_STR(text, "gossamer: 0 tasks\n");
    free(text);
    return 0;
}
