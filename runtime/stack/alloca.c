/*
 * alloca.c: alloca and variable-length arrays that do not fit the stack their frame is on live on the heap. A frame's
 * end is not announced, so a block is freed when a frame further up on the same stack asks next, or with the task.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stack/stack.h"

typedef struct block {
    struct block *next;
    uintptr_t sp; /* of the frame that it belongs to */
} block;

void *gos__allocas_none;

void gos__allocas_open(bool are_cleared)
{
    static block last;
    gos__allocas_none = are_cleared ? &last : NULL;
}

static void give_back(block *it)
{
    if (gos__allocas_none)
        explicit_bzero(it, malloc_usable_size(it));
    free(it);
}

/* Whether two addresses lie on the same of a task's stacks. */
static bool same_stack(const gos__task *task, uintptr_t a, uintptr_t b)
{
    for (const gos__region *region = task->region; region; region = region->prev) {
        bool has_a = a >= region->bottom && a <= (uintptr_t)region;
        bool has_b = b >= region->bottom && b <= (uintptr_t)region;
        if (has_a || has_b)
            return has_a && has_b;
    }
    uintptr_t low = gos__nursery_low(task);
    return gos__has_nursery(task) && a > low && a <= (uintptr_t)task && b > low && b <= (uintptr_t)task;
}

void *gos__alloca(size_t size, uintptr_t sp)
{
    gos__task *task = gos__self.task;
    gos__require(task != NULL, "alloca: no room on a stack that is not a task's");
    for (void **at = gos__allocas(task); *at != gos__allocas_none;) {
        block *it = *at;
        if (it->sp < sp && same_stack(task, it->sp, sp)) { /* its frame has returned: it was deeper */
            *at = it->next;
            give_back(it);
        } else {
            at = (void **)&it->next;
        }
    }
    block *fresh = size <= SIZE_MAX - sizeof *fresh ? malloc(size + sizeof *fresh) : NULL;
    if (!fresh)
        gos__die("fatal error: no memory for an alloca of %zu bytes", size);
    *fresh = (block){ .next = *gos__allocas(task), .sp = sp };
    *gos__allocas(task) = fresh;
    return fresh + 1;
}

void gos__allocas_free(gos__task *task)
{
    while (*gos__allocas(task) != gos__allocas_none) {
        block *it = *gos__allocas(task);
        *gos__allocas(task) = it->next;
        give_back(it);
    }
}
