/*
 * Without MADV_GUARD_INSTALL each region's guard takes two of the process' mappings, of which there are not many: they
 * come back after a burst, and the regions have guards again when they are used again.
 */
// env: GOS_DEBUG=trim=10
// not-with: paged (stacks that grow)
// timeout: 120
#include "tests/shrink.h"

#include <fcntl.h>

enum { BURST = 300, OTHERS = 150 };

static gos_waitgroup ended;
static gos_sem down, up;

static void at_bottom(void *unused)
{
    (void)unused;
    gos_sem_release(&down, 1);
    gos_sem_acquire(&up, 1);
}

static void one_of_burst(void *unused)
{
    (void)unused;
    descend(20 * 1024, at_bottom, NULL);
    gos_waitgroup_done(&ended);
}

static long mappings(void)
{
    char buffer[1 << 14];
    long n = 0, got;
    int fd = open("/proc/self/maps", O_RDONLY);
    CHECK(fd >= 0);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < got; i++)
            n += buffer[i] == '\n';
    close(fd);
    return n;
}

static int run(void *unused)
{
    (void)unused;
    long before = mappings();
    for (int round = 0; round < 3; round++) {
        gos_waitgroup_add(&ended, BURST);
        for (int i = 0; i < BURST; i++)
            CHECK_EQ(gos_go(one_of_burst, NULL), 0);
        gos_sem_acquire(&down, BURST);
        CHECK(mappings() > before + BURST);
        gos_sem_release(&up, BURST);
        gos_waitgroup_wait(&ended);
        while (mappings() > before + OTHERS)
            gos_sleep(1000000);
    }
    return 0;
}

int main(void)
{
    refuse = ADVICE_GUARD;
    CHECK_EQ(gos_run(run, NULL), 0);
    CHECK(refused > 0);
    return 0;
}
