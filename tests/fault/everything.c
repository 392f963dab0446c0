/*
 * everything.c: uses all that the runtime has: once while calls of the runtime are made to fail (inject.c), then twice
 * with none failing. A part either gives the right sums or is told that something was refused; later nothing may be
 * refused. Prints what the runtime still holds after each run; sweep.py judges.
 *
 *     everything [limited] [PART ...]    exit 0: right; 1: wrong; 2: the runtime ended the program with a line.
 *                                        limited: the machine refuses things, so all three runs may be refused some
 */
#include "tests/fault/everything.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>

#include "tests/fault/inject.h"

#define ENTRY(name) { #name, part_##name },
static const struct { const char *name; void (*run)(void); } parts[] = { PARTS(ENTRY) };

gos_waitgroup all;
_Atomic long total;
gos_chan *gate;
bool may_be_refused = true;
static int refusals;
static char **chosen;

static bool is_plausible(int error)
{
    /* The last two: whoever is at the other end was refused something. */
    static const int errors[] = { ENOMEM, EAGAIN, EMFILE, ENOSPC, EPERM, ENOSYS, EINVAL, EIO, EPIPE, ECONNRESET };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error)
            return true;
    return false;
}

bool done(const char *what, int result)
{
    if (result >= 0)
        return true;
    if (!may_be_refused || !is_plausible(-result)) {
        char line[200];
        test_end(line, snprintf(line, sizeof line, "wrong: %s gave %d (%s)%s\n", what, result, strerror(-result),
                                may_be_refused ? "" : ", and nothing was made to fail"), 1);
    }
    __atomic_fetch_add(&refusals, 1, __ATOMIC_RELAXED);
    return false;
}

bool posix_done(const char *what, long result)
{
    return done(what, result < 0 ? -errno : 0);
}

static bool is_chosen(const char *name)
{
    for (char **it = chosen; *it; it++)
        if (!strcmp(*it, name))
            return true;
    return !*chosen;
}

static int run_parts(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (is_chosen(parts[i].name))
            parts[i].run();
    return 7;
}

static int entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return 0; /* no descriptor left */
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void report(const char *when, int result)
{
    fault_held held = fault_held_now();
    printf("%s: result %d refusals %d allocations %ld mapped %ld threads %ld descriptors %d tasks %d\n", when, result,
           refusals, held.allocations, held.mapped, held.threads, entries("/proc/self/fd"),
           entries("/proc/self/task"));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    bool is_limited = argc > 1 && !strcmp(argv[1], "limited");
    chosen = argv + 1 + is_limited;
    int result = gos_run(run_parts, NULL);
    if (result != 7)
        done("gos_run", result);
    report("faulty", result);
    fault_end();
    may_be_refused = is_limited;
    for (int round = 0; round < 2; round++) {
        result = gos_run(run_parts, NULL);
        if (result != 7)
            done("gos_run", result);
        report("clean", result);
    }
    return 0;
}
