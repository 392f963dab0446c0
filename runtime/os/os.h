/*
 * os.h: the one door to the kernel. No other folder includes sys/mman.h, linux/futex.h or hwloc.h.
 *
 * Sizes and addresses handed to vm functions are multiples of the page size unless said. Calls that cannot fail for
 * a correct caller end the program when they do; the others give 0 or -errno.
 */
#ifndef GOS_OS_OS_H
#define GOS_OS_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* ---- virtual memory (vm.c) ---- */

/* Address space without memory behind it, not accessible; NULL when refused. */
void *gos__vm_reserve(size_t size);
void gos__vm_release(void *start, size_t size);

/* Makes reserved pages usable, zero when first touched, never huge pages. -ENOMEM: limits (RLIMIT_AS, maps). */
int gos__vm_commit(void *start, size_t size);

/* Both in one: memory of that size, rounded up to pages, for gos__vm_release; NULL when refused. */
void *gos__vm_new(size_t size);

/* Gives the memory of committed pages back; they stay usable and read as zero. 0 or -errno: the kernel keeps some, as
 * those that the program has locked (mlock, mlockall). */
int gos__vm_discard(void *start, size_t size);

/* Makes every access to one committed page a fault. Without MADV_GUARD_INSTALL (Linux 6.13) this costs two kernel
 * mappings, and -ENOMEM comes at vm.max_map_count. */
int gos__vm_guard(void *page);

/* Whether guards cost mappings here; and takes such a one away. */
bool gos__vm_guard_is_mapping(void);
int gos__vm_unguard(void *page);

size_t gos__vm_page_size(void);

/* ---- pages that are put back when they are touched (userfault.c) ---- */

typedef struct gos__userfault {
    int fd;   /* -1: not open */
    int bell; /* an eventfd */
} gos__userfault;

/* 0; -EPERM: not allowed to make system calls wait as well; -ENOSYS, -EOPNOTSUPP: not in this kernel (Linux 6.8). */
int gos__userfault_open(gos__userfault *faults);
void gos__userfault_close(gos__userfault *faults);

/* From now on who touches a page of these that is not there waits until it is put there; so does a system call. In a
 * child process nothing is watched any more. 0 or -errno. */
int gos__userfault_watch(const gos__userfault *faults, void *start, size_t size);

/* Waits for somebody who waits, for the bell (true, and from then on always), or until `deadline`. */
bool gos__userfault_wait(const gos__userfault *faults, int64_t deadline);
void gos__userfault_ring(const gos__userfault *faults);

/* The pages that somebody waits for, at most `room`; each wait once. Does not wait. */
int gos__userfault_read(const gos__userfault *faults, uintptr_t *pages, int room);

/* Puts watched pages there, each with its contents at once, and wakes who waits for them. -EEXIST: one was there, and
 * nothing was done from there on; -ENOMEM. */
int gos__userfault_put(const gos__userfault *faults, void *to, const void *from, size_t size);
int gos__userfault_put_zeros(const gos__userfault *faults, void *page);
void gos__userfault_wake(const gos__userfault *faults, void *page);

/* Moves pages to where watched ones are missing: to everybody else each is in one place or in the other, and what a
 * thread writes to it meanwhile is not lost. Gives the bytes moved; when that is not all, *why is -EBUSY (the next page
 * is in use by the kernel or shared with a child process), -ENOENT (not there), -EAGAIN, -ENOMEM ... */
size_t gos__userfault_move(const gos__userfault *faults, void *to, void *from, size_t size, int *why);

/* A file's contents, to be read; NULL: it cannot be read. Takes a descriptor for a moment. */
const void *gos__vm_map_file(const char *path, size_t *size);
void gos__vm_unmap_file(const void *start, size_t size);

/* ---- other programs (helper.c) ---- */

/* Runs argv[0], found along PATH, and gives what it printed, at most `room` bytes, when it has ended or at `until`
 * (gos__clock_ns), when it is killed. Calls `meanwhile` every few milliseconds. 0: nothing, or it cannot be run. */
size_t gos__helper_run(char *const *argv, char *to, size_t room, int64_t until, void (*meanwhile)(void));

