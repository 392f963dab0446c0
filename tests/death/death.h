/* death.h: runs something that must end the program, in a child, and looks at how it ended and what it said. */
#ifndef TEST_DEATH_H
#define TEST_DEATH_H

#include <fnmatch.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/test.h"

enum { AT_MOST_MS = 50000 }; /* it must not hang */

static int64_t death_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void death_child(int err, void (*fn)(void *), void *arg)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    alarm(AT_MOST_MS / 1000);
    dup2(err, 2);
    fn(arg);
    _exit(0);
}

static void death_compare(char *line, const char *const said[])
{
    int any = 0; /* "..." was met, and what follows it was not yet */
    for (int i = 0; said[i];) {
        if (!strcmp(said[i], "...")) {
            any = 1;
            i++;
            continue;
        }
        char *end = strchr(line, '\n');
        CHECK(end != NULL);
        *end = 0;
        int matches = !fnmatch(said[i], line, 0);
        CHECK(matches || any);
        i += matches;
        any = any && !matches;
        line = end + 1;
    }
    if (!any)
        CHECK_STR(line, "");
}

/* fn(arg) ends the program by `signal`, or with `status` when that is 0, and writes exactly the lines that `said`
 * holds as shell patterns; NULL ends them. "..." stands for any number of lines. */
static void expect_death(const char *name, void (*fn)(void *), void *arg, int signal, int status,
                         const char *const said[])
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    int64_t start = death_now_ms();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        death_child(fds[1], fn, arg);
    close(fds[1]);
    char text[16384];
    size_t length = 0;
    for (ssize_t n; (n = read(fds[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = 0;
    close(fds[0]);
    char *emulator = strstr(text, "qemu: uncaught target signal "); /* what it has to say, last of all */
    if (emulator)
        *emulator = 0;
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    fprintf(stderr, "%s: %lld ms\n%s", name, (long long)(death_now_ms() - start), text); /* shown on failure */
    CHECK_EQ(WIFSIGNALED(how) ? WTERMSIG(how) : 0, signal);
    if (!signal)
        CHECK_EQ(WEXITSTATUS(how), status);

    death_compare(text, said);
}

#endif
