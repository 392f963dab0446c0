/* overflow.c: what is said when a task's stack exceeds its bound: three lines in Go's form and a backtrace. */
#include <execinfo.h>
#include <unistd.h>

#include "base/check.h"
#include "base/env.h"
#include "os/os.h"
#include "stack/stack.h"

/* Frames walked at most, and shown from both ends: a runaway recursion tells by its innermost frames what recurs, and
 * by its outermost ones who began it. */
enum { WALKED = 1 << 20, INNERMOST = 20, OUTERMOST = 10 };

/*
 * libc's walk over the unwind tables: __morestack and the doors have such entries. It may load libgcc_s and allocate,
 * which is sound here: the prologue of checked code runs outside of all locks of malloc and of the loader, but for
 * callbacks of dl_iterate_phdr, whose lock is recursive.
 */
static void print_backtrace(const void *prologue)
{
    size_t size = WALKED * sizeof(void *);
    void **frames = gos__vm_new(size);
    if (!frames)
        return;
    int end = backtrace(frames, WALKED), first = 0;
    while (first < end && frames[first] != prologue) /* the runtime's own frames */
        first++;
    int n = end - first;
    gos__warn("backtrace of %s%d frames (addr2line -fe PROGRAM names them):", end == WALKED ? "the innermost " : "", n);
    if (n <= INNERMOST + OUTERMOST) {
        backtrace_symbols_fd(frames + first, n, STDERR_FILENO);
        return;
    }
    backtrace_symbols_fd(frames + first, INNERMOST, STDERR_FILENO);
    gos__warn("%d frames not shown", n - INNERMOST - OUTERMOST);
    backtrace_symbols_fd(frames + end - OUTERMOST, OUTERMOST, STDERR_FILENO);
}

_Noreturn void gos__overflow(const gos__task *task, uintptr_t left_sp)
{
    uintptr_t low = task->region ? task->region->bottom : gos__nursery_low(task);
    uintptr_t high = task->region ? (uintptr_t)task->region : (uintptr_t)task;
    gos__warn("task stack exceeds %lld-byte limit", (long long)gos__env_get()->maxstack);
    gos__warn("sp=%#lx stack=[%#lx, %#lx]", (unsigned long)left_sp, (unsigned long)low, (unsigned long)high);
    static const char last[] = "fatal error: stack overflow\n";
    if (write(STDERR_FILENO, last, sizeof last - 1) < 0)
        _exit(3);
    /* Below the function's own return address lies the one into its prologue. */
    print_backtrace(((void **)left_sp)[-1]);
    gos__say_last_words();
    _exit(2);
}
