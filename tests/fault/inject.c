/*
 * inject.c: makes what the runtime calls fail. The archive of the runtime that is linked with this is the release one,
 * but for the names of these calls (objcopy --redefine-sym), so that programs' own calls are not touched.
 *
 *     FAULT_TABLE=FILE    counts the calls of each site there (struct table); mapped, so that it outlives a crash
 *     FAULT_ONE=NAME RET0 RET1 FIRST COUNT ERROR    at that site (hexadecimal, from the program's first byte) COUNT
 *                         calls fail from the FIRST on
 *     FAULT_RANDOM=SEED PERMILLE NAME:ERROR,ERROR ...    each call of these names fails with that chance
 *
 * A site is a name and two return addresses: of the call and, by the frame pointer, of its caller.
 */
#define _GNU_SOURCE
#include "tests/fault/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <hwloc/linux.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { USED = 1, FILLING, SITES = 2048, NAME = 32, NAMES = 64, MOST_ERRORS = 4, NONE = -1 };

typedef struct site {
    char name[NAME];
    uint32_t used, ret0, ret1, calls, failed;
} site;

/* The driver reads it: sweep.py, read_table. */
typedef struct table {
    uint32_t over, injected, draws, lost;
    site sites[SITES];
} table;

static table *shared; /* with child processes as well */

static struct {
    char name[NAME];
    unsigned ret0, ret1, first, count;
    int error;
} one;

static struct {
    unsigned long long seed;
    unsigned permille;
    int n;
    struct { char name[NAME]; int errors[MOST_ERRORS], n; } calls[NAMES];
} drawn;

static fault_held held;
extern const char __executable_start[], _end[];

static void read_random(char *text)
{
    char *save, *word = strtok_r(text, " ", &save);
    drawn.seed = word ? strtoull(word, NULL, 0) : 0;
    word = strtok_r(NULL, " ", &save);
    drawn.permille = word ? (unsigned)strtoul(word, NULL, 10) : 0;
    while ((word = strtok_r(NULL, " ", &save)) && drawn.n < NAMES) {
        char *errors = strchr(word, ':');
        if (!errors)
            continue;
        *errors++ = 0;
        snprintf(drawn.calls[drawn.n].name, NAME, "%s", word);
        int n = 0;
        for (char *end; n < MOST_ERRORS && *errors; errors = *end ? end + 1 : end)
            drawn.calls[drawn.n].errors[n++] = (int)strtol(errors, &end, 10);
        drawn.calls[drawn.n++].n = n;
    }
}

__attribute__((constructor(101))) static void begin(void)
{
    const char *file = getenv("FAULT_TABLE"), *which = getenv("FAULT_ONE"), *random = getenv("FAULT_RANDOM");
    int fd = file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    int is_sized = !file || (fd >= 0 && !ftruncate(fd, sizeof *shared));
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | (file ? 0 : MAP_ANONYMOUS), fd, 0);
    if (!is_sized || shared == MAP_FAILED) {
        perror("FAULT_TABLE");
        _exit(3);
    }
    if (file)
        syscall(SYS_close, fd);
    if (which && sscanf(which, "%31s %x %x %u %u %d", one.name, &one.ret0, &one.ret1, &one.first, &one.count,
                        &one.error) != 6)
        _exit(3);
    char text[4096];
    snprintf(text, sizeof text, "%s", random ? random : "");
    read_random(text);
    unsetenv("FAULT_ONE"); /* not for the programs that it starts */
    unsetenv("FAULT_RANDOM");
}

void fault_end(void)
{
    __atomic_store_n(&shared->over, 1u, __ATOMIC_SEQ_CST);
}

fault_held fault_held_now(void)
{
    return held;
}

static void hold(long *what, long n)
{
    __atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}

