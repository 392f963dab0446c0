/*
 * fuzz.h: what a fuzzer's target needs, and a driver for it where there is no libFuzzer.
 *
 * A target is one function, LLVMFuzzerTestOneInput: any bytes are an input, and a broken promise ends the process
 * (fuzz_require). Built by `make fuzz` it is linked to libFuzzer (FUZZ_LIBFUZZER); as a test of `make check` it is a
 * program that runs random inputs of SEED in a child, or the files it is given:
 *     test_api [FILE ...]        FUZZ_COUNT=n: so many random inputs; FUZZ_SECONDS=s: for so long
 * The parent then has the input by which the child died, whichever way it did, and writes it to a file.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/env.h"
#include "tests/test.h"

enum { FUZZ_MOST = 1024, FUZZ_PATIENCE_S = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

TEST_HELPER void fuzz_fail(const char *file, int line, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%.100s:%d: not true: %.300s\n", file, line, what);
    if (write(2, text, (size_t)n) == n)
        abort();
    abort();
}

#define fuzz_require(condition)                                                                                        \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0))                                                                         \
            fuzz_fail(__FILE__, __LINE__, #condition);                                                                 \
    } while (0)

/* ---- bytes: past the end they are 0 ---- */

typedef struct fuzz_bytes {
    const uint8_t *at, *end;
} fuzz_bytes;

static inline unsigned fuzz_byte(fuzz_bytes *bytes)
{
    return bytes->at < bytes->end ? *bytes->at++ : 0;
}

static inline unsigned fuzz_below(fuzz_bytes *bytes, unsigned n)
{
    return fuzz_byte(bytes) % n;
}

/* The next run draws all its decisions from `seed`, on one worker and a clock of its own, as GOS_SEED would have it; or
 * does not. The environment is read once in a process, so it is changed where it was read to. */
TEST_HELPER void fuzz_seed(int seeded, uint64_t seed)
{
    gos__env *env = (gos__env *)(uintptr_t)gos__env_get();
    env->seeded = seeded != 0;
    env->seed = seed;
}

#ifndef FUZZ_LIBFUZZER

/* ---- the driver ---- */

/* Shared by parent and child. */
typedef struct fuzz_shared {
    uint64_t done;
    size_t size;
    uint8_t data[FUZZ_MOST];
} fuzz_shared;

static fuzz_shared *fuzz_now;

/* One input; a second hand on the same alarm counts the seconds that it may take. */
static void fuzz_one(void)
{
    alarm(FUZZ_PATIENCE_S);
    uint8_t *copy = malloc(fuzz_now->size ? fuzz_now->size : 1); /* exactly so large, for sanitizers */
    memcpy(copy, fuzz_now->data, fuzz_now->size);
    LLVMFuzzerTestOneInput(copy, fuzz_now->size);
    free(copy);
    fuzz_now->done++;
}

static void fuzz_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, fuzz_now->data, FUZZ_MOST);
    if (n < 0) {
        fprintf(stderr, "fuzz: %s: cannot be read\n", path);
        exit(2);
    }
    close(fd);
    fuzz_now->size = (size_t)n;
    fuzz_one();
}

static void fuzz_random(uint64_t *state)
{
    size_t size = test_random(state) % 5 ? test_random(state) % 160 : test_random(state) % FUZZ_MOST;
    uint64_t draw = 0;
    for (size_t i = 0; i < size; i++, draw >>= 8) {
        if (i % 8 == 0)
            draw = test_random(state);
        fuzz_now->data[i] = (uint8_t)draw;
    }
    fuzz_now->size = size;
    fuzz_one();
}

static long fuzz_number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

static void fuzz_child(int argc, char **argv, long count)
{
    struct timespec now;
    uint64_t state = test_seed() ^ 0x66757a7a;
    for (int i = 1; i < argc; i++)
        fuzz_file(argv[i]);
    long seconds = fuzz_number("FUZZ_SECONDS", 0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (time_t end = now.tv_sec + seconds; seconds && now.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &now))
        fuzz_random(&state);
    for (long i = seconds || argc > 1 ? 0 : fuzz_number("FUZZ_COUNT", count); i > 0; i--)
        fuzz_random(&state);
    exit(0);
}

static void fuzz_keep(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, fuzz_now->data, fuzz_now->size) != (ssize_t)fuzz_now->size)
        fprintf(stderr, "fuzz: %s: cannot be written\n", name);
    close(fd);
    for (size_t i = 0; i < fuzz_now->size; i++)
        fprintf(stderr, "%02x%s", fuzz_now->data[i], i % 32 == 31 ? "\n" : "");
}

/* Runs the files of `argv`, or `count` random inputs. */
static int fuzz_main(int argc, char **argv, long count)
{
    fuzz_now = mmap(NULL, sizeof *fuzz_now, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(fuzz_now != MAP_FAILED);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        fuzz_child(argc, argv, count);
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    printf("%llu executions\n", (unsigned long long)fuzz_now->done);
    if (how == 0)
        return 0;
    char name[300];
    const char *build = getenv("BUILD");
    snprintf(name, sizeof name, "%.200s/fuzz-%d", build ? build : "/tmp", (int)pid);
    fuzz_keep(name);
    fprintf(stderr, "\nfuzz: the child ended by %s %d at input %llu, which is now in %s: give that file as argument\n",
            WIFSIGNALED(how) ? "signal" : "status", WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how),
            (unsigned long long)fuzz_now->done + 1, name);
    return 1;
}

#define FUZZ_MAIN(count) int main(int argc, char **argv) { return fuzz_main(argc, argv, count); }
#else
#define FUZZ_MAIN(count)
#endif
#endif
