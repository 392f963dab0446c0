// arch: x86_64 (thunks)
// build: plain
// not-with: address thread (it would measure what they put in front of the C library's)
/*
 * Functions called `leaf` in runtime/thunks/functions.list run on a nursery below any checked frame: each is run on a
 * painted stack and may not go deeper than GOS_BELOW_FRAME, its return address included. Several sizes, and several
 * levels of the processor (GLIBC_TUNABLES, in a process each), since the C library picks a variant by both.
 * longjmp and its kin do not come back and are not measured.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/config.h"
#include "tests/test.h"

enum { PAINTED = 8192, ROOM = 1 << 16 };
static unsigned char stack[PAINTED] __attribute__((aligned(64)));
static unsigned char one[ROOM] __attribute__((aligned(256))), two[ROOM] __attribute__((aligned(256)));

/* Calls f(a, b, n) with the stack pointer at the painted stack's top; rbx and r12 are kept by what is called. */
static void call_there(void *f, void *a, void *b, size_t n)
{
    void *top = stack + PAINTED;
    __asm__ volatile("movq %%rsp, %%rbx\n\tmovq %[top], %%rsp\n\tcallq *%[f]\n\tmovq %%rbx, %%rsp"
                     : "+D"(a), "+S"(b), "+d"(n), [top] "+r"(top), [f] "+r"(f)
                     :
                     : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3",
                       "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15");
}

static size_t depth_of(void *f, void *a, void *b, size_t n)
{
    memset(stack, 0xa5, sizeof stack);
    call_there(f, a, b, n);
    size_t untouched = 0;
    while (untouched < PAINTED && stack[untouched] == 0xa5)
        untouched++;
    return PAINTED - untouched;
}

static size_t depth(void *f, size_t n)
{
    memset(one, 'a', n);
    memset(two, 'a', n);
    one[n] = two[n] = 0;
    return depth_of(f, one, two, n + 1); /* two's address ends in a zero byte: the character that is looked for */
}

static int is_jump(const char *name)
{
    return strstr(name, "longjmp") != NULL;
}

static void measure(const char *name, size_t *worst)
{
    static const size_t sizes[] = { 0, 1, 7, 15, 31, 63, 127, 255, 1000, 5000, 60000 };
    void *f = dlsym(RTLD_DEFAULT, name);
    for (unsigned i = 0; f && !is_jump(name) && i < sizeof sizes / sizeof *sizes; i++) {
        size_t needs = depth(f, sizes[i]);
        if (needs > GOS_BELOW_FRAME)
            fprintf(stderr, "%s, size %zu: %zu bytes of stack, more than %d: not a leaf\n", name, sizes[i], needs,
                    GOS_BELOW_FRAME);
        *worst = needs > *worst ? needs : *worst;
    }
}

/* `inside` in the list: all kinds of mutexes that arch/posix_x86_64.S calls them for, free, held, let go of twice. */
static void measure_mutexes(size_t *worst)
{
    void *f[] = { dlsym(RTLD_NEXT, "pthread_mutex_trylock"), dlsym(RTLD_NEXT, "pthread_mutex_unlock") };
    CHECK(f[0] != NULL && f[1] != NULL);
    for (int kind = PTHREAD_MUTEX_NORMAL; kind <= PTHREAD_MUTEX_ADAPTIVE_NP; kind++) {
        pthread_mutexattr_t attributes;
        pthread_mutex_t mutex;
        pthread_mutexattr_init(&attributes);
        CHECK_EQ(pthread_mutexattr_settype(&attributes, kind), 0);
        pthread_mutex_init(&mutex, &attributes);
        for (int i = 0; i < 8; i++) {
            size_t needs = depth_of(f[i >> 1 & 1], &mutex, NULL, 0);
            if (needs > GOS_BELOW_FRAME)
                fprintf(stderr, "mutex, kind %d, call %d: %zu bytes of stack, more than %d\n", kind, i, needs,
                        GOS_BELOW_FRAME);
            *worst = needs > *worst ? needs : *worst;
        }
        pthread_mutex_destroy(&mutex);
    }
}

static size_t measure_all(void)
{
    char line[512];
    size_t worst = 0;
    FILE *list = fopen("runtime/thunks/functions.list", "r");
    CHECK(list != NULL);
    while (fgets(line, sizeof line, list))
        if (!strncmp(line, "leaf ", 5))
            for (char *name = strtok(line + 5, " \n"); name; name = strtok(NULL, " \n"))
                measure(name, &worst);
    fclose(list);
    measure_mutexes(&worst);
    return worst;
}

int main(int argc, char **argv)
{
    static const char *const levels[] = { "", "-AVX512VL", "-AVX512VL,-AVX2", "-AVX512VL,-AVX2,-AVX,-SSE4_2,-SSSE3",
                                          "-ERMS,-FSRM" };
    if (argc > 1) {
        size_t worst = measure_all();
        printf("%-40s at most %zu bytes\n", argv[1], worst);
        return worst == 0 || worst > GOS_BELOW_FRAME;
    }
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++) {
        char command[512];
        snprintf(command, sizeof command, "GLIBC_TUNABLES=glibc.cpu.hwcaps=%s %s 'without: %s'", levels[i], argv[0],
                 levels[i]);
        CHECK_EQ(system(command), 0);
    }
    return 0;
}
