/* Numbers of descriptors: a program gets the lowest free one although the runtime looks at its threads; and what closes
 * a number, or puts another file under it, ends the waits for it. */
// also: paged
// env: GOS_PROCS=2
// timeout: 120
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/config.h"
#include "os/os.h"
#include "tests/parked.h"
#include "tests/test.h"

enum { LOOKS = 20000, READERS = 8 };

static gos_waitgroup all;
static int stop, ended;

/* Blocks its thread for longer than the monitor ever pauses, so that it has something to find out. */
static void block_often(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        syscall(SYS_nanosleep, &(struct timespec){ .tv_nsec = 3000000 }, NULL);
        gos_yield();
    }
    gos_waitgroup_done(&all);
}

static int disturbances(void)
{
    int lowest = dup(0), count = 0;
    close(lowest);
    for (int i = 0; i < LOOKS; i++) {
        int fd = dup(0);
        count += fd != lowest;
        close(fd);
        if (i % 64 == 0)
            gos_yield();
    }
    return count;
}

static void lowest_numbers(void)
{
    gos_waitgroup_add(&all, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(gos_go(block_often, NULL), 0);
    int count = 0;
    gos_stats stats = { .handoffs = 0 };
    while (!stats.handoffs) {
        count += disturbances();
        CHECK_EQ(gos_stats_read(&stats), 0);
    }
    bool looks_itself = gos__thread_fds_are_ours();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    gos_waitgroup_wait(&all);
    printf("%d times disturbed, %lld hand-offs\n", count, (long long)stats.handoffs);
    if (looks_itself)
        printf("the system refuses a thread with a table of its own: nothing is promised\n");
    else
        CHECK_EQ(count, 0);
}

static void read_until_gone(void *arg)
{
    char byte;
    ssize_t got = read(*(int *)arg, &byte, 1);
    CHECK_EQ(got, -1);
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&all);
}

static void park_readers(int *fd)
{
    ended = 0;
    gos_waitgroup_add(&all, READERS);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(gos_go(read_until_gone, fd), 0);
    await_parked(*fd, READERS);
    CHECK_EQ(__atomic_load_n(&ended, __ATOMIC_RELAXED), 0);
}

static void read_one(void *arg)
{
    char byte = 0;
    CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
    CHECK_EQ(byte, 'n');
    gos_waitgroup_done(&all);
}

/* The number serves for another file at once: its reader gets that one's bytes. */
static void reader_of_the_new(int *number, int writer)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(read_one, number), 0);
    await_parked(*number, 1);
    CHECK_EQ(write(writer, "n", 1), 1);
    gos_waitgroup_wait(&all);
}

static void duplicated_over(int version)
{
    int old[2], new[2];
    CHECK(!pipe(old) && !socketpair(AF_UNIX, SOCK_STREAM, 0, new));
    park_readers(&old[0]);
    CHECK_EQ(version == 2 ? dup2(new[0], old[0]) : dup3(new[0], old[0], O_CLOEXEC), old[0]);
    /* They try again, as POSIX has it for who calls later: of the new file. None may get its bytes yet. */
    gos_waitgroup_wait(&all);
    reader_of_the_new(&old[0], new[1]);
    errno = 0;
    CHECK(dup2(-1, old[0]) == -1 && errno == EBADF); /* closes nothing */
    reader_of_the_new(&old[0], new[1]);
    close(old[0]), close(old[1]), close(new[0]), close(new[1]);
}

static void by_fclose(void)
{
    int fds[2], next[2];
    CHECK(!pipe(fds));
    park_readers(&fds[0]);
    FILE *in = fdopen(fds[0], "r");
    CHECK(in && !fclose(in));
    gos_waitgroup_wait(&all); /* nobody else has to ask for the number */
    CHECK(!pipe(next));
    reader_of_the_new(&next[0], next[1]);
    close(fds[1]), close(next[0]), close(next[1]);
}

static void by_range(bool from)
{
    int fds[2], pair[2];
    CHECK(!pipe(fds));
    int high = fcntl(fds[0], F_DUPFD, 500);
    CHECK(high >= 500);
    close(fds[0]);
    CHECK(!pipe(pair));
    park_readers(&high);
    CHECK_EQ(close_range((unsigned)high, (unsigned)high + 10, 4 /* CLOSE_RANGE_CLOEXEC */), 0);
    gos_sleep(1000000);
    CHECK_EQ(__atomic_load_n(&ended, __ATOMIC_RELAXED), 0);
    if (from)
        closefrom(high);
    else
        CHECK_EQ(close_range((unsigned)high, ~0u, 0), 0); /* the runtime's own are up there */
    gos_waitgroup_wait(&all);
    CHECK_EQ(fcntl(high, F_GETFD), -1);
    reader_of_the_new(&pair[0], pair[1]);
    close(fds[1]), close(pair[0]), close(pair[1]);
}

static int of_status(const char *what)
{
    char line[128];
    int value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file != NULL);
    while (value < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, what, strlen(what)))
            value = atoi(line + strlen(what));
    fclose(file);
    return value;
}

static bool was_alone;

/* Room for the runtime's own descriptors was made while that was quick: with more threads it takes the kernel 10 ms. */
static void table_is_large(void)
{
    if (was_alone)
        CHECK(of_status("FDSize:") > GOS_HIGH_FD);
}

static int run(void *arg)
{
    (void)arg;
    stop = 0;
    table_is_large();
    lowest_numbers();
    for (int i = 0; i < 20; i++) {
        duplicated_over(2);
        duplicated_over(3);
        by_fclose();
        by_range(false);
        by_range(true);
    }
    return 0;
}

int main(void)
{
    was_alone = of_status("Threads:") == 1;
    CHECK_EQ(gos_run(run, NULL), 0);
    return gos_run(run, NULL);
}
