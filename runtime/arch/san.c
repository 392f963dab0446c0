/* san.c: see san.h. Compiled without instrumentation: these functions begin as one task and end as another. */
#include "arch/san.h"

#if GOS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if GOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if GOS_SAN

/* Kept for a task, or a thread, while its stack is not the current one. */
typedef struct picture {
    void *fiber;      /* thread sanitizer's */
    void *fake;       /* address sanitizer's stack for use-after-return */
    const void *bottom;
    size_t size;
    int is_poisoned;  /* a task's: it has ended */
    int is_away;      /* a thread's: a task's picture is the current one */
} picture;

#if GOS_ASAN
/* Its search for leaks knows neither tasks' stacks nor a child process without the parent's threads. */
__attribute__((weak, visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

_Static_assert(sizeof(picture) <= GOS_SAN_BYTES, "picture: fits above the stack");

static _Thread_local picture own;

/* Every task of these builds has a paged stack, whose region's header lies right below its own. */
static picture *of(gos__task *task)
{
    return (picture *)((uintptr_t)((gos__region *)task - 1) - GOS_SAN_BYTES);
}

static void change(picture *from, picture *to)
{
#if GOS_ASAN
    __sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
    __sanitizer_finish_switch_fiber(to->fake, &from->bottom, &from->size);
#endif
#if GOS_TSAN
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

void gos__san_enter(void)
{
    change(of(gos__self.task), &own);
    own.is_away = 0;
}

void gos__san_leave(void)
{
    if (own.is_away)
        gos__san_enter();
}

void gos__san_holds(void)
{
#if GOS_TSAN
    __tsan_acquire(&gos__self.locked); /* O3, pairs with T6 */
#endif
}

void gos__san_resume(gos__task *task)
{
#if GOS_TSAN
    __tsan_release(&gos__self.in_runtime); /* O5, pairs with T4 */
#endif
    change(&own, of(task));
    own.is_away = 1;
}

void gos__san_begin(gos__task *task)
{
    picture *it = of(task);
    const gos__region *region = (gos__region *)task - 1;
#if GOS_ASAN
    if (it->is_poisoned)
        __asan_unpoison_memory_region((void *)region->bottom, (uintptr_t)it - region->bottom);
#endif
    *it = (picture){ .bottom = (void *)region->bottom, .size = (uintptr_t)it - region->bottom };
#if GOS_TSAN
    it->fiber = __tsan_create_fiber(0);
#endif
}

void gos__san_end(gos__task *task)
{
    picture *it = of(task);
#if GOS_ASAN
    if (it->fake) { /* only who has it as the current one can free it */
        change(&own, it);
        __sanitizer_start_switch_fiber(NULL, own.bottom, own.size);
        __sanitizer_finish_switch_fiber(own.fake, NULL, NULL);
    }
    it->is_poisoned = 1;
    __asan_poison_memory_region(it->bottom, it->size);
#endif
#if GOS_TSAN
    if (it->fiber)
        __tsan_destroy_fiber(it->fiber);
    it->fiber = NULL;
#endif
}

void gos__san_forget(uintptr_t start, uintptr_t end)
{
    (void)start, (void)end;
#if GOS_ASAN
    __asan_unpoison_memory_region((void *)start, end - start);
#endif
}

#endif