/* Without a lock: processes that share the table end at any time. Two that add a site at once may add it twice. */
static site *site_of(const char *name, uint32_t ret0, uint32_t ret1)
{
    uint32_t at = (ret0 * 31 + ret1) * 2654435761u % SITES;
    for (int i = 0; i < SITES; i++, at = (at + 1) % SITES) {
        site *it = &shared->sites[at];
        uint32_t empty = 0;
        if (__atomic_compare_exchange_n(&it->used, &empty, FILLING, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            snprintf(it->name, NAME, "%s", name);
            it->ret0 = ret0;
            it->ret1 = ret1;
            __atomic_store_n(&it->used, USED, __ATOMIC_RELEASE);
            return it;
        }
        if (empty == USED && it->ret0 == ret0 && it->ret1 == ret1 && !strncmp(it->name, name, NAME - 1))
            return it;
    }
    __atomic_fetch_add(&shared->lost, 1u, __ATOMIC_RELAXED);
    return &shared->sites[0];
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int draw(const char *name)
{
    uint64_t n = __atomic_add_fetch(&shared->draws, 1u, __ATOMIC_RELAXED);
    uint64_t word = mix(drawn.seed + n * 0x9e3779b97f4a7c15u);
    if (word % 1000 >= drawn.permille)
        return NONE;
    for (int i = 0; i < drawn.n; i++)
        if (!strcmp(drawn.calls[i].name, name))
            return drawn.calls[i].errors[(word >> 32) % (uint64_t)drawn.calls[i].n];
    return NONE;
}

/* NONE, or the error that this call ends with. */
static __attribute__((noinline)) int decide(const char *name, void *const *frame)
{
    int kept = errno, error = NONE;
    void *const *caller = frame[0];
    uintptr_t base = (uintptr_t)__executable_start, outer = 0;
    if (caller && !((uintptr_t)caller & 7))
        outer = (uintptr_t)caller[1];
    if (outer < base || outer >= (uintptr_t)_end)
        outer = base; /* a library, elsewhere in each run */
    uint32_t ret0 = (uint32_t)((uintptr_t)frame[1] - base), ret1 = (uint32_t)(outer - base);
    site *it = site_of(name, ret0, ret1);
    if (!__atomic_load_n(&shared->over, __ATOMIC_RELAXED)) {
        uint32_t n = __atomic_add_fetch(&it->calls, 1u, __ATOMIC_RELAXED);
        if (*one.name && it->ret0 == one.ret0 && it->ret1 == one.ret1 && !strcmp(name, one.name) && n >= one.first &&
            n - one.first < one.count)
            error = one.error;
        else if (drawn.permille)
            error = draw(name);
    }
    if (error != NONE) {
        __atomic_fetch_add(&it->failed, 1u, __ATOMIC_RELAXED);
        __atomic_fetch_add(&shared->injected, 1u, __ATOMIC_RELAXED);
    }
    errno = kept;
    return error;
}

#define DECIDE(name) decide(name, __builtin_frame_address(0))

/* A call that fails with `bad` and errno. */
#define CALL(type, name, bad, params, args)                                                                            \
    type fault__##name params;                                                                                     \
    type fault__##name params                                                                                      \
    {                                                                                                                  \
        int error = DECIDE(#name);                                                                                     \
        if (error != NONE) {                                                                                           \
            errno = error;                                                                                             \
            return bad;                                                                                                \
        }                                                                                                              \
        return name args;                                                                                              \
    }

/* One that gives its error. */
#define GIVES(name, params, args)                                                                                      \
    int fault__##name params;                                                                                      \
    int fault__##name params                                                                                       \
    {                                                                                                                  \
        int error = DECIDE(#name);                                                                                     \
        return error != NONE ? error : name args;                                                                      \
    }

CALL(int, epoll_ctl, -1, (int fd, int op, int of, struct epoll_event *event), (fd, op, of, event))
CALL(int, eventfd, -1, (unsigned n, int flags), (n, flags))
CALL(int, fstat, -1, (int fd, struct stat *to), (fd, to))
CALL(int, stat, -1, (const char *path, struct stat *to), (path, to))
CALL(int, ftruncate, -1, (int fd, off_t size), (fd, size))
CALL(off_t, lseek, -1, (int fd, off_t by, int from), (fd, by, from))
CALL(int, getrlimit, -1, (int what, struct rlimit *to), (what, to))
CALL(int, getrusage, -1, (int who, struct rusage *to), (who, to))
CALL(int, getsockopt, -1, (int fd, int level, int name, void *to, socklen_t *size), (fd, level, name, to, size))
CALL(int, madvise, -1, (void *start, size_t size, int advice), (start, size, advice))
CALL(int, mprotect, -1, (void *start, size_t size, int how), (start, size, how))
CALL(ssize_t, read, -1, (int fd, void *to, size_t size), (fd, to, size))
CALL(int, sigaction, -1, (int sig, const struct sigaction *set, struct sigaction *old), (sig, set, old))
CALL(int, sigaltstack, -1, (const stack_t *set, stack_t *old), (set, old))
CALL(hwloc_bitmap_t, hwloc_bitmap_alloc, NULL, (void), ())
CALL(hwloc_bitmap_t, hwloc_bitmap_dup, NULL, (hwloc_const_bitmap_t it), (it))
CALL(int, hwloc_get_cpubind, -1, (hwloc_topology_t t, hwloc_bitmap_t to, int flags), (t, to, flags))
CALL(int, hwloc_linux_set_tid_cpubind, -1, (hwloc_topology_t t, pid_t tid, hwloc_const_bitmap_t set), (t, tid, set))
CALL(int, hwloc_topology_init, -1, (hwloc_topology_t *t), (t))
CALL(int, hwloc_topology_load, -1, (hwloc_topology_t t), (t))
GIVES(pthread_atfork, (void (*a)(void), void (*b)(void), void (*c)(void)), (a, b, c))
GIVES(pthread_key_create, (pthread_key_t *key, void (*end)(void *)), (key, end))
GIVES(pthread_setspecific, (pthread_key_t key, const void *value), (key, value))
GIVES(atexit, (void (*fn)(void)), (fn))
GIVES(pthread_attr_init, (pthread_attr_t *attr), (attr))
GIVES(pthread_attr_setaffinity_np, (pthread_attr_t *attr, size_t size, const cpu_set_t *set), (attr, size, set))
GIVES(pthread_attr_setstacksize, (pthread_attr_t *attr, size_t size), (attr, size))

/* ---- what has to be given back ---- */

void *fault__malloc(size_t size);
void *fault__calloc(size_t n, size_t size);
void *fault__realloc(void *old, size_t size);
void *fault__aligned_alloc(size_t to, size_t size);
int fault__posix_memalign(void **at, size_t to, size_t size);
char *fault__strndup(const char *text, size_t n);
void fault__free(void *at);
void *fault__mmap(void *at, size_t size, int how, int flags, int fd, off_t from);
int fault__munmap(void *at, size_t size);
int fault__pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int fault__pthread_join(pthread_t thread, void **result);
int fault__pthread_detach(pthread_t thread);

#define REFUSE_MEMORY(name)                                                                                            \
    if (DECIDE(name) != NONE) {                                                                                        \
        errno = ENOMEM;                                                                                                \
        return NULL;                                                                                                   \
    }

static void *got(void *at)
{
    hold(&held.allocations, at != NULL);
    return at;
}

void *fault__malloc(size_t size)
{
    REFUSE_MEMORY("malloc");
    return got(malloc(size));
}

void *fault__calloc(size_t n, size_t size)
{
    REFUSE_MEMORY("calloc");
    return got(calloc(n, size));
}

void *fault__realloc(void *old, size_t size)
{
    REFUSE_MEMORY("realloc");
    void *at = realloc(old, size);
    hold(&held.allocations, at && !old);
    return at;
}

void *fault__aligned_alloc(size_t to, size_t size)
{
    REFUSE_MEMORY("aligned_alloc");
    return got(aligned_alloc(to, size));
}

int fault__posix_memalign(void **at, size_t to, size_t size)
{
    int error = DECIDE("posix_memalign");
    error = error != NONE ? error : posix_memalign(at, to, size);
    hold(&held.allocations, !error);
    return error;
}

char *fault__strndup(const char *text, size_t n)
{
    REFUSE_MEMORY("strndup");
    return got(strndup(text, n));
}

void fault__free(void *at)
{
    hold(&held.allocations, -(at != NULL));
    free(at);
}

static long whole_pages(size_t size)
{
    return (long)((size + 4095) / 4096 * 4096);
}

void *fault__mmap(void *at, size_t size, int how, int flags, int fd, off_t from)
{
    int error = DECIDE("mmap");
    if (error != NONE) {
        errno = error;
        return MAP_FAILED;
    }
    at = mmap(at, size, how, flags, fd, from);
    hold(&held.mapped, at != MAP_FAILED ? whole_pages(size) : 0);
    return at;
}

int fault__munmap(void *at, size_t size)
{
    int error = DECIDE("munmap");
    hold(&held.mapped, -whole_pages(size)); /* what the kernel keeps nobody can give back */
    if (error == NONE)
        return munmap(at, size);
    errno = error;
    return -1;
}

int fault__pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    int error = DECIDE("pthread_create");
    error = error != NONE ? error : pthread_create(thread, attr, fn, arg);
    hold(&held.threads, !error);
    return error;
}

int fault__pthread_join(pthread_t thread, void **result)
{
    hold(&held.threads, -1);
    return pthread_join(thread, result);
}

int fault__pthread_detach(pthread_t thread)
{
    hold(&held.threads, -1);
    return pthread_detach(thread);
}

/* ---- calls with arguments of no fixed number ---- */

int fault__open(const char *path, int flags, ...);
int fault__ioctl(int fd, unsigned long request, void *arg);
int fault__prctl(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int fault__clone(int (*fn)(void *), void *stack, int flags, void *arg);
long fault__syscall(long number, long a, long b, long c, long d, long e, long f);

int fault__open(const char *path, int flags, ...)
{
    int error = DECIDE("open");
    if (error != NONE) {
        errno = error;
        return -1;
    }
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return open(path, flags, mode);
}

int fault__ioctl(int fd, unsigned long request, void *arg)
{
    int error = DECIDE("ioctl");
    if (error != NONE) {
        errno = error;
        return -1;
    }
    return ioctl(fd, request, arg);
}

int fault__prctl(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    int error = DECIDE("prctl");
    if (error != NONE) {
        errno = error;
        return -1;
    }
    return prctl(what, a, b, c, d);
}

int fault__clone(int (*fn)(void *), void *stack, int flags, void *arg)
{
    int error = DECIDE("clone");
    if (error != NONE) {
        errno = error;
        return -1;
    }
    return clone(fn, stack, flags, arg);
}

/* Those that can fail. A futex call that wakes cannot, and an eventfd takes its eight bytes, or is rung already. */
static const char *name_of(long number, long a, long b, long c)
{
    switch (number) {
    case SYS_futex: return (b & FUTEX_CMD_MASK) == FUTEX_WAKE ? NULL : "syscall.futex";
    case SYS_write: return c == sizeof(uint64_t) || a == STDERR_FILENO ? NULL : "syscall.write"; /* lines are judged */
#define BY_NUMBER(name) case SYS_##name: return "syscall." #name;
    BY_NUMBER(close_range) BY_NUMBER(epoll_create1) BY_NUMBER(epoll_pwait2) BY_NUMBER(epoll_pwait)
    BY_NUMBER(eventfd2) BY_NUMBER(fcntl) BY_NUMBER(kill) BY_NUMBER(membarrier) BY_NUMBER(openat)
    BY_NUMBER(pipe2) BY_NUMBER(poll) BY_NUMBER(ppoll) BY_NUMBER(pread64) BY_NUMBER(read) BY_NUMBER(userfaultfd)
    BY_NUMBER(sched_setaffinity) BY_NUMBER(sendto) BY_NUMBER(sigaltstack) BY_NUMBER(socketpair)
    BY_NUMBER(wait4)
    /* These cannot. */
    case SYS_close: case SYS_dup3: case SYS_exit: case SYS_gettid: case SYS_rt_sigaction:
    case SYS_rt_sigprocmask: case SYS_sched_getaffinity:
        return NULL;
    }
    static _Thread_local char name[NAME]; /* one that is missing here and in calls.list */
    snprintf(name, NAME, "syscall.%ld", number);
    return name;
}

long fault__syscall(long number, long a, long b, long c, long d, long e, long f)
{
    const char *name = name_of(number, a, b, c);
    int error = name ? DECIDE(name) : NONE;
    if (error == NONE)
        return syscall(number, a, b, c, d, e, f);
    errno = error;
    return error ? -1 : 0;
}
