/*
 * coop.h: a small single-thread scheduler for units on stacks of fixed size.
 *
 * fixed.c and ucontext.c run on this same scheduler; they differ in what they put into the two seams, coop_switch
 * and coop_stacks, and in nothing else.
 *
 *     end -> +---------------------+  page boundary
 *            | colour: 0..15 lines |  so that the hot lines of all units do not fall into the same cache sets
 *   unit --> | coop_unit, one line |
 *            | the unit's frames   |  grow down; a unit that waits a few calls deep touches this one page only
 *            | ...                 |
 *   end-64K  +---------------------+
 *            | guard page, or the next stack
 */
#ifndef BASELINES_COOP_H
#define BASELINES_COOP_H

#include <stddef.h>
#include <stdint.h>

#define COOP_STACK_SIZE ((size_t)64 * 1024) /* unless stack_room asked for more */
#define COOP_LINE 64
#define COOP_COLOURS 16

typedef struct coop_unit {
    _Alignas(COOP_LINE) void *ctx; /* where it goes on; what coop_switch makes of it */
    struct coop_unit *next;        /* in the one queue, or the free list, that it is in */
    void (*fn)(void *);
    void *arg;
    uint64_t word;                 /* on its way through a channel */
    uint64_t *to;                  /* where it goes */
} coop_unit;

/* How to change stacks: the signatures and contracts of gos__ctx_switch and gos__ctx_init (runtime/arch/ctx.h). */
typedef struct coop_switch {
    void (*swap)(void **from, void *to);
    void *(*init)(void *top, void (*fn)(void *), void *arg);
    void *first; /* context that the first unit begins with, for a swap that expects a place to save to */
} coop_switch;

/* Where stacks come from. Finished ones are kept by the scheduler and used again, last in first out. */
typedef struct coop_stacks {
    void *(*map)(void);                 /* end of a new stack of coop_stack_size, or NULL */
    void (*unmap_all)(coop_unit *free); /* returns all that map gave out; free lists the units on them */
} coop_stacks;

extern const coop_stacks coop_stacks_guarded; /* each an mmap of its own with a page of mprotect below it */
extern const coop_stacks coop_stacks_bare;    /* side by side in large mmaps */

extern size_t coop_stack_size; /* of coop_stacks; changed before a run only */
void coop_stack_room(size_t bytes);

/* End of the stack on which the unit lies. */
void *coop_stack_end(const coop_unit *unit);

/* The operations of contender.h. */
int coop_run(const coop_switch *how, const coop_stacks *stacks, int threads, void (*fn)(void *), void *arg);
int coop_spawn(void (*fn)(void *), void *arg);
void coop_yield(void);
void *coop_gate_new(void);
void coop_gate_wait(void *gate);
void coop_gate_open(void *gate);
void *coop_latch_new(long n);
void coop_latch_init(void *latch, long n);
void coop_latch_done(void *latch);
void coop_latch_wait(void *latch);
void *coop_chan_new(size_t capacity);
void coop_chan_send(void *chan, const void *word);
void coop_chan_recv(void *chan, void *word);
void coop_free(void *object);
uint64_t coop_made(void);

#define COOP_OPERATIONS                                                                                                \
    .max_threads = 1, .spawn = coop_spawn, .yield = coop_yield,                                                        \
    .gate_new = coop_gate_new, .gate_wait = coop_gate_wait, .gate_open = coop_gate_open, .gate_free = coop_free,       \
    .latch_new = coop_latch_new, .latch_done = coop_latch_done, .latch_wait = coop_latch_wait,                         \
    .latch_free = coop_free, .latch_init = coop_latch_init,                                                            \
    .chan_new = coop_chan_new, .chan_send = coop_chan_send, .chan_recv = coop_chan_recv, .chan_free = coop_free,       \
    .made = coop_made

#endif
