/* A program may have something of its own by names that the headers do not declare, and this library defines. */
// also: paged
#include <gossamer.h>

#include <signal.h>

#include "tests/test.h"

sigset_t sigset;
int sighold;
int sigrelse(int n);
void bsd_signal(void);

int sigrelse(int n)
{
    return n + 1;
}

void bsd_signal(void)
{
    sighold = 1;
}

static int run(void *unused)
{
    (void)unused;
    CHECK(!sigemptyset(&sigset) && !sigaddset(&sigset, SIGUSR1));
    CHECK_EQ(sigrelse(2), 3);
    bsd_signal();
    CHECK_EQ(sighold, 1);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
