/* GOS_DEBUG=contention: folded stacks of waits, in proportion to their length; a line where they cannot be written. */
// not-with: address thread (another task's frames are not to be read)
#define _GNU_SOURCE 1
#include <gossamer.h>

#include "tests/death/death.h"

static gos_mutex mutex;
static gos_waitgroup group;

static void competes(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        gos_mutex_lock(&mutex);
        gos_sleep(3000000);
        gos_mutex_unlock(&mutex);
    }
    gos_waitgroup_done(&group);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&group, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(gos_go(competes, NULL), 0);
    gos_waitgroup_wait(&group);
    return 0;
}

static void profiled(void *setting)
{
    putenv(setting);
    gos_run(run, NULL);
}

/* The microseconds of lines that begin with a function and end with a reason. */
static long total(const char *text, const char *begin, const char *end)
{
    long sum = 0;
    char *copy = strdup(text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *space = strrchr(line, ' ');
        size_t length = space ? (size_t)(space - line) : 0, ends = strlen(end);
        if (!strncmp(line, begin, strlen(begin)) && length > ends && !strncmp(space - ends, end, ends))
            sum += atol(space);
    }
    free(copy);
    return sum;
}

int main(void)
{
    char name[] = "/tmp/contention.XXXXXX", setting[100], text[20000];
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    snprintf(setting, sizeof setting, "GOS_DEBUG=contention=%s", name);
    const char *const silent[] = { NULL };
    expect_death("profile", profiled, setting, 0, 0, silent);
    FILE *file = fdopen(fd, "r");
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    unlink(name);
    fputs(text, stderr);
    long locked = total(text, "competes;", ";[mutex]"), held = total(text, "competes;", "[sleep]");
    long waited = total(text, "run;", "[wait group]");
    CHECK(waited > 0 && locked > 0 && held > 0);
    CHECK(locked > held); /* four wait while one has it */
    const char *const full[] = { "gossamer: contention=/dev/full: cannot be written: No space left on device", NULL };
    expect_death("full", profiled, "GOS_DEBUG=contention=/dev/full", 0, 0, full);
    return 0;
}
