/* poll.c: readiness of descriptors: an epoll instance, and an eventfd in it that ends a wait from outside. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/check.h"
#include "os/os.h"

_Static_assert(sizeof(gos__poll_event) == sizeof(struct epoll_event), "event: size");
_Static_assert(offsetof(gos__poll_event, tag) == offsetof(struct epoll_event, data), "event: tag");
_Static_assert(GOS_POLL_IN == (int)EPOLLIN && GOS_POLL_OUT == (int)EPOLLOUT, "event: bits");
_Static_assert(GOS_POLL_ENDS == (int)EPOLLRDHUP && GOS_POLL_ONCE == (int)EPOLLONESHOT, "event: bits");
_Static_assert(GOS_POLL_EDGE == (unsigned)EPOLLET, "event: bits");
_Static_assert(GOS_POLL_ALWAYS == (int)(EPOLLERR | EPOLLHUP), "event: bits that come unasked");

int gos__poll_open(gos__poll *poll)
{
    /* By number, as they are closed: futex.c says why. */
    int fd = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
    int bell = fd < 0 ? -1 : (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = GOS_POLL_BELL };
    if (bell < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, bell, &event)) {
        int error = errno;
        gos__poll_close(&(gos__poll){ .fd = fd, .bell = bell });
        return -error;
    }
    *poll = (gos__poll){ .fd = gos__fd_high(fd), .bell = gos__fd_high(bell) };
    return 0;
}

/* By number: the interposed close would look for tasks that wait. */
void gos__poll_close(gos__poll *poll)
{
    if (poll->bell >= 0)
        syscall(SYS_close, poll->bell);
    if (poll->fd >= 0)
        syscall(SYS_close, poll->fd);
    *poll = (gos__poll){ .fd = -1, .bell = -1 };
}

/* A call for the runtime's own descriptor `fd` failed: with what it does when the program has closed or replaced it? */
static void require_own(int fd)
{
    if (errno != EBADF && errno != EINVAL)
        return;
    gos__fatal("the program has closed descriptor %d, which is the runtime's: close what is yours, or all by "
               "close_range or closefrom, which know it", fd);
}

int gos__poll_arm(const gos__poll *poll, int fd, uint32_t events, uint64_t tag, bool *was_known)
{
    struct epoll_event event = { .events = events, .data.u64 = tag };
    bool known = *was_known;
    int failed = epoll_ctl(poll->fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (failed && errno == (known ? ENOENT : EEXIST)) {
        known = !known;
        failed = epoll_ctl(poll->fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    }
    *was_known = known;
    if (failed && (errno == EINVAL || (errno == EBADF && syscall(SYS_fcntl, fd, F_GETFD) >= 0)))
        require_own(poll->fd);
    return failed ? -errno : 0;
}

void gos__poll_forget(const gos__poll *poll, int fd)
{
    struct epoll_event unused = { .events = 0 };
    epoll_ctl(poll->fd, EPOLL_CTL_DEL, fd, &unused);
}

bool gos__fd_is_nonblocking(int fd)
{
    long flags = syscall(SYS_fcntl, fd, F_GETFL);
    return flags < 0 || flags & O_NONBLOCK;
}

bool gos__fd_is_ready(int fd, uint32_t events)
{
    struct pollfd poll = { .fd = fd, .events = (short)events };
    return syscall(SYS_ppoll, &poll, 1, &(struct timespec){ .tv_sec = 0 }, NULL, 0) > 0;
}

bool gos__fd_is_tcp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) && protocol == IPPROTO_TCP;
}

void gos__poll_ring(const gos__poll *poll)
{
    static const uint64_t one = 1;
    if (syscall(SYS_write, poll->bell, &one, sizeof one) < 0)
        require_own(poll->bell);
}

/* Rounded up to milliseconds, where the kernel has no epoll_pwait2 (before 5.11). */
static int wait_ms(const gos__poll *poll, gos__poll_event *events, int room, int64_t ns)
{
    int64_t ms = ns == INT64_MAX ? -1 : ns / 1000000 + (ns % 1000000 != 0);
    return (int)syscall(SYS_epoll_pwait, poll->fd, events, room, ms > 1000000 ? 1000000 : (int)ms, NULL, 0);
}

static uint32_t is_coarse; /* a hint: set once the kernel refused */

bool gos__poll_is_coarse(void)
{
    return gos__load_relaxed(&is_coarse);
}

static int wait_ns(const gos__poll *poll, gos__poll_event *events, int room, int64_t ns)
{
    if (!ns || gos__poll_is_coarse())
        return wait_ms(poll, events, room, ns);
    struct timespec time = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    int n = (int)syscall(SYS_epoll_pwait2, poll->fd, events, room, ns == INT64_MAX ? NULL : &time, NULL, 0);
    if (n < 0 && (errno == ENOSYS || errno == EPERM)) { /* EPERM: a seccomp filter that does not know it */
        gos__store_relaxed(&is_coarse, 1u);
        n = wait_ms(poll, events, room, ns);
    }
    return n;
}

int gos__poll_wait(const gos__poll *poll, gos__poll_event *events, int room, int64_t deadline)
{
    int64_t ns, turn;
    int n;
    do {
        ns = turn = gos__sleep_turn(deadline);
        if (turn && turn != INT64_MAX) {
            ns = turn - gos__clock_ns();
            ns = ns > 0 ? ns : 0;
        }
        n = wait_ns(poll, events, room, ns);
        gos__run_handlers();
    } while (!n && turn != deadline);
    if (n < 0 && poll->fd >= 0)
        require_own(poll->fd);
    for (int i = 0; ns && i < n; i++) {
        uint64_t count;
        if (events[i].tag == GOS_POLL_BELL && syscall(SYS_read, poll->bell, &count, sizeof count) < 0)
            continue; /* rung once, read by somebody before */
    }
    return n > 0 ? n : 0;
}
