/*
 * jump.c: longjmp, so that a jump to a frame of another task, or of a call that has returned, ends with a line: it
 * would go on there as the wrong task, on a stack that somebody else uses. What a jump costs on top is a look at the
 * stacks of its own. siglongjmp is the C library's: it is the same function, and does the work here.
 */
#undef _FORTIFY_SOURCE
#include <setjmp.h>

#include "base/check.h"
#include "base/config.h"
#include "stack/stack.h"

#if defined(__x86_64__) && !GOS_SAN /* sanitizers have definitions of their own */

GOS_EXPORT _Noreturn void longjmp(jmp_buf target, int value);
GOS_EXPORT _Noreturn void _longjmp(jmp_buf target, int value);

/* As the C library keeps it: turned, and mixed with a secret of the process. */
static inline uintptr_t stack_pointer_in(const void *target)
{
    uintptr_t sp = ((const uintptr_t *)target)[6];
    __asm__("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(sp) : : "cc");
    return sp;
}

static inline bool is_own(const gos__task *task, uintptr_t sp)
{
    for (const gos__region *region = task->region; region; region = region->prev)
        if (sp >= region->bottom && sp < (uintptr_t)region)
            return true;
    return gos__has_nursery(task) && sp >= gos__nursery_low(task) && sp <= (uintptr_t)task;
}

static _Noreturn void astray(void)
{
    gos__fatal("longjmp to a frame that is not the task's: another task's, or of a call that has returned");
}

static inline void verify(const void *target)
{
    const gos__task *task = gos__self.task;
    uintptr_t sp = stack_pointer_in(target);
    if (gos__likely((task && is_own(task, sp)) || !gos__stack_is_of_tasks(sp)))
        return;
    gos__store_relaxed(&gos__self.in_runtime, 1u);
    __asm__ volatile("testq %0, %0\n\tcmovnzq %0, %%rsp\n\tcallq *%1" /* a nursery has no room for words */
                     : : "r"(task ? gos__self.system_sp : NULL), "r"(astray) : "memory", "cc");
}

/* Within what thunks/functions.list says of it. */
_Noreturn void longjmp(jmp_buf target, int value)
{
    verify(target);
    siglongjmp(target, value);
}

_Noreturn void _longjmp(jmp_buf target, int value)
{
    verify(target);
    siglongjmp(target, value);
}

#endif
