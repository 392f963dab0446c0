/* The units of the case `scale`: see scale.h. Task code. */
#include "scale.h"

#include <stdlib.h>

enum { CHILDREN = 10, RING = 1000, TOKENS = 16, FAN = 100, FAN_ROOM = 64 };

static const uint64_t STOP = UINT64_MAX;   /* the last word of a channel */

static scale *now;   /* the one under way */

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

static void count(uint64_t *counter, uint64_t n) { __atomic_fetch_add(counter, n, __ATOMIC_RELAXED); }

/* A unit that cannot be made does its work on the stack of who asked for it; the counts show it. */
static void spawn(void (*fn)(void *), void *arg)
{
    if (now->who->spawn(fn, arg) == 0) return;
    count(&now->failed, 1);
    fn(arg);
}

/* ---- skynet: fork and join ------------------------------------------------------------------------------------- */

typedef struct node {
    uint64_t sum;                /* of the numbers of the leaves below */
    uint32_t first, size;        /* number of the first leaf, how many */
    void *joined;                /* the parent's latch */
} node;

static void skynet_node(void *arg)
{
    node *self = arg;
    if (self->size == 1) {
        self->sum = self->first;
    } else {
        _Alignas(16) char latch[LATCH_BYTES];
        node child[CHILDREN];
        uint32_t size = self->size / CHILDREN;
        uint64_t sum = 0;
        now->who->latch_init(latch, CHILDREN);
        for (uint32_t i = 0; i < CHILDREN; i++) {
            child[i] = (node){ 0, self->first + i * size, size, latch };
            spawn(skynet_node, &child[i]);
        }
        now->who->latch_wait(latch);
        for (int i = 0; i < CHILDREN; i++) sum += child[i].sum;
        self->sum = sum;
    }
    now->who->latch_done(self->joined);
}

/* Units of a tree of n leaves, without its root. */
static uint64_t tree_units(uint64_t n)
{
    uint64_t units = 0;
    for (uint64_t level = n; level > 1; level /= CHILDREN) units += level;
    return units;
}

void skynet_round(scale *s)
{
    _Alignas(16) char latch[LATCH_BYTES];
    node root = { 0, 0, (uint32_t)s->n, latch };
    s->who->latch_init(latch, 1);
    spawn(skynet_node, &root);
    s->who->latch_wait(latch);
    s->result = root.sum;
    s->ops = tree_units(s->n) + 1;
    s->spawned += s->ops;
}

/* ---- skynet: channels and malloc ------------------------------------------------------------------------------- */

typedef struct sender {
    uint64_t first, size;
    void *parent;   /* channel that the sum goes to */
} sender;

static void skynet_sender(void *arg)
{
    sender self = *(sender *)arg;
    free(arg);
    uint64_t sum = self.first;
    if (self.size > 1) {
        uint64_t size = self.size / CHILDREN, word;
        void *chan = now->who->chan_new(CHILDREN);
        for (uint64_t i = 0; i < CHILDREN; i++) {
            sender *child = malloc(sizeof *child);
            *child = (sender){ self.first + i * size, size, chan };
            spawn(skynet_sender, child);
        }
        sum = 0;
        for (int i = 0; i < CHILDREN; i++) {
            now->who->chan_recv(chan, &word);
            sum += word;
        }
        now->who->chan_free(chan);
    }
    now->who->chan_send(self.parent, &sum);
}

void skynet_chan_round(scale *s)
{
    void *chan = s->who->chan_new(1);
    sender *root = malloc(sizeof *root);
    *root = (sender){ 0, s->n, chan };
    spawn(skynet_sender, root);
    s->who->chan_recv(chan, &s->result);
    s->who->chan_free(chan);
    s->ops = tree_units(s->n) + 1;
    s->spawned += s->ops;
}

/* ---- ring ------------------------------------------------------------------------------------------------------ */

static struct {
    void *chan[RING];      /* into each unit */
    void *finished;        /* latch: tokens at their end */
    void *ended;           /* latch: units */
} ring;

/* A token is the number of hops that it still has to do. */
static void ring_unit(void *place)
{
    size_t me = (size_t)(uintptr_t)place;
    void *in = ring.chan[me], *out = ring.chan[(me + 1) % RING];
    uint64_t token, hops = 0;
    for (now->who->chan_recv(in, &token); token != STOP; now->who->chan_recv(in, &token)) {
        hops++;
        token--;
        if (token > 0) now->who->chan_send(out, &token);
        else now->who->latch_done(ring.finished);
    }
    if (me + 1 < RING) now->who->chan_send(out, &token);
    count(&now->result, hops);
    now->who->latch_done(ring.ended);
}

