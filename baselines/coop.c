/*
 * coop.c: first in, first out; units switch straight to one another.
 *
 * A unit is in exactly one place: it runs, or it is in the ready queue, in the queue of what it waits for, or in the
 * free list. There is no context of a scheduler in between, and nothing is allocated but stacks.
 */
#include "contender.h"
#include "coop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct queue {
    coop_unit *head, *tail; /* tail counts only while head is set */
} queue;

static struct {
    void (*swap)(void **from, void *to);
    coop_unit *current;     /* NULL between runs */
    queue ready;
    coop_unit *free;
    long live;              /* units that have not ended, the first one not counted */
    bool first_waits;       /* the first unit has returned and waits for live to become 0 */
    unsigned colour;
    const coop_switch *how;
    const coop_stacks *stacks;
    coop_unit first;
    _Atomic uint64_t made;  /* units that were begun; atomic because any thread may ask */
} coop;

static void push(queue *q, coop_unit *unit)
{
    unit->next = NULL;
    if (q->head)
        q->tail->next = unit;
    else
        q->head = unit;
    q->tail = unit;
}

/* NULL when empty. */
static coop_unit *pop(queue *q)
{
    coop_unit *unit = q->head;
    if (unit)
        q->head = unit->next;
    return unit;
}

/* Appends all of src to dst and empties it. */
static void splice(queue *dst, queue *src)
{
    if (!src->head)
        return;
    if (dst->head)
        dst->tail->next = src->head;
    else
        dst->head = src->head;
    dst->tail = src->tail;
    src->head = NULL;
}

static _Noreturn void deadlock(void)
{
    static const char line[] = "baselines: every unit waits and none can run: the workload deadlocked\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    abort();
}

/* Goes on with the next ready unit. Whoever calls this has put the current one where it will be found again. */
static void resume_next(void)
{
    coop_unit *self = coop.current;
    coop_unit *next = pop(&coop.ready);
    if (!next)
        deadlock();
    coop.current = next;
    coop.swap(&self->ctx, next->ctx);
}

static void wait_in(queue *q)
{
    push(q, coop.current);
    resume_next();
}

static void unit_begins(void)
{
    uint64_t made = atomic_load_explicit(&coop.made, memory_order_relaxed);
    atomic_store_explicit(&coop.made, made + 1, memory_order_relaxed);
}

/* The stack goes to the free list while its unit still runs on it: the next spawn that could take it happens after
 * the switch away. */
static void unit_main(void *arg)
{
    coop_unit *self = arg;
    unit_begins();
    self->fn(self->arg);
    self->next = coop.free;
    coop.free = self;
    if (--coop.live == 0 && coop.first_waits)
        push(&coop.ready, &coop.first);
    resume_next();
    __builtin_unreachable();
}

void *coop_stack_end(const coop_unit *unit)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    return (void *)(((uintptr_t)unit | (page - 1)) + 1);
}

static coop_unit *take_stack(void)
{
    coop_unit *unit = coop.free;
    if (unit) {
        coop.free = unit->next;
        return unit;
    }
    char *end = coop.stacks->map();
    if (!end)
        return NULL;
    coop.colour = (coop.colour + 1) % COOP_COLOURS;
    return (coop_unit *)(end - (coop.colour + 1) * COOP_LINE);
}

int coop_spawn(void (*fn)(void *), void *arg)
{
    coop_unit *unit = take_stack();
    if (!unit)
        return -ENOMEM;
    unit->fn = fn;
    unit->arg = arg;
    unit->ctx = coop.how->init(unit, unit_main, unit);
    coop.live++;
    push(&coop.ready, unit);
    return 0;
}

