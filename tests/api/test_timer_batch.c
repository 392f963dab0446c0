/* Many timers that are due at once are fired a few at a time: a task that a timer starts finds the stack of one that
 * has ended, and there are never many of them. */
// env: GOS_PROCS=1
#include <gossamer.h>

#include "tests/test.h"

enum { TIMERS = 20000, SEVERAL = 200 };

static const int64_t ms = 1000000;

static gos_timer *timers[TIMERS];
/* On one worker, too, a task whose thread lost it goes on beside the others for a while. */
static uint32_t fired, too_many;

static void fire(void *unused)
{
    (void)unused;
    if (gos_ntasks() >= SEVERAL)
        __atomic_fetch_add(&too_many, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&fired, 1, __ATOMIC_RELEASE);
}

static int main_task(void *unused)
{
    (void)unused;
    int64_t due = gos_now() + 20 * ms;
    for (int i = 0; i < TIMERS; i++)
        CHECK((timers[i] = gos_timer_new(20 * ms, fire, NULL)) != NULL);
    while (gos_now() < due + 20 * ms)
        ; /* nobody else runs, or not for long */
    while (__atomic_load_n(&fired, __ATOMIC_ACQUIRE) < TIMERS)
        gos_sleep(ms);
    CHECK_EQ(too_many, 0);
    for (int i = 0; i < TIMERS; i++)
        gos_timer_free(timers[i]);
    return 0;
}

int main(void)
{
    return gos_run(main_task, NULL);
}
