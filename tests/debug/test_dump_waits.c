/* What a dump starts to find files and lines is no child that the program's waits see, and its end is no SIGCHLD; nor
 * does it keep the program's descriptors. */
// not-with: emulator (to qemu 7 a clone with the parent's memory is a fork)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/debug/dumped.h"

static _Atomic int ended, is_over;

static void child_ended(int number)
{
    (void)number;
    ended++;
}

static void *wait_all_the_time(void *looks)
{
    while (!is_over) {
        errno = 0;
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
        CHECK_EQ(errno, ECHILD);
        ++*(long *)looks;
    }
    return NULL;
}

static int dumps(void *unused)
{
    (void)unused;
    pthread_t waiter;
    long looks = 0;
    CHECK_EQ(pthread_create(&waiter, NULL, wait_all_the_time, &looks), 0);
    for (int i = 0; i < 3; i++) {
        char *text = dumped(), *at = text;
        line_with(&at, "gossamer: 1 tasks");
        free(text);
    }
    is_over = 1;
    CHECK_EQ(pthread_join(waiter, NULL), 0);
    CHECK(looks > 0);
    CHECK_EQ(ended, 0);
    return 0;
}

/* Without standard descriptors, whose numbers its own then have. */
static int dumps_bare(void *unused)
{
    (void)unused;
    FILE *file = tmpfile();
    CHECK(file != NULL);
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = dup(i);
        close(i);
    }
    gos_dump(fileno(file));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(dup2(kept[i], i), i);
        close(kept[i]);
    }
    char text[4096] = "", *at = text;
    rewind(file);
    CHECK(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    fputs(text, stderr);
    line_with(&at, "dumps_bare at ");
    return 0;
}

int main(void)
{
    struct sigaction how = { .sa_handler = child_ended };
    CHECK_EQ(sigaction(SIGCHLD, &how, NULL), 0);
    CHECK_EQ(gos_run(dumps, NULL), 0);
    CHECK_EQ(gos_run(dumps_bare, NULL), 0);
    CHECK_EQ(ended, 0);
    return 0;
}
