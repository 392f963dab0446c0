/*
 * libc.c: two habits of libc that do not go with stacks such as a task's; defined here for the program and for the
 * shared libraries that it uses.
 *
 * Signal handlers without SA_ONSTACK: the kernel would write its frame, 3 KiB and more with wide vectors, over the end
 * of a nursery. Every handler gets the flag (sigaction and signal: io/signal.c; what is installed before
 * the run, or by older names: here); a thread without a signal stack does not notice.
 *
 * longjmp under _FORTIFY_SOURCE: __longjmp_chk takes a jump to a lower address for one into a function that has
 * returned, and aborts. A task's first stack lies below the regions that its deeper calls are on.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <signal.h>
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

/* Names that libc's headers hide. */
GOS_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler);
GOS_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler);
GOS_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler);
GOS_EXPORT _Noreturn void __longjmp_chk(jmp_buf target, int value);

GOS_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
    return signal(sig, handler);
}

/* What `signal` is to programs that ask for strict ISO C or X/Open. */
GOS_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) }, former;
    return sigaction(sig, &action, &former) ? SIG_ERR : former.sa_handler;
}

GOS_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
    return __sysv_signal(sig, handler);
}

GOS_EXPORT _Noreturn void __longjmp_chk(jmp_buf target, int value)
{
    siglongjmp(target, value); /* which also restores the signal mask, if it was saved; longjmp is the same function */
}

#endif