int coop_run(const coop_switch *how, const coop_stacks *stacks, int threads, void (*fn)(void *), void *arg)
{
    if (threads != 1)
        return -EINVAL;
    if (coop.current)
        return -EBUSY;
    coop.how = how;
    coop.stacks = stacks;
    coop.swap = how->swap;
    coop.first = (coop_unit){.ctx = how->first};
    coop.current = &coop.first;
    atomic_store_explicit(&coop.made, 0, memory_order_relaxed);
    unit_begins();
    fn(arg);
    if (coop.live > 0) {
        coop.first_waits = true;
        resume_next();
        coop.first_waits = false;
    }
    coop.current = NULL;
    coop.stacks->unmap_all(coop.free);
    coop.free = NULL;
    return 0;
}

uint64_t coop_made(void)
{
    return atomic_load_explicit(&coop.made, memory_order_relaxed);
}

void coop_yield(void)
{
    if (coop.ready.head)
        wait_in(&coop.ready);
}

/* For gates, latches and channels: plain memory that nobody waits in any more. */
void coop_free(void *object)
{
    free(object);
}

/* ---- gate ---- */

typedef struct gate {
    queue waiters;
    bool open;
} gate;

void *coop_gate_new(void)
{
    return calloc(1, sizeof(gate));
}

void coop_gate_wait(void *arg)
{
    gate *g = arg;
    if (!g->open)
        wait_in(&g->waiters);
}

void coop_gate_open(void *arg)
{
    gate *g = arg;
    g->open = true;
    splice(&coop.ready, &g->waiters);
}

/* ---- latch ---- */

typedef struct latch {
    queue waiters;
    long missing;
} latch;

void *coop_latch_new(long n)
{
    latch *l = calloc(1, sizeof *l);
    if (l)
        l->missing = n;
    return l;
}

void coop_latch_init(void *latch, long n)
{
    _Static_assert(sizeof(struct latch) <= LATCH_BYTES, "coop: a latch must fit the caller's place");
    *(struct latch *)latch = (struct latch){.missing = n};
}

void coop_latch_done(void *arg)
{
    latch *l = arg;
    if (--l->missing == 0)
        splice(&coop.ready, &l->waiters);
}

void coop_latch_wait(void *arg)
{
    latch *l = arg;
    if (l->missing > 0)
        wait_in(&l->waiters);
}

/* ---- channel: a ring, and the units that found it full or empty; at most one of the two queues has entries ---- */

typedef struct chan {
    queue senders, receivers;
    size_t capacity, head, count; /* oldest word, words */
    uint64_t ring[];
} chan;

void *coop_chan_new(size_t capacity)
{
    if (capacity > (SIZE_MAX - sizeof(chan)) / sizeof(uint64_t))
        return NULL;
    chan *c = calloc(1, sizeof *c + capacity * sizeof c->ring[0]);
    if (c)
        c->capacity = capacity;
    return c;
}

static void ring_put(chan *c, uint64_t word)
{
    size_t at = c->head + c->count++;
    c->ring[at < c->capacity ? at : at - c->capacity] = word;
}

static uint64_t ring_get(chan *c)
{
    uint64_t word = c->ring[c->head];
    c->head = c->head + 1 < c->capacity ? c->head + 1 : 0;
    c->count--;
    return word;
}

void coop_chan_send(void *arg, const void *from)
{
    chan *c = arg;
    uint64_t word = *(const uint64_t *)from;
    coop_unit *receiver = pop(&c->receivers);
    if (receiver) {
        *receiver->to = word;
        push(&coop.ready, receiver);
    } else if (c->count < c->capacity) {
        ring_put(c, word);
    } else {
        coop.current->word = word;
        wait_in(&c->senders);
    }
}

void coop_chan_recv(void *arg, void *to)
{
    chan *c = arg;
    coop_unit *sender = c->senders.head;
    if (c->count == 0 && !sender) {
        coop.current->to = to;
        wait_in(&c->receivers);   /* the last call, so that nothing has to return when it comes back */
        return;
    }
    *(uint64_t *)to = c->count ? ring_get(c) : sender->word;
    if (sender) {
        pop(&c->senders);
        if (c->capacity)
            ring_put(c, sender->word);
        push(&coop.ready, sender);
    }
}
