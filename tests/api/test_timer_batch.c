/* Many timers that are due at once are fired a few at a time: a task that a timer starts finds the stack of one that
 * has ended, and there are never many of them. */
// env: GOS_PROCS=1
#include <gossamer.h>

#include "tests/test.h"

enum { TIMERS = 20000, SEVERAL = 200 };

static const int64_t ms = 1000000;

static gos_timer *timers[TIMERS];
static int fired;
static long most;

static void fire(void *unused)
{
    (void)unused;
    long n = gos_ntasks();
    most = n > most ? n : most;
    fired++;
}

static int main_task(void *unused)
{
    (void)unused;
    int64_t due = gos_now() + 20 * ms;
    for (int i = 0; i < TIMERS; i++)
        CHECK((timers[i] = gos_timer_new(20 * ms, fire, NULL)) != NULL);
    while (gos_now() < due + 20 * ms)
        ; /* nobody else runs, or not for long */
    while (fired < TIMERS)
        gos_sleep(ms);
    CHECK(most < SEVERAL);
    for (int i = 0; i < TIMERS; i++)
        gos_timer_free(timers[i]);
    return 0;
}

int main(void)
{
    return gos_run(main_task, NULL);
}
