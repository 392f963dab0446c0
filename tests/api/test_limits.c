/* At a limit of memory gos_go says -ENOMEM, in silence, and everything started still runs and ends. With an argument:
 * at one that it finds itself under (tests/fault/test_cgroup.py). */
// not-with: emulator (it has not the address space that limits leave)
#include <errno.h>
#include <gossamer.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/test.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

enum { ENOUGH = 3000000 };

static gos_chan *gate;
static gos_waitgroup all;
static _Atomic long woken;

__attribute__((noinline)) static int deep(int n)
{
    volatile char frame[6000];
    REAL(frame);
    frame[n] = 1;
    return frame[n];
}

static void wait_at_gate(void *unused)
{
    (void)unused;
    CHECK_EQ(gos_chan_recv(gate, NULL), -EPIPE);
    atomic_fetch_add(&woken, deep(3)); /* a deep region is still to be had */
    gos_waitgroup_done(&all);
}

static long fill(void)
{
    long n = 0;
    int result;
    woken = 0;
    do {
        gos_waitgroup_add(&all, 1);
        result = gos_go(wait_at_gate, NULL);
        n += result == 0;
    } while (result == 0 && n < ENOUGH);
    CHECK_EQ(result, -ENOMEM);
    gos_waitgroup_done(&all);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(wait_at_gate, NULL), -ENOMEM); /* and again */
    CHECK_EQ(gos_ntasks(), n + 1);
    return n;
}

static int run(void *unused)
{
    (void)unused;
    long before = 0;
    for (int round = 0; round < 2; round++) {
        CHECK((gate = gos_chan_new(0, 0)) != NULL);
        long n = fill();
        CHECK(n > 1000);
        CHECK_EQ(gos_chan_close(gate), 0);
        gos_waitgroup_wait(&all);
        CHECK_EQ(woken, n);
        while (gos_ntasks() > 1)
            gos_yield(); /* who is done has not yet ended */
        gos_chan_free(gate);
        CHECK(round == 0 || n >= before / 2); /* what they had is free again */
        before = n;
    }
    return 0;
}

/* In a child with that limit; nothing may be written. */
static void with_limit(rlim_t address_space, const char *maxmem)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 2);
        close(fds[1]);
        struct rlimit limit = { address_space, address_space };
        if (address_space)
            CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
        if (maxmem)
            setenv("GOS_MAXMEM", maxmem, 1);
        gos_procs(2);
        _exit(gos_run(run, NULL));
    }
    close(fds[1]);
    char text[1000];
    ssize_t n = read(fds[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(fds[0]);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_STR(text, "");
    CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return gos_run(run, NULL);
    const char *san = getenv("SAN");
    if (san && *san)
        SKIP("sanitizers need the address space themselves");
    with_limit(0, "64m");
    with_limit((rlim_t)1 << 30, NULL);
    with_limit((rlim_t)300 << 20, NULL);
    return 0;
}
