/*
 * Sanitizers see tasks (runtime/arch/san.h): what a task does wrong is reported, on its own stack and on the heap, by
 * itself and by system calls that we make for it; what tasks do in turns is not, whatever gives them their turns.
 */
// timeout: 60
#include <gossamer.h>
#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>

#include "tests/test.h"

#ifndef GOS_ASAN
#define GOS_ASAN 0
#endif
#ifndef GOS_TSAN
#define GOS_TSAN 0
#endif
#ifndef GOS_UBSAN
#define GOS_UBSAN 0
#endif

static gos_waitgroup done;

/* The compiler does not know what this gives. */
static int *hidden(int *at)
{
    __asm__ volatile("" : "+r"(at));
    return at;
}

/* ---- address sanitizer ---- */

static int *volatile leaked;

static void leaves_its_stack(void *unused)
{
    (void)unused;
    int local = 7;
    leaked = &local;
    gos_waitgroup_done(&done);
}

static int ended_stack(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&done, 1);
    CHECK_EQ(gos_go(leaves_its_stack, NULL), 0);
    gos_waitgroup_wait(&done);
    while (gos_ntasks() > 1)
        gos_yield();
    return *leaked;
}

static void frees(void *memory)
{
    free(memory);
    gos_waitgroup_done(&done);
}

static int freed_memory(void *unused)
{
    (void)unused;
    int *memory = hidden(malloc(sizeof *memory));
    gos_waitgroup_add(&done, 1);
    CHECK_EQ(gos_go(frees, memory), 0);
    gos_waitgroup_wait(&done);
    return *memory;
}

static int beyond_array(void *unused)
{
    (void)unused;
    int array[4] = { 0 };
    gos_yield();
    return hidden(array)[4];
}

static int small_buffer(void *unused)
{
    (void)unused;
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "12345", 5), 5);
    void *buffer = hidden(malloc(4));
    return (int)read(fds[0], buffer, 5);
}

static int sends_too_much(void *unused)
{
    (void)unused;
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    void *buffer = hidden(calloc(4, 1));
    return (int)write(fds[1], buffer, 5);
}

static void loses(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        hidden(malloc(100));
    gos_waitgroup_done(&done);
}

static int lost_memory(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&done, 1);
    CHECK_EQ(gos_go(loses, NULL), 0);
    gos_waitgroup_wait(&done);
    return 0;
}

/* Parks, and has the only pointers meanwhile. */
static void keeps(void *unused)
{
    void *volatile kept[100];
    (void)unused;
    for (int i = 0; i < 100; i++)
        kept[i] = malloc(100);
    gos_waitgroup_done(&done);
    gos_sleep(INT64_MAX);
    for (int i = 0; i < 100; i++)
        free(kept[i]);
}

static int kept_memory(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&done, 10);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(keeps, NULL), 0);
    gos_waitgroup_wait(&done);
    exit(0);
}

/* ---- undefined-behaviour sanitizer ---- */

static int overflows(void *unused)
{
    (void)unused;
    int most = INT_MAX;
    gos_yield();
    return *hidden(&most) + 1;
}

/* ---- thread sanitizer ---- */

static int shared, many[100];

/* Both are on their way at once, on two threads; that they know it of each other orders nothing. Two that come to a
 * word in the very same moment may not be seen. */
static void adds_at_once(void *arrived)
{
    __atomic_fetch_add((int *)arrived, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n((int *)arrived, __ATOMIC_RELAXED) < 2)
        ;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i]++;
    gos_waitgroup_done(&done);
}

static int at_once(void *unused)
{
    (void)unused;
    static int arrived;
    gos_waitgroup_add(&done, 2);
    CHECK_EQ(gos_go(adds_at_once, &arrived), 0);
    CHECK_EQ(gos_go(adds_at_once, &arrived), 0);
    gos_waitgroup_wait(&done);
    return 0;
}

/* Turns: a way to get one and a way to pass it on. */
static gos_chan *chan;
static gos_mutex mutex;
static gos_sem sem = GOS_SEM_INIT(1);
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static int pipe_fds[2];
static char turn;

