/* The same calls from threads that are no tasks are the system calls: they block, may be cancelled, and wake tasks. */
#include <gossamer.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/cancelled.h"
#include "tests/test.h"

static int to[2], from[2];

static void *answer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        int number;
        CHECK_EQ(read(to[0], &number, sizeof number), sizeof number);
        number++;
        CHECK_EQ(write(from[1], &number, sizeof number), sizeof number);
    }
    struct pollfd fd = { .fd = to[0], .events = POLLIN };
    CHECK_EQ(poll(&fd, 1, 5), 0);
    char byte;
    CHECK(read(-1, &byte, 1) == -1 && errno == EBADF);
    CHECK_EQ(usleep(1000), 0);
    return NULL;
}

static void *block(void *arg)
{
    char byte;
    read(*(int *)arg, &byte, 1);
    CHECK(!"cancelled before");
    return NULL;
}

static void close_it(int *fd)
{
    usleep(5000);
    CHECK_EQ(close(*fd), 0);
}

static void *close_later(void *arg)
{
    close_it(arg);
    return NULL;
}

static int run(void *arg)
{
    (void)arg;
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, answer, NULL));
    for (int i = 0; i < 1000; i++) {
        int number = i;
        CHECK_EQ(write(to[1], &number, sizeof number), sizeof number);
        CHECK_EQ(read(from[0], &number, sizeof number), sizeof number);
        CHECK_EQ(number, i + 1);
    }
    pthread_join(thread, NULL);

    CHECK(!pthread_create(&thread, NULL, block, &to[0]));
    usleep(5000);
    CHECK(!pthread_cancel(thread));
    void *result;
    CHECK(!pthread_join(thread, &result) && result == PTHREAD_CANCELED);

    /* A thread that closes what a task waits for ends the wait. */
    CHECK(!pthread_create(&thread, NULL, close_later, &from[0]));
    char byte;
    CHECK(read(from[0], &byte, 1) == -1 && errno == EBADF);
    pthread_join(thread, NULL);
    return 0;
}

int main(void)
{
    CHECK(!pipe(to) && !pipe(from));
    CHECK_EQ(write(to[1], "x", 1), 1); /* before any run */
    char byte;
    CHECK_EQ(read(to[0], &byte, 1), 1);
    int64_t before = gos_now();
    CHECK_EQ(nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL), 0);
    CHECK(gos_now() - before >= 2000000);
    int status = gos_run(run, NULL);
    CHECK(read(-1, &byte, 1) == -1 && errno == EBADF);
    return status;
}
