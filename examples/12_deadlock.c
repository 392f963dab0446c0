/*
 * Two tasks each hold the lock that the other one wants. When no task can ever run again, the program ends with exit
 * status 2 and says what each of them waits for.
 */
// not-with: emulator thread (it has a thread of its own)
// expect-exit: 2
// expect-stderr: all tasks are asleep - deadlock!
// expect-stderr: ^2 tasks like 0x[0-9a-f]+ \[mutex.* started with philosopher.* by run
// expect-stderr: \[wait group
#include <gossamer.h>
#include <stdio.h>

static gos_mutex fork_1, fork_2;
static gos_waitgroup both_hold_one, done;

static void dine(gos_mutex *first, gos_mutex *second)
{
    gos_mutex_lock(first);
    gos_waitgroup_done(&both_hold_one);
    gos_waitgroup_wait(&both_hold_one);
    gos_mutex_lock(second); /* for ever: always to take them in the same order would do */
    gos_mutex_unlock(second);
    gos_mutex_unlock(first);
    gos_waitgroup_done(&done);
}

static void philosopher(void *is_left)
{
    if (is_left)
        dine(&fork_1, &fork_2);
    else
        dine(&fork_2, &fork_1);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&both_hold_one, 2);
    gos_waitgroup_add(&done, 2);
    if (gos_go(philosopher, NULL) != 0 || gos_go(philosopher, &fork_1) != 0)
        return 1;
    gos_waitgroup_wait(&done);
    printf("all have dined\n");
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
