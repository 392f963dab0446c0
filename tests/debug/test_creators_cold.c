/* Where a task was started is known of those that are packed away, and its page is not put back for it. */
// env: GOS_DEBUG=cold=1
// not-with: paged (no nurseries)
// not-with: emulator (addr2line is of the machine that builds)
#include <gossamer.h>

#include "tests/debug/dumped.h"
#include "tests/debug/gate.h"

enum { TASKS = 5000 };

static int run(void *unused)
{
    (void)unused;
    gate = gos_chan_new(0, 0);
    for (int i = 0; i < TASKS; i++)
        start_one();
    for (long packed = 0; packed < TASKS / 2;) {
        gos_stats stats = { .cold_pages = 0 };
        for (int i = 0; i < 100 && stats.cold_pages < TASKS / 8; i++) {
            gos_sleep(20000000);
            CHECK_EQ(gos_stats_read(&stats), 0);
        }
        char *text = dumped();
        packed = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            if (strstr(line, "packed away")) {
                CHECK(strstr(line, "started with wait_at_gate") != NULL);
                CHECK(strstr(line, " by start_one at ") != NULL);
                packed += strstr(line, " tasks like ") ? atol(line) : 1;
            }
        free(text);
    }
    gos_chan_close(gate);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
