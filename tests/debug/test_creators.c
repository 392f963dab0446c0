/* A dump says where each task was started, whether it ran at once or later, by a task or a thread, through a group or a
 * loop, and nothing of those that a timer or gos_run started. */
// also: paged
// not-with: emulator (addr2line is of the machine that builds)
#include <gossamer.h>
#include <gossamer/group.h>

#include <pthread.h>

#include "tests/debug/dumped.h"
#include "tests/debug/gate.h"

enum { EACH = 50 };

/* Two calls, one line. */
TEST_HELPER void start_two(void)
{
    gos_waitgroup_add(&all, 2);
    CHECK_EQ(gos_go(wait_at_gate, NULL) + gos_go(wait_at_gate, NULL), 0);
}

static void start_pinned(void *unused)
{
    (void)unused;
    gos_pin();
    start_one();
    gos_waitgroup_done(&all);
}

static void *start_outside(void *unused)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(wait_at_gate, NULL), 0);
    return unused;
}

static int member(void *unused)
{
    (void)unused;
    gos_chan_recv(gate, NULL);
    return 0;
}

TEST_HELPER void start_member(gos_group *group)
{
    CHECK_EQ(gos_group_go(group, member, NULL), 0);
    CHECK_EQ(gos_group_go(group, member, NULL), 0);
}

static void part(long from, long to, void *unused)
{
    (void)from, (void)to, (void)unused;
    gos_chan_recv(gate, NULL);
}

static void loop(void *unused)
{
    (void)unused;
    gos_parallel_for(0, 8, 1, part, NULL);
    gos_waitgroup_done(&all);
}

/* So many lines of the dump have all three. */
static int lines_with(const char *a, const char *b, const char *c)
{
    char *text = dumped();
    int n = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        n += strstr(line, a) && strstr(line, b) && strstr(line, c);
    free(text);
    return n;
}

static int run(void *unused)
{
    pthread_t thread;
    gos_group group = { .context = NULL };
    gate = gos_chan_new(0, 0);
    gos_waitgroup_add(&all, 4);
    for (int i = 0; i < EACH; i++)
        start_one();
    start_two();
    CHECK_EQ(gos_go(start_pinned, NULL), 0);
    CHECK_EQ(gos_go(wait_at_gate, NULL), 0);
    CHECK_EQ(gos_go(loop, NULL), 0);
    start_member(&group);
    CHECK_EQ(pthread_create(&thread, NULL, start_outside, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    gos_timer *timer = gos_timer_new(0, wait_at_gate, NULL);
    while (gos_ntasks() != 1 + EACH + 2 + 1 + 1 + 8 + 2 + 1 + 1)
        gos_sleep(1000000);
    char started[40];
    snprintf(started, sizeof started, "%d tasks like ", EACH + 1);
    CHECK_EQ(lines_with(started, "started with wait_at_gate", " by start_one at "), 1);
    CHECK_EQ(lines_with("2 tasks like ", "started with wait_at_gate", " by start_two at "), 1);
    CHECK_EQ(lines_with("task 0x", "started with wait_at_gate", " by run at "), 1);
    CHECK_EQ(lines_with("task 0x", "started with wait_at_gate", " by start_outside at "), 1);
    CHECK_EQ(lines_with("task 0x", "started with wait_at_gate", " by "), 2);
    CHECK_EQ(lines_with("task 0x", "started with wait_at_gate", ""), 3); /* and the timer's */
    CHECK_EQ(lines_with("task 0x", "started with run at", " by "), 0);
    CHECK_EQ(lines_with("", "started with run_part", " by loop at "), lines_with("", "started with run_part", ""));
    CHECK(lines_with("", "started with run_part", " by loop at ") > 0);
    CHECK_EQ(lines_with("task 0x", "started with run_member", " by start_member at "), 2);
    gos_chan_close(gate);
    gos_waitgroup_wait(&all);
    CHECK_EQ(gos_group_wait(&group), 0);
    gos_timer_free(timer);
    (void)unused;
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