/* ---- limits (limits.c) ---- */

/* Bytes that all of this process may come to use: a share of the smaller of RAM and cgroup limit. */
int64_t gos__memory_limit(int percent);

/* The CPU time that control groups allow this process, in CPUs, rounded up; INT64_MAX: any. `cgroups`: where they are
 * mounted; `membership`: what /proc/self/cgroup says. */
int64_t gos__cpu_quota(const char *cgroups, const char *membership);

/* Resident bytes of this process now; 0 when /proc is not there. Takes a descriptor for a moment. */
int64_t gos__memory_resident(void);

/* The most that they ever were, or more; without a descriptor. */
int64_t gos__memory_peak(void);

/* Address space still allowed by RLIMIT_AS; INT64_MAX without a limit. */
int64_t gos__address_space_left(void);

/* ---- waiting (futex.c) ---- */

/* Sleeps while *word == expected, until woken, at most until `deadline` (gos__clock_ns; INT64_MAX: for ever). May
 * return early. */
void gos__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline);

/* The same until the word is another (false: the time of that clock is over; NULL: none). A cancellation point. */
bool gos__futex_wait_until(uint32_t *word, uint32_t expected, clockid_t clock, const struct timespec *until);
void gos__futex_wake(uint32_t *word, int count);

/* How late the kernel may wake the calling thread from a timed wait, to save power; returns the former value; 0,
 * the kernel's default, if it does not tell. That default of 50 us is longer than the waits here. */
int64_t gos__timer_slack(int64_t ns);

/* The kernel's number of the calling thread. */
int32_t gos__thread_id(void);

/* ---- other threads (blocked.c): asked by one thread at a time ---- */

/* Whether that thread of this process is blocked in the kernel now, in a system call or on a page fault: 1 or 0; -1:
 * /proc does not tell. *fd: kept for the next time; -1: nothing yet, or nothing to keep. */
int gos__thread_blocked(int32_t tid, int32_t *fd);
void gos__thread_forget(int32_t *fd);

/* Whether what is kept are descriptors of the program's. */
bool gos__thread_fds_are_ours(void);

/* Whether the process has one more thread for it. */
bool gos__onlooker_is_there(void);

/* At the end of a run; and in a child process. */
void gos__onlooker_end(void);
void gos__onlooker_forked(void);

/* ---- of the calling thread, and time (futex.c) ---- */

/* The signals that the calling thread blocks, a bit each. */
uint64_t gos__signal_mask(void);

/* Blocks them all and returns that; and sets it again. */
uint64_t gos__signals_block(void);
void gos__signals_restore(uint64_t mask);

/* The system call: 0 or -errno. */
long gos__close_range(unsigned first, unsigned last, int flags);

/* Gives the descriptor a number from GOS_HIGH_FD on, if it can. */
int gos__fd_high(int fd);

/* Before the process has more threads: the kernel makes its table so large that this is quick later. With several
 * threads it waits for all processors, 10 ms and more, before it uses a larger table. */
void gos__fd_room(void);
void gos__fd_close(int fd);

/* Processor time of that thread in nanoseconds, 0 when it is not to be had; without a descriptor. */
int64_t gos__thread_cpu_ns(int32_t tid);

/* Ends the use of the calling thread without ending it: what it holds may be in use by others. */
_Noreturn void gos__sleep_for_ever(void);

/* Monotonic nanoseconds. */
int64_t gos__clock_ns(void);

/* ---- fences (membarrier.c) ---- */

/* After it returns, every other thread of the process has passed a full memory fence since the call. The partner of
 * a compiler fence on a hot path. */
void gos__membarrier(void);

/* In a child process, before the first. */
void gos__membarrier_forked(void);

/* False when the kernel refuses membarrier(2): gos__membarrier then costs some microseconds for each CPU. */
bool gos__membarrier_works(void);

/* ---- signal handlers under thread sanitizer ---- */

/* It puts a handler off until its thread, or the task that the thread was on, next calls a function of libc that it
 * knows, and takes a sleep by number for none, nor for one that a handler ends. So who sleeps calls one after each
 * turn; a signal that came just before the sleep waits for one. */
