/* At vm.max_map_count the kernel refuses new mappings: gos_go says -ENOMEM in silence, what was started runs and ends,
 * a crossing that gets no region ends the program with its one line, and when there are mappings again, all goes on.
 * Where the kernel guards stacks by mappings of their own (before Linux 6.13), each paged stack needs two. */
// timeout: 120
// arch: x86_64 (the filter has its numbers)
// not-with: address thread (their own mappings fail)
#include <gossamer.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/test.h"

enum { MOST_MAPPINGS = 300000, ENOUGH = 5000, STOCK = 100, PAGE = 4096, GUARD_INSTALL = 102, WITHOUT_GUARDS = 77 };

typedef struct trial {
    const char *name, *debug;
    bool old_kernel;
    int left;      /* mappings */
    bool is_told;  /* gos_go must have said -ENOMEM */
    bool ends;     /* no region is to be had */
} trial;

static const trial *now;
static char *pages;
static long filled; /* pages with a mapping of their own, every second one */
static gos_chan *gate;
static gos_waitgroup all, here;
static _Atomic long woken;

static void fill(void)
{
    pages = mmap(NULL, (size_t)MOST_MAPPINGS * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(pages != MAP_FAILED);
    for (filled = 0; mprotect(pages + 2 * filled * PAGE, PAGE, PROT_READ) == 0; filled++)
        CHECK(2 * filled < MOST_MAPPINGS - 2);
    CHECK_EQ(errno, ENOMEM);
    for (int left = now->left; left > 0 && filled > 0; left -= 2)
        CHECK_EQ(mprotect(pages + 2 * --filled * PAGE, PAGE, PROT_NONE), 0);
}

static void unfill(void)
{
    CHECK_EQ(munmap(pages, (size_t)MOST_MAPPINGS * PAGE), 0);
}

/* All are here at once. */
__attribute__((noinline)) static int deep(int n)
{
    volatile char frame[2000];
    __asm__ volatile("" : : "r"(frame) : "memory"); /* the compiler may not make do with fewer bytes */
    frame[n] = 1;
    gos_waitgroup_done(&here);
    gos_waitgroup_wait(&here);
    return frame[n];
}

static void wait_at_gate(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_chan_recv(gate, NULL), -EPIPE);
    woken += deep(1);
    gos_waitgroup_done(&all);
}

static long start(long most)
{
    long n = 0;
    while (n < most) {
        gos_waitgroup_add(&all, 1);
        int result = gos_go(wait_at_gate, NULL);
        if (result) {
            CHECK_EQ(result, -ENOMEM);
            gos_waitgroup_done(&all);
            break;
        }
        n++;
    }
    return n;
}

static void let_go(long n)
{
    gos_waitgroup_add(&here, n);
    CHECK_EQ(gos_chan_close(gate), 0);
    gos_waitgroup_wait(&all);
}

static int run(void *unused)
{
    (void)unused;
    /* So that stacks are at hand when there are no mappings any more. */
    CHECK((gate = gos_chan_new(0, 0)) != NULL);
    CHECK_EQ(start(STOCK), STOCK);
    let_go(STOCK);
    woken = 0;
    gos_chan_free(gate);
    CHECK((gate = gos_chan_new(0, 0)) != NULL);
    fill();
    long n = start(ENOUGH);
    CHECK(now->is_told ? n > now->left / 16 && n < ENOUGH : n <= ENOUGH);
    CHECK_EQ(gos_ntasks(), n + 1);
    unfill();
    n += start(ENOUGH); /* there is room again */
    CHECK(n >= ENOUGH);
    fill();
    let_go(n);
    CHECK_EQ(woken, n);
    return 0;
}

/* As a kernel before 6.13, that knows no such advice. */
static void refuse_guard_install(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_INSTALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(WITHOUT_GUARDS);
}

static void try(const trial *it)
{
    int fds[2], status;
    char text[1000];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        now = it;
        dup2(fds[1], 2);
        close(fds[1]);
        if (it->old_kernel)
            refuse_guard_install();
        setenv("GOS_DEBUG", it->debug, 1);
        gos_procs(2);
        _exit(gos_run(run, NULL));
    }
    close(fds[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(fds[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = 0;
    close(fds[0]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    fprintf(stderr, "%s: status %#x %s\n", it->name, (unsigned)status, text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == WITHOUT_GUARDS)
        return; /* no filter here */
    /* One such line, the last; before it perhaps one that says that no more threads are to be had. */
    static const char line[] = "gossamer: fatal error: no memory for a deeper task stack: ";
    const char *fatal = strstr(text, line);
    CHECK_EQ(status, it->ends ? 2 << 8 : 0);
    if (it->ends) {
        CHECK(fatal != NULL && strchr(fatal, '\n') == text + strlen(text) - 1);
        CHECK(strstr(fatal, "vm.max_map_count") != NULL);
    } else {
        CHECK(fatal == NULL);
    }
}

int main(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    long most = MOST_MAPPINGS;
    if (!file || fscanf(file, "%ld", &most) != 1 || most > MOST_MAPPINGS * 3 / 4)
        SKIP("vm.max_map_count is too large to be reached");
    fclose(file);
    static const trial trials[] = {
        { "nurseries", "noflight", false, 0, true, true },
        { "nurseries, an old kernel", "noflight", true, 200, false, true },
        { "paged stacks", "paged", false, 0, true, false },
        { "paged stacks, an old kernel", "paged", true, 2000, true, false },
    };
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        try(&trials[i]);
    return 0;
}
