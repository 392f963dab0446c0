/* Wake-ups of the C library's locks reach somebody who can use them: not only whoever waits in front, who may have just
 * given up. */
// also: paged
// env: GOS_PROCS=2
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include "io/wait.h"
#include "tests/parked.h"
#include "tests/test.h"

enum { PATIENCE = 20 /* seconds */ };

static gos_waitgroup all;
static sem_t sem;

static void start(void (*fn)(void *), void *arg)
{
    gos_waitgroup_add(&all, 1);
    CHECK_EQ(gos_go(fn, arg), 0);
}

static void handle(int number)
{
    (void)number;
}

static void take(void *unused)
{
    (void)unused;
    CHECK_EQ(sem_wait(&sem), 0);
    gos_waitgroup_done(&all);
}

/* As sem_wait's, while the main task is in front of the other: a handler runs, and then it is woken. */
static int try_between(void *tries)
{
    if ((*(int *)tries)++)
        return EBUSY;
    start(take, NULL);
    await_tasks(take, GOS_WAIT_SEM, 1);
    uint32_t before = gos__load_acquire(&gos__handled[GOS_BY_UNRESTARTED]);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    while (gos__load_acquire(&gos__handled[GOS_BY_UNRESTARTED]) == before)
        gos_yield();
    CHECK_EQ(sem_post(&sem), 0);
    return EBUSY;
}

static void interrupted(void)
{
    struct sigaction action = { .sa_handler = handle };
    int tries = 0;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    gos__io_signals signals = gos__io_signals_now(GOS_BY_UNRESTARTED);
    CHECK_EQ(gos__io_lot_wait(&sem, GOS_WAIT_SEM, INT64_MAX, try_between, &tries, &signals), EINTR);
    CHECK_EQ(tries, 1);
    CHECK_EQ(gos_waitgroup_wait_until(&all, gos_now() + PATIENCE * 1000000000ll), 0);
}

static int run(void *unused)
{
    (void)unused;
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    interrupted();
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