#if GOS_TSAN
int64_t gos__sleep_turn(int64_t deadline);
void gos__run_handlers(void);
#else
static inline int64_t gos__sleep_turn(int64_t deadline)
{
    return deadline;
}
static inline void gos__run_handlers(void)
{
}
#endif

/* ---- readiness of descriptors (poll.c) ---- */

typedef struct gos__poll {
    int fd;   /* of epoll; -1: none */
    int bell; /* an eventfd */
} gos__poll;

/* The kernel's struct epoll_event. */
#if defined(__x86_64__)
#define GOS_POLL_PACKED __attribute__((packed))
#else
#define GOS_POLL_PACKED
#endif
typedef struct GOS_POLL_PACKED gos__poll_event {
    uint32_t events;
    uint64_t tag;
} gos__poll_event;

enum {
    GOS_POLL_IN = 1,
    GOS_POLL_OUT = 4,
    GOS_POLL_ALWAYS = 0x18,  /* error, hang-up: reported unasked */
    GOS_POLL_ENDS = 0x2000,  /* the peer writes no more */
    GOS_POLL_ONCE = 1 << 30, /* one report, then none until it is armed again */
};
#define GOS_POLL_EDGE (1u << 31) /* a report for each thing that happens */
#define GOS_POLL_BELL UINT64_MAX /* the bell's tag */

int gos__poll_open(gos__poll *poll);
void gos__poll_close(gos__poll *poll);

/* Asks for reports of `events` on fd, with this tag. *was_known: whether an earlier call for the same open
 * file is likely; afterwards, whether there was one. -EPERM: a file that is always ready; -EBADF; -ENOMEM, -ENOSPC. */
int gos__poll_arm(const gos__poll *poll, int fd, uint32_t events, uint64_t tag, bool *was_known);
void gos__poll_forget(const gos__poll *poll, int fd);

/* Whether a read of fd does not wait, or fd is no open file. */
bool gos__fd_is_nonblocking(int fd);
bool gos__fd_is_tcp(int fd);
bool gos__fd_is_ready(int fd, uint32_t events);

/* What there is to report, at most `room`; waits for it until `deadline` (0: not at all, INT64_MAX: for ever). Only
 * a call that waits hears the bell and silences it, and is ended by it. May return early. */
int gos__poll_wait(const gos__poll *poll, gos__poll_event *events, int room, int64_t deadline);
void gos__poll_ring(const gos__poll *poll);

/* Whether the kernel has refused to wait by the nanosecond (epoll_pwait2, Linux 5.11), so that waits end by the ms. */
bool gos__poll_is_coarse(void);

/* ---- processors (cpus.c, by hwloc) ---- */

/* Asks hwloc, once a process and for some milliseconds; the functions below do so when it was not done. hwloc has a
 * lock of its own, which a child that is forked meanwhile would find held for ever: a fork has to be waited out. */
void gos__cpus_read(void);

/* CPUs this process may use: affinity, cpuset and the cgroup's CPU quota considered; at least 1. */
int gos__cpu_count(void);

/* Binds a thread of this process to the index-th of those CPUs, neighbours in the topology adjacent; nothing when there
 * are fewer. */
void gos__cpu_bind(int32_t tid, int index);

/* Starts a thread where gos__cpu_bind(index) would put it; -1: anywhere. The kernel places a new thread by a guess, and
 * one that it puts behind a busy thread waits there for as long as a tick or two. 0 or an errno. */
int gos__thread_create(pthread_t *thread, int index, void *(*fn)(void *), void *arg);

/* ---- faults (fault.c) ---- */

/* Calls `explain` (on the signal stack) with the faulting address before a SIGSEGV or SIGBUS takes its course: the
 * former action, which by default ends the process by that signal. */
void gos__fault_install(void (*explain)(void *address));
void gos__fault_restore(void);

/* Gives SA_ONSTACK to every handler that lacks it (libc.c sees to those that are installed later). */
void gos__handlers_to_signal_stacks(void);

/* Makes [base, base + size) the calling thread's signal stack; NULL: none. */
void gos__signal_stack(void *base, size_t size);
size_t gos__signal_stack_size(void);

#endif
