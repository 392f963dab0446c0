/* backtrace.c: where tasks are, by the unwinder that the C library uses itself (libgcc's, loaded when it is needed). */
#define _GNU_SOURCE
#include <execinfo.h>

#include "arch/ctx.h"
#include "debug/backtrace.h"

enum { OWN = 16 }; /* of this file, and those that are left out */

/* arch/morestack_x86_64.S; the doors */
#if defined(__x86_64__)
void __morestack_non_split(void);
void gos__morestack_end(void);
#endif
void gos__main_end(void);

typedef struct walk {
    void *frames[GOS_FRAMES + OWN];
    int n;
} walk;

static GOS_NOINLINE void walk_here(void *arg)
{
    walk *it = arg;
    it->n = backtrace(it->frames, GOS_FRAMES + OWN);
}

/* Crossings and the first frame of all are no news. */
static bool is_ours(uintptr_t at)
{
#if defined(__x86_64__)
    if (at > (uintptr_t)__morestack_non_split && at < (uintptr_t)gos__morestack_end)
        return true;
#endif
    return at >= (uintptr_t)gos__task_start && at < (uintptr_t)gos__main_end;
}

static void keep(gos__backtrace *to, uintptr_t at)
{
    if (!is_ours(at))
        to->at[to->n++] = at;
}

static void keep_from(gos__backtrace *to, const walk *it, int first)
{
    to->n = 0;
    for (int i = first; i < it->n && to->n < GOS_FRAMES; i++)
        keep(to, (uintptr_t)it->frames[i]);
}

GOS_NOINLINE void gos__backtrace_here(gos__backtrace *to, int skip)
{
    walk it;
    walk_here(&it);
    keep_from(to, &it, 2 + skip);
}

void gos__backtrace_of(const gos__task *task, gos__backtrace *to)
{
    const gos__ctx *context = task->sp;
    walk it;
    gos__unwind_from(context, walk_here, &it);
    int first = 0;
    while (first < it.n && it.frames[first] != (void *)context->pc)
        first++;
    keep_from(to, &it, first);
}

/* ---- without unwind information: safe whatever the task does meanwhile ---- */

static uintptr_t word(uintptr_t at)
{
    return gos__load_relaxed((const uintptr_t *)at);
}

void gos__backtrace_by_frames(const gos__task *task, gos__backtrace *to)
{
    uintptr_t sp = (uintptr_t)gos__load_relaxed(&task->sp);
    to->n = 0;
    if (sp % 8 || !gos__is_on_stack(task, sp, GOS_CTX_SIZE))
        return;
    keep(to, word(sp + GOS_CTX_PC));
    uintptr_t frame = word(sp + GOS_CTX_FP);
    while (to->n < GOS_FRAMES && !(frame % 8) && gos__is_on_stack(task, frame, 16) && word(frame + 8)) {
        keep(to, word(frame + 8));
        uintptr_t next = word(frame);
        if (next == frame)
            return;
        frame = next;
    }
}
