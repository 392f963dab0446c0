/* GOS_DEBUG=schedtrace: a line at each interval, whether tasks run or sleep. */
// env: GOS_DEBUG=schedtrace=20
// expect-stderr: ^gossamer: sched [0-9]+ ms: workers [0-9]+ \(idle [0-9]+, searching [0-9]+\), threads [0-9]+ \(spare
// expect-stderr: tasks 1, shared 0, queues \[0[ 0]*\]; since the last: switches [0-9]+, steals 0, wake-ups
#include <gossamer.h>

static int run(void *unused)
{
    (void)unused;
    gos_sleep(300000000);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
