/* In a child process, too, a dump tells how long a task has waited. Several children, since often the monitor has seen
 * the clock before the task notes when its wait began. */
// not-with: emulator (qemu 7 ends in a child process that starts threads)
// not-with: address thread (a child of threads has their locks as they were, or may start none)
#include <gossamer.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { CHILDREN = 8 };

static char text[10000];

/* Its runtime has begun, which it does with threads of its own. */
static bool has_threads(pid_t child)
{
    char path[40];
    struct stat tasks;
    snprintf(path, sizeof path, "/proc/%d/task", (int)child);
    return !stat(path, &tasks) && tasks.st_nlink > 3; /* a folder each, and two */
}

/* What the child has written of its main task, when there is all of it. */
static const char *line_of_main(int fd, pid_t child)
{
    for (;;) {
        CHECK_EQ(waitpid(child, NULL, WNOHANG), 0); /* it goes on */
        ssize_t length = pread(fd, text, sizeof text - 1, 0);
        CHECK(length >= 0);
        text[length] = 0;
        const char *line = strstr(text, "[descriptor");
        if (line && strchr(line, '\n'))
            return line;
        gos_sleep(1000000);
    }
}

static void check_age(int fd, pid_t child)
{
    const char *line = line_of_main(fd, child);
    fputs(text, stderr); /* shown on failure */
    CHECK(!strncmp(line, "[descriptor, ", 13));
    char *unit;
    long age = strtol(line + 13, &unit, 10);
    CHECK(age >= 1 && age < 60 && !strncmp(unit, " s]", 3));
}

static int run(void *unused)
{
    FILE *files[CHILDREN];
    pid_t children[CHILDREN];
    (void)unused;
    for (int i = 0; i < CHILDREN; i++) {
        files[i] = tmpfile();
        CHECK(files[i] != NULL);
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (!children[i]) {
            dup2(fileno(files[i]), 2);
            alarm(200);
            pause(); /* with which its runtime begins */
            _exit(1);
        }
    }
    for (int i = 0; i < CHILDREN; i++)
        while (!has_threads(children[i]))
            gos_sleep(1000000);
    gos_sleep(3000000000);
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQ(kill(children[i], SIGQUIT), 0);
        check_age(fileno(files[i]), children[i]);
        CHECK(!kill(children[i], SIGKILL) && waitpid(children[i], NULL, 0) == children[i]);
    }
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