static void chan_get(void) { CHECK_EQ(gos_chan_recv(chan, &turn), 0); }
static void chan_put(void) { CHECK_EQ(gos_chan_send(chan, &turn), 0); }
static void mutex_get(void) { gos_mutex_lock(&mutex); }
static void mutex_put(void) { gos_mutex_unlock(&mutex); }
static void sem_get(void) { gos_sem_acquire(&sem, 1); }
static void sem_put(void) { gos_sem_release(&sem, 1); }
static void plain_get(void) { CHECK_EQ(pthread_mutex_lock(&plain), 0); }
static void plain_put(void) { CHECK_EQ(pthread_mutex_unlock(&plain), 0); }
static void pipe_get(void) { CHECK_EQ(read(pipe_fds[0], &(char){ 0 }, 1), 1); }
static void pipe_put(void) { CHECK_EQ(write(pipe_fds[1], "t", 1), 1); }

static const struct turns {
    void (*get)(void), (*put)(void);
} ways[] = {
    { chan_get, chan_put }, { mutex_get, mutex_put }, { sem_get, sem_put }, { plain_get, plain_put },
    { pipe_get, pipe_put },
};

static void adds(void *arg)
{
    const struct turns *way = arg;
    for (int i = 0; i < 2000; i++) {
        way->get();
        shared++;
        way->put();
    }
    gos_waitgroup_done(&done);
}

static int in_turns(void *unused)
{
    (void)unused;
    CHECK((chan = gos_chan_new(1, 1)) != NULL);
    CHECK_EQ(gos_chan_send(chan, &turn), 0);
    CHECK_EQ(pipe(pipe_fds), 0);
    CHECK_EQ(write(pipe_fds[1], "t", 1), 1);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        shared = 0;
        gos_waitgroup_add(&done, 4);
        for (int k = 0; k < 4; k++)
            CHECK_EQ(gos_go(adds, (void *)&ways[i]), 0);
        gos_waitgroup_wait(&done);
        CHECK_EQ(shared, 4 * 2000);
    }
    gos_chan_free(chan);
    return 0;
}

/* What a thread of the program's own wrote before it wrote to a pipe; most likely long before the task reads that. */
static void *writes_first(void *unused)
{
    shared = 7;
    pipe_put();
    return unused;
}

static int from_outside(void *unused)
{
    (void)unused;
    pthread_t thread;
    CHECK_EQ(pipe(pipe_fds), 0);
    CHECK_EQ(pthread_create(&thread, NULL, writes_first, NULL), 0);
    gos_sleep(50000000);
    pipe_get();
    CHECK_EQ(shared, 7);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

/* ---- */

/* What it does in a process of its own ends that with this report; NULL: it ends well. A report is long. */
static void expect(int (*fn)(void *), const char *report)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 2);
        gos_procs(4);
        exit(gos_run(fn, NULL));
    }
    close(fds[1]);
    static char text[1 << 20];
    size_t length = 0;
    for (ssize_t n; (n = read(fds[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = 0;
    close(fds[0]);
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    fprintf(stderr, "expected: %s\n%s", report ? report : "nothing", text); /* shown on failure */
    CHECK(WIFEXITED(how));
    CHECK_EQ(WEXITSTATUS(how) != 0, report != NULL);
    if (report)
        CHECK(strstr(text, report) != NULL);
    else
        CHECK_EQ(length, 0);
}

int main(void)
{
    static const struct {
        int on;
        int (*fn)(void *);
        const char *report;
    } all[] = {
        { 1, in_turns, NULL },
        { 1, from_outside, NULL },
        { GOS_ASAN, ended_stack, "AddressSanitizer: use-after-poison" },
        { GOS_ASAN, freed_memory, "AddressSanitizer: heap-use-after-free" },
        { GOS_ASAN, beyond_array, "AddressSanitizer: stack-buffer-overflow" },
        { GOS_ASAN, small_buffer, "AddressSanitizer: heap-buffer-overflow" },
        { GOS_ASAN, sends_too_much, "AddressSanitizer: heap-buffer-overflow" },
        { GOS_ASAN, lost_memory, "LeakSanitizer: detected memory leaks" },
        { GOS_ASAN, kept_memory, NULL },
        { GOS_UBSAN, overflows, "runtime error: signed integer overflow" },
        { GOS_TSAN, at_once, "ThreadSanitizer: data race" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].on)
            expect(all[i].fn, all[i].report);
    return 0;
}
