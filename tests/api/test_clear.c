/* With GOS_DEBUG=clear no task finds on its stacks what another left there: each looks at all that it has not used yet,
 * then leaves a word everywhere, and parks in between, so that stacks and regions change hands. Without it they find
 * plenty. */
// timeout: 120
// not-with: address thread (it looks below its frames)
// not-with: emulator (it cannot execute itself)
#include <gossamer.h>

#include <alloca.h>
#include <spawn.h>
#include <sys/wait.h>

#include "stack/stack.h"
#include "tests/test.h"

enum { TASKS = 3000, AT_ONCE = 100, OWN_FRAME = 64, LOOK_MOST = 1 << 19 };
enum { NURSERY, REGION, LARGE, HEAP, PLACES };

extern char **environ;

/* Who looks has no register with the word in it, which the runtime might put on the stack: it compares products. */
#define WORD UINT64_C(0x5ec7e70000c0ffee)
static volatile uint64_t word = WORD, product = WORD * 3;
static long found[PLACES];
static gos_sem room = GOS_SEM_INIT(AT_ONCE);
static gos_waitgroup all;

/* Inline, as it must not change stacks itself. */
__attribute__((always_inline)) static inline void look_below(uintptr_t at, int place)
{
    const gos__region *region = gos__self.task->region;
    uintptr_t low = region ? region->bottom : gos__nursery_low(gos__self.task) + GOS_NURSERY_WORDS;
    if (at - low > LOOK_MOST)
        low = at - LOOK_MOST;
    long n = 0;
    for (at = (at - OWN_FRAME) & ~(uintptr_t)7; at > low; at -= 8)
        n += *(const volatile uint64_t *)(at - 8) * 3 == product;
    __atomic_fetch_add(&found[region ? place : NURSERY], n, __ATOMIC_RELAXED);
}

__attribute__((always_inline)) static inline void leave(volatile uint64_t *words, int n)
{
    for (int i = 0; i < n; i++)
        words[i] = word;
    /* Nor in registers that calls may change: the next task has them as they are, and a crossing keeps them. */
#if defined(__x86_64__)
    __asm__ volatile("xorl %%eax, %%eax\n\txorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\txorl %%esi, %%esi\n\t"
                     "xorl %%edi, %%edi\n\txorl %%r8d, %%r8d\n\txorl %%r9d, %%r9d\n\txorl %%r10d, %%r10d\n\t"
                     "xorl %%r11d, %%r11d" ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
#endif
}

#define LOOK(name, bytes, place)                                                                                       \
    __attribute__((noinline)) static void look_##name(void)                                                            \
    {                                                                                                                  \
        volatile uint64_t words[(bytes) / 8];                                                                          \
        words[0] = 0;                                                                                                  \
        look_below((uintptr_t)words, place);                                                                           \
    }

#define LEAVE(name, bytes, last)                                                                                       \
    __attribute__((noinline)) static void leave_##name(int yields)                                                     \
    {                                                                                                                  \
        volatile uint64_t words[(bytes) / 8];                                                                          \
        leave(words, (bytes) / 8);                                                                                     \
        if (yields)                                                                                                    \
            gos_yield();                                                                                               \
        last;                                                                                                          \
    }

/* Deeper than any checked frame says. */
__attribute__((noinline, no_split_stack)) static void leave_unchecked(void)
{
    volatile uint64_t words[20 * 1024 / 8];
    leave(words, 20 * 1024 / 8);
}

LOOK(region, 2000, REGION)
LOOK(large, GOS_REGION_SIZE + 5000, LARGE)
LEAVE(small, 128, (void)0)
LEAVE(middle, 2000, leave_unchecked())
LEAVE(deep, 30000, (void)0)
LEAVE(large, 2 * GOS_REGION_SIZE, (void)0)

__attribute__((noinline)) static void on_heap(void)
{
    volatile uint64_t *words = alloca(6000);
    long n = 0;
    for (int i = 0; i < 6000 / 8; i++)
        n += words[i] * 3 == product;
    __atomic_fetch_add(&found[HEAP], n, __ATOMIC_RELAXED);
    leave(words, 6000 / 8);
}

static void task(void *arg)
{
    uint64_t state = (uintptr_t)arg, chance = test_random(&state);
    look_below((uintptr_t)__builtin_frame_address(0), REGION);
    if (chance % 4 == 0)
        look_large();
    else if (chance % 2)
        look_region();
    if (chance & 16)
        gos_yield();
    if (chance & 32)
        on_heap();
    leave_small(chance >> 6 & 1);
    leave_middle(chance >> 7 & 1);
    leave_middle(chance >> 8 & 1);
    if (chance & 64)
        leave_deep(chance >> 9 & 1);
    if (chance % 8 == 0)
        leave_large(chance >> 10 & 1);
    leave_small(0);
    gos_sem_release(&room, 1);
    gos_waitgroup_done(&all);
    if (chance & 2048)
        gos_exit();
}

static int start(void *arg)
{
    (void)arg;
    uint64_t seed = test_seed();
    gos_waitgroup_add(&all, TASKS);
    for (long i = 0; i < TASKS; i++) {
        gos_sem_acquire(&room, 1);
        CHECK_EQ(gos_go(task, (void *)(uintptr_t)(seed + (uint64_t)i)), 0);
    }
    gos_waitgroup_wait(&all);
    printf("%ld %ld %ld %ld\n", found[NURSERY], found[REGION], found[LARGE], found[HEAP]);
    return 0;
}

static void run(char *self, const char *debug, long *places)
{
    int pipes[2], status;
    char text[200] = "";
    posix_spawn_file_actions_t actions;
    pid_t pid;
    CHECK_EQ(setenv("GOS_DEBUG", debug, 1), 0);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, pipes[1], 1), 0);
    CHECK_EQ(posix_spawn(&pid, self, &actions, NULL, (char *[]){ self, "child", NULL }, environ), 0);
    close(pipes[1]);
    ssize_t n = read(pipes[0], text, sizeof text - 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK(n > 0);
    fprintf(stderr, "GOS_DEBUG=%s: words of others found: %s", debug, text);
    CHECK_EQ(sscanf(text, "%ld %ld %ld %ld", &places[NURSERY], &places[REGION], &places[LARGE], &places[HEAP]), PLACES);
    close(pipes[0]);
    posix_spawn_file_actions_destroy(&actions);
}

int main(int argc, char **argv)
{
    long places[PLACES];
    if (argc > 1)
        return gos_run(start, NULL);
    /* Frames with a sanitizer's checks in them are too large for nurseries. */
    const char *san = getenv("SAN");
    bool small_frames = !GOS_PAGED_ONLY && (!san || !*san);
    run(argv[0], "stats", places);
    for (int i = 0; i < PLACES; i++)
        CHECK(places[i] > 0 || (GOS_PAGED_ONLY && i != REGION) || (i == NURSERY && !small_frames));
    const char *const clear[] = { "clear", "clear,paged", "clear,trim=1,cold=1" };
    for (int way = 0; way < 3; way++) {
        run(argv[0], clear[way], places);
        for (int i = 0; i < PLACES; i++)
            CHECK_EQ(places[i], 0);
    }
    return 0;
}
