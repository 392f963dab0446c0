/*
 * Calls that nobody told the runtime of, deep inside libraries: one worker, a task in such a call, and the main task,
 * which alone can end the call, goes on all the same.
 */
// also: paged
// env: GOS_PROCS=1
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <threads.h>

#include "tests/test.h"

static int stage; /* 1: about to block; 2: came back */

static void set_stage(int to)
{
    __atomic_store_n(&stage, to, __ATOMIC_RELEASE);
}

static void await_stage(int which)
{
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < which)
        gos_yield();
}

/* ---- a lock inside the C library, which is no pthread_mutex_lock that the program or a library calls ---- */

static mtx_t lock;

static void take_lock(void *unused)
{
    (void)unused;
    set_stage(1);
    CHECK_EQ(mtx_lock(&lock), thrd_success);
    CHECK_EQ(mtx_unlock(&lock), thrd_success);
    set_stage(2);
}

static void inside_a_lock(void)
{
    CHECK_EQ(mtx_init(&lock, mtx_plain), thrd_success);
    CHECK_EQ(mtx_lock(&lock), thrd_success);
    CHECK_EQ(gos_go(take_lock, NULL), 0);
    await_stage(1);
    CHECK_EQ(mtx_unlock(&lock), thrd_success);
    await_stage(2);
}

/* ---- a page that somebody else has to bring ---- */

enum { PAGE = 4096 };

static volatile char *page;

static void touch(void *unused)
{
    (void)unused;
    set_stage(1);
    CHECK_EQ(page[1], 'p');
    set_stage(2);
}

/* False: the kernel has none, or not for us. */
static bool slow_mapping(int *faults)
{
    *faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    struct uffdio_api api = { .api = UFFD_API };
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = { .range = { (uintptr_t)page, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
    return *faults >= 0 && page != MAP_FAILED && !ioctl(*faults, UFFDIO_API, &api) &&
           !ioctl(*faults, UFFDIO_REGISTER, &range);
}

static void inside_a_fault(void)
{
    int faults;
    static char content[PAGE] = "pp";
    if (!slow_mapping(&faults)) {
        printf("no userfaultfd here: the page fault is left out\n");
        return;
    }
    CHECK_EQ(gos_go(touch, NULL), 0);
    await_stage(1);
    struct uffd_msg message;
    while (read(faults, &message, sizeof message) != sizeof message)
        gos_yield();
    CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
    struct uffdio_copy copy = { .dst = (uintptr_t)page, .src = (uintptr_t)content, .len = PAGE };
    CHECK_EQ(ioctl(faults, UFFDIO_COPY, &copy), 0);
    await_stage(2);
    close(faults);
}

/* ---- getaddrinfo, which waits for the answer of a name server ---- */

static struct sockaddr_in server_address;

static void ask(void *unused)
{
    (void)unused;
    struct addrinfo *found = NULL;
    CHECK_EQ(res_init(), 0);
    _res.nsaddr_list[0] = server_address;
    _res.nscount = 1;
    _res.retrans = 30;
    _res.options |= RES_INIT;
    set_stage(1);
    CHECK(getaddrinfo("nobody.has.this.name.invalid", "80", NULL, &found) != 0);
    set_stage(2);
}

/* "There is no such name", to each question; false: none came. */
static bool answer_one(int server)
{
    unsigned char packet[600];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(server, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (n < 12)
        return false;
    packet[2] |= 0x80;
    packet[3] = (unsigned char)((packet[3] & 0xf0) | 3);
    CHECK_EQ(sendto(server, packet, (size_t)n, 0, (struct sockaddr *)&from, size), n);
    return true;
}

static void inside_getaddrinfo(void)
{
    socklen_t size = sizeof server_address;
    server_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int server = socket(AF_INET, SOCK_DGRAM, 0), questions = 0;
    CHECK_EQ(bind(server, (struct sockaddr *)&server_address, size), 0);
    CHECK_EQ(getsockname(server, (struct sockaddr *)&server_address, &size), 0);
    CHECK_EQ(gos_go(ask, NULL), 0);
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) < 2) {
        questions += answer_one(server);
        gos_yield();
    }
    printf("%d questions for a name server\n", questions); /* none where names come from files alone */
    close(server);
}

/* ---- fsync of a real file: how long is the disk's affair, so what counts is that all of it is done ---- */

enum { RECORDS = 40 };

static char path[] = "/var/tmp/gos-fsync-XXXXXX";

static void write_through(void *unused)
{
    (void)unused;
    int fd = mkstemp(path), error = 0;
    CHECK(fd >= 0);
    set_stage(1);
    for (int i = 0; i < RECORDS; i++) {
        CHECK_EQ(write(fd, &i, sizeof i), sizeof i);
        error |= i % 2 ? fsync(fd) : fdatasync(fd);
    }
    CHECK_EQ(error, 0);
    for (int i = 0, found; i < RECORDS; i++)
        CHECK(pread(fd, &found, sizeof found, i * (off_t)sizeof found) == sizeof found && found == i);
    close(fd);
    unlink(path);
    set_stage(2);
}

static void inside_fsync(void)
{
    gos_stats before, after;
    CHECK_EQ(gos_stats_read(&before), 0);
    CHECK_EQ(gos_go(write_through, NULL), 0);
    await_stage(2);
    CHECK_EQ(gos_stats_read(&after), 0);
    printf("%d times fsync, %lld hand-offs\n", RECORDS, (long long)(after.handoffs - before.handoffs));
}

static int run(void *unused)
{
    (void)unused;
    static void (*const waits[])(void) = { inside_a_lock, inside_a_fault, inside_getaddrinfo, inside_fsync };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        stage = 0;
        waits[i]();
    }
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
