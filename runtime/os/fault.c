#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>

#include "base/check.h"

static const int signals[] = { SIGSEGV, SIGBUS };
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction former[SIGNALS];
static void (*explain_fault)(void *address);

static struct sigaction *former_of(int sig)
{
    return &former[sig == signals[0] ? 0 : 1];
}

/*
 * The former action decides. SIG_DFL and SIG_IGN are put back and the instruction faults again, now to its end: a
 * handler that merely returned would fault for ever.
 */
static void on_fault(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    gos__note_fault();
    explain_fault(info->si_addr);
    errno = saved;
    struct sigaction *old = former_of(sig);
    if (old->sa_flags & SA_SIGINFO)
        old->sa_sigaction(sig, info, context);
    else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
        old->sa_handler(sig);
    else {
        gos__say_last_words();
        struct sigaction reset = { .sa_handler = SIG_DFL };
        sigaction(sig, &reset, NULL);
    }
}

void gos__fault_install(void (*explain)(void *address))
{
    explain_fault = explain;
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], &action, &former[i]))
            gos__die("fatal error: sigaction(2) failed for signal %d: errno %d", signals[i], errno);
}

void gos__fault_restore(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        /* Somebody who installed a handler meanwhile keeps it. */
        if (!sigaction(signals[i], NULL, &now) && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault)
            sigaction(signals[i], &former[i], NULL);
    }
}

void gos__signal_stack(void *base, size_t size)
{
    stack_t stack = { .ss_sp = base, .ss_size = size, .ss_flags = base ? 0 : SS_DISABLE };
    if (sigaltstack(&stack, NULL))
        gos__die("fatal error: sigaltstack(2) failed: errno %d", errno);
}

size_t gos__signal_stack_size(void)
{
    /* The kernel's frame grows with the vector registers (AVX-512, AMX), so it is asked, with room for a handler. */
    unsigned long frame = getauxval(AT_MINSIGSTKSZ);
    return (frame + 32 * 1024 + 4095) & ~4095ul;
}
