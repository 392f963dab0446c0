/* A nonsensical environment variable: one line that names it, its value and what is expected, and status 2. */
#include <gossamer.h>

#include "tests/death/death.h"

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void run_with(void *setting)
{
    putenv(setting);
    gos_run(nothing, NULL);
}

int main(void)
{
    static const struct {
        const char *setting;
        const char *said[2];
    } nonsense[] = {
        { "GOS_PROCS=0", { "gossamer: GOS_PROCS=0: expected *1 to 256*" } },
        { "GOS_PROCS=257", { "gossamer: GOS_PROCS=257: expected *1 to 256*" } },
        { "GOS_PROCS=abc", { "gossamer: GOS_PROCS=abc: expected *" } },
        { "GOS_PROCS=", { "gossamer: GOS_PROCS=: expected *" } },
        { "GOS_PROCS=-1", { "gossamer: GOS_PROCS=-1: expected *" } },
        { "GOS_PROCS=2x", { "gossamer: GOS_PROCS=2x: expected *" } },
        { "GOS_MAXSTACK=12", { "gossamer: GOS_MAXSTACK=12: expected *65536 to 1073741824*" } },
        { "GOS_MAXSTACK=", { "gossamer: GOS_MAXSTACK=: expected *" } },
        { "GOS_MAXSTACK=-1", { "gossamer: GOS_MAXSTACK=-1: expected *" } },
        { "GOS_MAXSTACK=lots", { "gossamer: GOS_MAXSTACK=lots: expected *" } },
        { "GOS_MAXSTACK=1.5m", { "gossamer: GOS_MAXSTACK=1.5m: expected *" } },
        { "GOS_MAXSTACK=99999999999999999999", { "gossamer: GOS_MAXSTACK=99999999999999999999: expected *" } },
        { "GOS_MAXSTACK=2g", { "gossamer: GOS_MAXSTACK=2g: expected *" } },
        { "GOS_MAXMEM=x", { "gossamer: GOS_MAXMEM=x: expected *" } },
        { "GOS_MAXMEM=99999999999g", { "gossamer: GOS_MAXMEM=99999999999g: expected *" } },
        { "GOS_DEBUG=nosuch", { "gossamer: GOS_DEBUG: unknown word \"nosuch\": expected *" } },
        { "GOS_DEBUG=paged,", { NULL } },
        { "GOS_DEBUG=paged,pag", { "gossamer: GOS_DEBUG: unknown word \"pag\": expected *" } },
        { "GOS_DEBUG=", { NULL } },
        { "GOS_DEBUG=cold,nobind", { NULL } },
        { "GOS_DEBUG=cold=60000", { NULL } },
        { "GOS_DEBUG=cold=", { "gossamer: GOS_DEBUG: cold=: expected *" } },
        { "GOS_DEBUG=cold=0", { "gossamer: GOS_DEBUG: cold=0: expected *milliseconds from 1 to 86400000*" } },
        { "GOS_DEBUG=cold=1s", { "gossamer: GOS_DEBUG: cold=1s: expected *" } },
        { "GOS_DEBUG=cold=99999999999999999999999999", { "gossamer: GOS_DEBUG: unknown word *" } },
        { "GOS_DEBUG=colder", { "gossamer: GOS_DEBUG: unknown word \"colder\": expected *" } },
        { "GOS_SEED=", { "gossamer: GOS_SEED=: expected *" } },
        { "GOS_SEED=-1", { "gossamer: GOS_SEED=-1: expected *" } },
        { "GOS_SEED=random", { "gossamer: GOS_SEED=random: expected *" } },
        { "GOS_SEED=0", { NULL } },
        { "GOS_SEED=9223372036854775807", { NULL } },
        { "GOS_DEBUG=schedtrace=0", { "gossamer: GOS_DEBUG: schedtrace=0: expected *from 1 to 86400000*" } },
        { "GOS_DEBUG=schedtrace=", { "gossamer: GOS_DEBUG: schedtrace=: expected *" } },
        { "GOS_DEBUG=contention=", { "gossamer: GOS_DEBUG: contention=: expected the name of a file" } },
        { "GOS_DEBUG=contention=/no/file", { "gossamer: GOS_DEBUG: contention=/no/file: cannot be written: *" } },
        { "GOS_PROCS=2", { NULL } },
        { "GOS_MAXSTACK=1m", { NULL } },
        { "GOS_MAXSTACK=64k", { NULL } },
        { "GOS_MAXSTACK=1g", { NULL } },
    };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        char setting[100];
        memcpy(setting, nonsense[i].setting, strlen(nonsense[i].setting) + 1);
        expect_death(setting, run_with, setting, 0, nonsense[i].said[0] ? 2 : 0, nonsense[i].said);
    }
    return 0;
}