void ring_round(scale *s)
{
    s->result = 0;
    s->ops = s->n / TOKENS * TOKENS;
    ring.finished = s->who->latch_new(TOKENS);
    ring.ended = s->who->latch_new(RING);
    for (size_t i = 0; i < RING; i++) ring.chan[i] = s->who->chan_new(1);
    for (uintptr_t i = 0; i < RING; i++) spawn(ring_unit, (void *)i);
    s->begin = stamp();
    for (size_t i = 0; i < TOKENS; i++) {
        uint64_t hops = s->n / TOKENS;
        s->who->chan_send(ring.chan[i * (RING / TOKENS)], &hops);
    }
    s->who->latch_wait(ring.finished);
    s->end = stamp();
    s->who->chan_send(ring.chan[0], &STOP);
    s->who->latch_wait(ring.ended);
    for (size_t i = 0; i < RING; i++) s->who->chan_free(ring.chan[i]);
    s->who->latch_free(ring.finished);
    s->who->latch_free(ring.ended);
    s->spawned += RING;
}

/* ---- fan ------------------------------------------------------------------------------------------------------- */

static struct {
    void *out, *in;   /* channels */
    void *ended;
} fan;

static void fan_source(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < now->n; i++) now->who->chan_send(fan.out, &i);
    for (int i = 0; i < FAN; i++) now->who->chan_send(fan.out, &STOP);
    now->who->latch_done(fan.ended);
}

static void fan_unit(void *unused)
{
    (void)unused;
    uint64_t word;
    for (now->who->chan_recv(fan.out, &word); word != STOP; now->who->chan_recv(fan.out, &word)) {
        word++;
        now->who->chan_send(fan.in, &word);
    }
    now->who->latch_done(fan.ended);
}

void fan_round(scale *s)
{
    uint64_t word, sum = 0;
    fan.out = s->who->chan_new(FAN_ROOM);
    fan.in = s->who->chan_new(FAN_ROOM);
    fan.ended = s->who->latch_new(FAN + 1);
    for (int i = 0; i < FAN; i++) spawn(fan_unit, NULL);
    spawn(fan_source, NULL);
    for (uint64_t i = 0; i < s->n; i++) {
        s->who->chan_recv(fan.in, &word);
        sum += word;
    }
    s->who->latch_wait(fan.ended);
    s->who->latch_free(fan.ended);
    s->who->chan_free(fan.in);
    s->who->chan_free(fan.out);
    s->result = sum;
    s->ops = s->n;
    s->spawned += FAN + 1;
}

/* ---- uneven tree ----------------------------------------------------------------------------------------------- */

typedef struct fib_half {
    uint64_t n, result;
    void *joined;
} fib_half;

static uint64_t fib(uint64_t n);

static void fib_unit(void *arg)
{
    fib_half *half = arg;
    half->result = fib(half->n);
    now->who->latch_done(half->joined);
}

static uint64_t fib(uint64_t n)
{
    if (n < 2) return n;
    _Alignas(16) char latch[LATCH_BYTES];
    fib_half larger = { n - 1, 0, latch };
    now->who->latch_init(latch, 1);
    spawn(fib_unit, &larger);
    uint64_t smaller = fib(n - 2);
    now->who->latch_wait(latch);
    return larger.result + smaller;
}

/* Units that fib(n) starts: u(n) = 1 + u(n-1) + u(n-2). */
static uint64_t fib_units(uint64_t n)
{
    uint64_t before = 0, units = 0;
    for (uint64_t i = 1; i < n; i++) {
        uint64_t next = 1 + units + before;
        before = units;
        units = next;
    }
    return units;
}

void tree_round(scale *s)
{
    s->result = fib(s->n);
    s->ops = fib_units(s->n);
    s->spawned += s->ops;
}

/* ---------------------------------------------------------------------------------------------------------------- */

void scale_main(void *arg)
{
    scale *s = now = arg;
    int64_t warm = stamp() + 4 * WARM_UP_NS;
    do s->round(s);
    while (stamp() < warm && s->failed == 0);
    int64_t from = stamp();
    s->begin = s->end = 0;
    s->round(s);
    if (s->begin == 0) {   /* the round has not timed itself */
        s->begin = from;
        s->end = stamp();
    }
}
