/*
 * signal.c: what a task does about signals.
 *
 * A signal mask is a thread's. A task that sets another than its threads have is pinned to the one it set it on, until
 * it sets that again: so the mask is the task's, and no other task's.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "include/gossamer.h"
#include "io/io.h"
#include "io/lock.h"

enum { BYTES = 8 }; /* of the kernel's signal set */

/* glibc's own signals, 32 and 33, are never blocked. */
static uint64_t without_internal(const sigset_t *set)
{
    return *(const uint64_t *)(const void *)set & ~(3ull << 31);
}

static long mask_now(uint64_t *mask)
{
    return GOS_SYS(rt_sigprocmask, SIG_SETMASK, NULL, mask, BYTES);
}

/* While pinned. */
static GOS_NOINLINE void pin_for_mask(void)
{
    uint64_t mask = 0;
    mask_now(&mask);
    bool differs = mask != gos__self.usual_mask;
    if (differs != gos__self.masked) {
        gos__self.masked = differs;
        if (differs)
            return; /* stays pinned */
        gos_unpin();
    }
    gos_unpin();
}

static GOS_NOINLINE long set_mask(int how, const sigset_t *set, sigset_t *old)
{
    uint64_t wanted = set ? without_internal(set) : 0;
    gos_pin();
    long result = GOS_SYS(rt_sigprocmask, how, set ? &wanted : NULL, old, BYTES);
    pin_for_mask();
    return result;
}

int gos__io_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return (int)-set_mask(how, set, old);
}

int gos__io_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return (int)gos__io_result(set_mask(how, set, old));
}

int gos__io_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    gos__handler_change change;
    struct sigaction found;
    action = gos__handler_wrap(&change, number, action);
    int result = gos__real_sigaction(number, action, &found);
    gos__handler_done(&change, number, result, &found, old);
    return result;
}

gos__handler *gos__io_signal(int number, gos__handler *handler)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = gos__signal_flags(number) }, old;
    return gos__io_sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}
