/*
 * libc.c: habits of libc that do not go with tasks and their stacks; defined here for the program and for the
 * shared libraries that it uses.
 *
 * Signal handlers without SA_ONSTACK: the kernel would write its frame, 3 KiB and more with wide vectors, over the end
 * of a nursery. Every handler gets the flag (sigaction and signal: io/signal.c; siginterrupt: io/plain_signal.c; what
 * is installed before the run, or by older names: here); a thread without a signal stack does not notice.
 *
 * Older names for changing handlers and masks go by functions inside libc: a handler so installed would end no wait of
 * the main task, and a task whose mask was so changed might go on on another thread. Here they go by those of today.
 *
 * longjmp under _FORTIFY_SOURCE: __longjmp_chk takes a jump to a lower address for one into a function that has
 * returned, and aborts. A task's first stack lies below the regions that its deeper calls are on.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "os/os.h"

/* Sanitizers have definitions of their own, and builds with them no nurseries. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* The kernel's struct sigaction. Asked directly, since libc hides two signals of its own. */
typedef struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
} kernel_action;

void gos__handlers_to_signal_stacks(void)
{
    for (long sig = 1; sig <= 64; sig++) {
        kernel_action action;
        if (syscall(SYS_rt_sigaction, sig, NULL, &action, sizeof action.mask) || action.handler == (void *)SIG_DFL ||
            action.handler == (void *)SIG_IGN || (action.flags & SA_ONSTACK))
            continue;
        action.flags |= SA_ONSTACK;
        syscall(SYS_rt_sigaction, sig, &action, NULL, sizeof action.mask);
    }
}

#ifndef SANITIZED

/* A program may have something of its own by such a name, which the headers need not even declare. */
#define OLD_NAME GOS_EXPORT __attribute__((weak))

/* Names that libc's headers hide. */
OLD_NAME sighandler_t bsd_signal(int sig, sighandler_t handler);
GOS_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler);
OLD_NAME sighandler_t sysv_signal(int sig, sighandler_t handler);
GOS_EXPORT int __sigpause(int sig_or_mask, int is_sig);
GOS_EXPORT int __xpg_sigpause(int sig);
OLD_NAME int bsd_sigpause(int mask) __asm__("sigpause"); /* which the headers make another name of the one above */
GOS_EXPORT _Noreturn void __longjmp_chk(jmp_buf target, int value);

OLD_NAME sighandler_t bsd_signal(int sig, sighandler_t handler)
{
    return signal(sig, handler);
}

OLD_NAME sighandler_t ssignal(int sig, sighandler_t handler)
{
    return signal(sig, handler);
}

/* What `signal` is to programs that ask for strict ISO C or X/Open. */
GOS_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) }, former;
    return sigaction(sig, &action, &former) ? SIG_ERR : former.sa_handler;
}

OLD_NAME sighandler_t sysv_signal(int sig, sighandler_t handler)
{
    return __sysv_signal(sig, handler);
}

/* ---- of System V, which X/Open took over ---- */

/* Changes one signal's place in the mask; 1: it was blocked, 0: it was not, -1: no such signal. */
static int change_mask(int how, int sig)
{
    sigset_t set, former;
    sigemptyset(&set);
    return sigaddset(&set, sig) || sigprocmask(how, &set, &former) ? -1 : sigismember(&former, sig);
}

OLD_NAME int sighold(int sig)
{
    return change_mask(SIG_BLOCK, sig) < 0 ? -1 : 0;
}

OLD_NAME int sigrelse(int sig)
{
    return change_mask(SIG_UNBLOCK, sig) < 0 ? -1 : 0;
}

OLD_NAME int sigignore(int sig)
{
    struct sigaction action = { .sa_handler = SIG_IGN };
    return sigaction(sig, &action, NULL);
}

OLD_NAME sighandler_t sigset(int sig, sighandler_t handler)
{
    bool holds = handler == SIG_HOLD;
    struct sigaction action = { .sa_handler = handler }, former;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    if (sigaction(sig, holds ? NULL : &action, &former))
        return SIG_ERR;
    int was_blocked = change_mask(holds ? SIG_BLOCK : SIG_UNBLOCK, sig);
    return was_blocked < 0 ? SIG_ERR : was_blocked ? SIG_HOLD : former.sa_handler;
}

/* ---- and of BSD: masks of the first 32 signals ---- */

static sigset_t set_of(int mask)
{
    sigset_t set;
    sigemptyset(&set);
    set.__val[0] = (unsigned)mask;
    return set;
}

static int change_masks(int how, int mask)
{
    sigset_t set = set_of(mask), former;
    return sigprocmask(how, &set, &former) ? -1 : (int)former.__val[0];
}

OLD_NAME int sigblock(int mask)
{
    return change_masks(SIG_BLOCK, mask);
}

OLD_NAME int sigsetmask(int mask)
{
    return change_masks(SIG_SETMASK, mask);
}

GOS_EXPORT int __sigpause(int sig_or_mask, int is_sig)
{
    sigset_t set = set_of(sig_or_mask);
    if (is_sig && (sigprocmask(SIG_BLOCK, NULL, &set) || sigdelset(&set, sig_or_mask)))
        return -1;
    return sigsuspend(&set);
}

GOS_EXPORT int __xpg_sigpause(int sig)
{
    return __sigpause(sig, 1);
}

OLD_NAME int bsd_sigpause(int mask)
{
    return __sigpause(mask, 0);
}

/* ---- jumps ---- */

GOS_EXPORT _Noreturn void __longjmp_chk(jmp_buf target, int value)
{
    siglongjmp(target, value); /* which also restores the signal mask, if it was saved; longjmp is the same function */
}

#endif
