/*
 * userfault.c: pages that are put back when somebody touches them: userfaultfd(2) in its full mode, in which system
 * calls wait as well. Descriptors by number throughout: the interposed calls would look for tasks that wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

/* Linux 6.8; not yet in Debian 12's headers. */
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
struct uffdio_move {
    __u64 dst, src, len, mode;
    __s64 move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* Without a privilege the system call refuses the full mode, but the device may be open to this user. */
static int open_either(void)
{
    int flags = O_CLOEXEC | O_NONBLOCK;
    int fd = (int)syscall(SYS_userfaultfd, flags);
    if (fd >= 0)
        return fd;
    int why = errno, device = (int)syscall(SYS_openat, AT_FDCWD, "/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0)
        return -why;
    fd = ioctl(device, USERFAULTFD_IOC_NEW, flags);
    why = errno;
    syscall(SYS_close, device);
    return fd < 0 ? -why : fd;
}

int gos__userfault_open(gos__userfault *faults)
{
    faults->bell = -1;
    faults->fd = open_either();
    if (faults->fd < 0)
        return faults->fd;
    faults->fd = gos__fd_high(faults->fd);
    struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MOVE };
    int why = ioctl(faults->fd, UFFDIO_API, &api) ? EOPNOTSUPP : 0;
    if (!why) {
        faults->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        why = faults->bell < 0 ? errno : 0;
    }
    if (why)
        gos__userfault_close(faults);
    else
        faults->bell = gos__fd_high(faults->bell);
    return -why;
}

void gos__userfault_close(gos__userfault *faults)
{
    if (faults->bell >= 0)
        syscall(SYS_close, faults->bell);
    if (faults->fd >= 0)
        syscall(SYS_close, faults->fd);
    faults->fd = faults->bell = -1;
}

int gos__userfault_watch(const gos__userfault *faults, void *start, size_t size)
{
    struct uffdio_register watch = {
        .range = { .start = (uintptr_t)start, .len = size }, .mode = UFFDIO_REGISTER_MODE_MISSING
    };
    return ioctl(faults->fd, UFFDIO_REGISTER, &watch) ? -errno : 0;
}

void gos__userfault_ring(const gos__userfault *faults)
{
    uint64_t one = 1;
    syscall(SYS_write, faults->bell, &one, sizeof one);
}

/* Where the kernel cannot wait for either, for want of memory: a look at the bell every millisecond. */
#define REFUSED_NS 1000000

static bool bell_rang(const gos__userfault *faults)
{
    uint32_t nobody = 0;
    uint64_t times;
    gos__futex_wait(&nobody, 0, gos__clock_ns() + REFUSED_NS);
    return syscall(SYS_read, faults->bell, &times, sizeof times) == (long)sizeof times;
}

bool gos__userfault_wait(const gos__userfault *faults, int64_t deadline)
{
    struct pollfd both[2] = { { .fd = faults->fd, .events = POLLIN }, { .fd = faults->bell, .events = POLLIN } };
    struct timespec left = { .tv_sec = 0 };
    int64_t ns = deadline == INT64_MAX ? 0 : deadline - gos__clock_ns();
    if (ns > 0)
        left = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    if (syscall(SYS_ppoll, both, 2, deadline == INT64_MAX ? NULL : &left, NULL, 0) < 0 && errno != EINTR)
        return bell_rang(faults);
    if (both[0].revents & POLLNVAL)
        gos__die("fatal error: the program has closed descriptor %d, by which packed task stacks are put back",
                 faults->fd);
    return both[1].revents;
}

int gos__userfault_read(const gos__userfault *faults, uintptr_t *pages, int room)
{
    struct uffd_msg messages[16];
    int most = (int)(sizeof messages / sizeof *messages), n = 0;
    long bytes = syscall(SYS_read, faults->fd, messages, (size_t)(room < most ? room : most) * sizeof *messages);
    for (long i = 0; i < bytes / (long)sizeof *messages; i++)
        if (messages[i].event == UFFD_EVENT_PAGEFAULT)
            pages[n++] = messages[i].arg.pagefault.address & ~(uintptr_t)(gos__vm_page_size() - 1);
    return n;
}

int gos__userfault_put(const gos__userfault *faults, void *to, const void *from, size_t size)
{
    struct uffdio_copy copy = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = size };
    if (!ioctl(faults->fd, UFFDIO_COPY, &copy))
        return 0;
    int why = errno;
    if (copy.copy > 0) /* a part of it; who waits for that was woken */
        return gos__userfault_put(faults, (char *)to + copy.copy, (const char *)from + copy.copy,
                                  size - (size_t)copy.copy);
    return -why;
}

int gos__userfault_put_zeros(const gos__userfault *faults, void *page)
{
    struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)page, .len = gos__vm_page_size() } };
    return ioctl(faults->fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

void gos__userfault_wake(const gos__userfault *faults, void *page)
{
    struct uffdio_range range = { .start = (uintptr_t)page, .len = gos__vm_page_size() };
    ioctl(faults->fd, UFFDIO_WAKE, &range);
}

size_t gos__userfault_move(const gos__userfault *faults, void *to, void *from, size_t size, int *why)
{
    struct uffdio_move move = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = size };
    *why = ioctl(faults->fd, UFFDIO_MOVE, &move) ? -errno : 0;
    return !*why ? size : move.move > 0 ? (size_t)move.move : 0;
}
