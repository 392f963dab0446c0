/* wait.c: parking a call that would block, and trying again. */
#define _GNU_SOURCE 1 /* SPLICE_F_NONBLOCK */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/gossamer.h"
#include "io/io.h"

_Noreturn void __chk_fail(void); /* glibc's end of a program whose buffer is too small */

GOS_NOINLINE long gos__io_fail(long error)
{
    errno = (int)error;
    return -1;
}

GOS_NOINLINE _Noreturn void gos__io_overflow(void)
{
    __chk_fail();
}

int64_t gos__io_deadline(int64_t seconds, int64_t ns)
{
    int64_t now = gos_now();
    if (seconds >= (INT64_MAX - now) / 1000000000 - 1)
        return INT64_MAX;
    int64_t deadline;
    return __builtin_add_overflow(now + seconds * 1000000000, ns, &deadline) ? INT64_MAX : deadline;
}

int64_t gos__io_time_limit(int fd, int option)
{
    struct timeval limit = { .tv_sec = 0 };
    socklen_t size = sizeof limit;
    if (!option || GOS_SYS(getsockopt, fd, SOL_SOCKET, option, &limit, &size) || (!limit.tv_sec && !limit.tv_usec))
        return INT64_MAX;
    return limit.tv_sec < INT64_MAX / 1000000000 - 1 ? limit.tv_sec * 1000000000 + limit.tv_usec * 1000 : INT64_MAX;
}

/*
 * Whether a read does not wait for what poll waits for: a terminal's with VMIN 0 ends by VTIME or at once, and a FIFO's
 * gives 0 until the first writer comes, if it was opened with O_NONBLOCK. vmsplice tells who has no writer, but would
 * take the data that it finds: into what cannot be written it takes none.
 *
 * What was opened by name has O_LARGEFILE from the kernel. Pipes, eventfds and their like have no such flag and are
 * not asked, which each of their waits would pay for.
 */
static GOS_NOINLINE bool reads_at_once(int fd, long flags)
{
    static const char no_room;
    const struct iovec part = { .iov_base = (void *)(uintptr_t)&no_room, .iov_len = 1 };
    struct termios terminal;
    int number;
    if (!GOS_SYS(ioctl, fd, TCGETS, &terminal)) /* of a pseudoterminal's master the other end's */
        return !(terminal.c_lflag & ICANON) && !terminal.c_cc[VMIN] && GOS_SYS(ioctl, fd, TIOCGPTN, &number);
    return (flags & O_ACCMODE) == O_RDONLY && !GOS_SYS(vmsplice, fd, &part, 1, SPLICE_F_NONBLOCK);
}

/* What the descriptor itself says: whether it blocks, and for how long at most. As gos__io_park. */
static GOS_NOINLINE int ask(int fd, uint32_t events, int option, int64_t *limit)
{
    long flags = GOS_SYS(fcntl, fd, F_GETFL);
    if (flags < 0)
        return (int)flags;
    if (flags & O_NONBLOCK)
        return -EAGAIN;
    if ((flags & O_ACCMODE) == (events & GOS_POLL_OUT ? O_RDONLY : O_WRONLY))
        return 1; /* an error, which the call itself gives */
    if (!option && events & GOS_POLL_IN && flags & ~O_ACCMODE && reads_at_once(fd, flags))
        return 1;
    *limit = gos__io_time_limit(fd, option);
    return 0;
}

GOS_NOINLINE gos__io_signals gos__io_signals_now(enum gos__interrupts interrupts)
{
    return (gos__io_signals){ .interrupts = gos__is_main(gos__self.task) ? (uint8_t)interrupts : GOS_BY_NONE,
                              .any = gos__load_acquire(&gos__handled[GOS_BY_ANY]),
                              .unrestarted = gos__load_acquire(&gos__handled[GOS_BY_UNRESTARTED]) };
}

static void heed(gos__fd_wait *wait, const gos__io_signals *signals, bool any)
{
    wait->interrupts = any && signals->interrupts ? GOS_BY_ANY : signals->interrupts;
    wait->seen = wait->interrupts == GOS_BY_ANY ? signals->any : signals->unrestarted;
}

