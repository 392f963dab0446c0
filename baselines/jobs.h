/*
 * jobs.h: records of "call fn(arg)" on their way from one thread to another.
 *
 * Carved from page-sized blocks and recycled, so that a spawn calls malloc once in some 170 times and a started
 * thread never does: its first free() would give it an allocator cache that counts as memory of the thread.
 * The caller holds the lock that guards the store.
 */
#ifndef BASELINES_JOBS_H
#define BASELINES_JOBS_H

#include <stddef.h>
#include <stdlib.h>

typedef struct job {
    struct job *next;
    void (*fn)(void *);
    void *arg;
} job;

#define JOBS_PER_BLOCK ((4096 - 32) / sizeof(job))

typedef struct job_block {
    struct job_block *next;
    size_t used;
    job jobs[JOBS_PER_BLOCK];
} job_block;

typedef struct job_store {
    job *free;
    job_block *blocks;
} job_store;

/* A record, or NULL without memory. */
static inline job *job_take(job_store *store)
{
    job *taken = store->free;
    if (taken) {
        store->free = taken->next;
        return taken;
    }
    job_block *block = store->blocks;
    if (!block || block->used == JOBS_PER_BLOCK) {
        block = malloc(sizeof *block);
        if (!block)
            return NULL;
        block->used = 0;
        block->next = store->blocks;
        store->blocks = block;
    }
    return &block->jobs[block->used++];
}

static inline void job_give(job_store *store, job *done)
{
    done->next = store->free;
    store->free = done;
}

/* Frees every record, taken or not. */
static inline void job_store_clear(job_store *store)
{
    while (store->blocks) {
        job_block *block = store->blocks;
        store->blocks = block->next;
        free(block);
    }
    store->free = NULL;
}

#endif
