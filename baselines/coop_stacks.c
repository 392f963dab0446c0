/*
 * coop_stacks.c: stacks of 64 KiB (or what stack_room asked for), with a guard page each and without.
 *
 * Pages come by first touch. MAP_NORESERVE: a stack that is mostly address space is not counted as memory promised.
 * No huge pages: one touched page per stack would become two megabytes.
 */
#include "coop.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

size_t coop_stack_size = COOP_STACK_SIZE;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* The control block, its colour and what the unit's own calls take come on top. */
void coop_stack_room(size_t bytes)
{
    size_t page = page_size(), whole = (bytes + 4 * page + page - 1) / page * page;
    if (whole > coop_stack_size)
        coop_stack_size = whole;
}

static char *map_pages(size_t size)
{
    void *base =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

/* ---- guarded: two mappings each, which vm.max_map_count counts ---- */

static void *guarded_map(void)
{
    size_t guard = page_size();
    char *base = map_pages(guard + coop_stack_size);
    if (!base)
        return NULL;
    if (mprotect(base, guard, PROT_NONE)) {
        munmap(base, guard + coop_stack_size);
        return NULL;
    }
    return base + guard + coop_stack_size;
}

static void guarded_unmap_all(coop_unit *free)
{
    size_t whole = page_size() + coop_stack_size;
    while (free) {
        coop_unit *next = free->next;
        munmap((char *)coop_stack_end(free) - whole, whole);
        free = next;
    }
}

const coop_stacks coop_stacks_guarded = {.map = guarded_map, .unmap_all = guarded_unmap_all};

/* ---- bare: carved from slabs, which the kernel joins into few mappings ---- */

#define STACKS_PER_SLAB 256

typedef struct slab {
    struct slab *next;
    char *base;
} slab;

static struct {
    slab *slabs;       /* the newest first */
    size_t left;       /* stacks not yet given out of it */
} bare;

static size_t slab_size(void)
{
    return STACKS_PER_SLAB * coop_stack_size;
}

static int add_slab(void)
{
    slab *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return 0;
    fresh->base = map_pages(slab_size());
    if (!fresh->base) {
        free(fresh);
        return 0;
    }
    madvise(fresh->base, slab_size(), MADV_NOHUGEPAGE); /* a kernel without huge pages refuses: as good */
    fresh->next = bare.slabs;
    bare.slabs = fresh;
    bare.left = STACKS_PER_SLAB;
    return 1;
}

static void *bare_map(void)
{
    if (bare.left == 0 && !add_slab())
        return NULL;
    return bare.slabs->base + bare.left-- * coop_stack_size;
}

static void bare_unmap_all(coop_unit *unused)
{
    (void)unused;
    while (bare.slabs) {
        slab *gone = bare.slabs;
        bare.slabs = gone->next;
        munmap(gone->base, slab_size());
        free(gone);
    }
    bare.left = 0;
}

const coop_stacks coop_stacks_bare = {.map = bare_map, .unmap_all = bare_unmap_all};
