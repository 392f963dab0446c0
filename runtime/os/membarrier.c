/*
 * membarrier.c: a full memory fence in all threads of the process.
 *
 * Where the kernel refuses membarrier(2), or has no memory for it, the calling thread goes to every CPU in turn: what
 * ran there was taken off it, which is a fence, and what goes from one CPU to another is taken off as well. That costs
 * some microseconds for each CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/check.h"
#include "os/os.h"

/* As many CPUs as a kernel can be built for. */
enum { MOST_CPUS = 8192, WORD = 8 * sizeof(unsigned long) };

static bool is_registered;

static void enlist(void)
{
    is_registered = !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void gos__membarrier_forked(void)
{
    enlist();
}

bool gos__membarrier_works(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, enlist);
    return is_registered;
}

static void visit_all_cpus(void)
{
    unsigned long own[MOST_CPUS / WORD], one[MOST_CPUS / WORD] = { 0 };
    long size = syscall(SYS_sched_getaffinity, 0, sizeof own, own), visited = 0;
    for (long cpu = 0; cpu < size * 8; cpu++) {
        one[cpu / WORD] = 1ul << cpu % WORD;
        visited += !syscall(SYS_sched_setaffinity, 0, size, one); /* EINVAL: there is none, or not for this process */
        one[cpu / WORD] = 0;
    }
    if (!visited || syscall(SYS_sched_setaffinity, 0, size, own))
        gos__die("fatal error: the kernel refuses both membarrier(2) and sched_setaffinity(2) (errno %d): allow one of "
                 "them", errno);
}

void gos__membarrier(void)
{
    gos__fence_seq(); /* the kernel fences the other threads and, on its way, this one: said here for readers */
    if (gos__membarrier_works() && !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
        return;
    int error = errno;
    visit_all_cpus();
    errno = error;
}