GOS_NOINLINE int gos__io_park(int fd, uint32_t events, int option, int64_t *deadline, const gos__fd_look *look,
                              const gos__io_signals *signals)
{
    gos__fd_record record = { .fd = fd, .events = events };
    gos__fd_wait wait = { .records = &record, .n = 1, .look = look };
    bool reads = look && events == GOS_POLL_IN, trusts = reads && gos__fd_trusts(look);
    if (trusts) {
        wait.limit = gos__load_relaxed(&look->slot->limit);
    } else if (reads || !*deadline) { /* again, when what was trusted turned out to be wrong */
        int error = ask(fd, events, option, &wait.limit);
        if (error)
            return error;
        wait.found_facts = reads;
    }
    if (!*deadline) {
        *deadline = wait.limit == INT64_MAX ? INT64_MAX : gos__io_deadline(0, wait.limit);
        wait.is_far = wait.limit >= 2 * GOS_FD_TRUST_NS;
    }
    wait.deadline = *deadline;
    heed(&wait, signals, *deadline != INT64_MAX); /* a call with a time limit is never begun again */
    int result = gos__fd_park(&wait);
    if (wait.timed || wait.interrupts)
        gos__fd_done(&wait);
    if (result == -ETIMEDOUT)
        return -EAGAIN;
    return !result || result == -EBADF || result == -EINTR ? result : 1;
}

GOS_NOINLINE int gos__io_park_on(struct pollfd *fds, nfds_t n, int64_t deadline, const gos__io_signals *signals)
{
    gos__fd_record one, *records = n == 1 ? &one : gos__fd_alloc(n);
    if (!records)
        return 1;
    gos__fd_wait wait = { .deadline = deadline, .records = records };
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].fd >= 0)
            records[wait.n++] = (gos__fd_record){ .fd = fds[i].fd, .events = (uint16_t)fds[i].events };
    heed(&wait, signals, false);
    int result = gos__fd_park(&wait);
    gos__fd_done(&wait);
    if (records != &one)
        gos__fd_free(records);
    return !result || result == -EBADF ? 0 : result == -ETIMEDOUT || result == -EINTR ? result : 1;
}

GOS_NOINLINE bool gos__io_is_ready(struct pollfd *now)
{
    return GOS_SYS(poll, now, 1, 0) > 0 && now->revents & (now->events | POLLHUP | POLLNVAL);
}

/* EAGAIN is not always the word of a call that would wait: datagrams after a shutdown, and a receiver that poll was not
 * asked about, have it though poll says ready. Only the call itself, when it may wait, then says what there is. Whether
 * this is such a one: it gave EAGAIN, has it again though poll said ready, and so once more: not only because somebody
 * else was quicker. Else *result is what it gave. */
static GOS_NOINLINE bool must_wait_inside(const gos__request *request, uint32_t events, long *result)
{
    struct pollfd now = { .fd = (int)request->arg[0], .events = (short)events };
    if (!gos__io_is_ready(&now))
        return false;
    *result = gos__io_make(request);
    return *result == -EAGAIN && gos__io_is_ready(&now);
}

GOS_NOINLINE long gos__io_again(gos__request *request, uint32_t events, int option, gos__fd_look *look,
                                int64_t *deadline)
{
    int64_t own = 0;
    int fd = (int)request->arg[0];
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    gos__fd_look now = look ? *look : gos__fd_look_at(fd);
    long result = look ? -EAGAIN : gos__io_make(request);
    bool woken = now.word & GOS_FD_ENDED; /* there may be no report any more */
    for (; result == -EAGAIN; woken = true) {
        if (woken && must_wait_inside(request, events, &result)) {
            request->arg[request->flags_at] &= ~(long)MSG_DONTWAIT;
            return gos__io_blocking(request);
        }
        if (result != -EAGAIN)
            break;
        result = gos__io_park(fd, events, option, deadline ? deadline : &own, &now, &signals);
        if (result < 0)
            return result;
        if (result)
            request->arg[request->flags_at] &= ~(long)MSG_DONTWAIT;
        now = gos__fd_look_at(fd);
        result = gos__io_make(request);
        if (!(request->arg[request->flags_at] & MSG_DONTWAIT))
            return result;
    }
    if (look)
        gos__fd_got(&now, result, (size_t)request->arg[2]);
    return result;
}

/* Between poll and the call another reader may be quicker: then the thread blocks, and its worker is handed on. */
GOS_NOINLINE long gos__io_polled(const gos__request *request, uint32_t events, int option)
{
    int64_t deadline = 0;
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    for (;;) {
        struct pollfd fd = { .fd = (int)request->arg[0], .events = (short)events };
        if (GOS_SYS(poll, &fd, 1, 0))
            break;
        int result = gos__io_park(fd.fd, events, option, &deadline, NULL, &signals);
        if (result == -EAGAIN && deadline)
            return result;
        if (result == 1)
            return gos__io_blocking(request);
        if (result == -EAGAIN) /* O_NONBLOCK: the call says so itself */
            break;
        if (result)
            return result;
    }
    return gos__io_make(request);
}
