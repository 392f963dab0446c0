/*
 * select.c: waiting for one of several channels.
 *
 * A select that parks has one waiter in each of its channels and perhaps an alarm. Whoever takes one of these waiters
 * out of its channel, and the alarm when it fires, must move `won` from 0 to 1; who fails leaves the select alone. The
 * winner owns it: takes the other waiters out of their channels, gives the block back and readies the task. A loser
 * touches a waiter only under its channel's lock, which the winner takes for each of them, so none is left behind in
 * a freed block. All waiters are put in with all channels locked (in the order of their addresses), so that no select
 * is won before its task has decided to park.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "os/os.h"
#include "sched/seed.h"
#include "sched/trace.h"
#include "sync/chan.h"
#include "sync/sync.h"

#define MAX_CASES 65536

/* Up to so many cases are tried before anything is made for the select that may have to park. */
#define FEW_CASES 16

typedef struct select_block select_block;

typedef struct node {
    gos__waiter waiter;
    select_block *select;
    uint64_t queued; /* under its channel's lock */
} node;

struct select_block {
    gos__alarm alarm;
    uint32_t won;
    uint32_t n, ordered; /* cases, and how many of them the order below names */
    uint32_t futex;      /* of an outsider: 1 + the case that was done */
    gos_case *cases;     /* on the stack of who waits */
    gos__task *task;     /* NULL: an outsider */
    node nodes[]; /* n, and then the order in which to go through the cases: uint16_t each */
};

_Static_assert(offsetof(gos_case, chan) == GOS_CASE_CHAN && offsetof(gos_case, op) == GOS_CASE_OP, "gos_case");
_Static_assert(offsetof(gos_case, elem) == GOS_CASE_ELEM && offsetof(gos_case, result) == GOS_CASE_RESULT, "gos_case");
_Static_assert(GOS_SEND == GOS_CASE_SEND && GOS_RECV == GOS_CASE_RECV && sizeof(gos_case) <= 40, "gos_case");
_Static_assert(sizeof(select_block) + 4 * (sizeof(node) + sizeof(uint16_t)) <= GOS_ALARM_BLOCK, "four cases");

static void time_out(gos__worker *worker, gos__alarm *alarm);

static uint16_t *order_of(select_block *select)
{
    return (uint16_t *)&select->nodes[select->n];
}

static size_t block_size(size_t n)
{
    return sizeof(select_block) + n * (sizeof(node) + sizeof(uint16_t));
}

static select_block *block_begin(select_block *select, gos_case *cases, size_t n, gos__task *self)
{
    if (select) {
        select->won = 0;
        select->futex = 0;
        select->n = (uint32_t)n;
        select->cases = cases;
        select->task = self;
    }
    return select;
}

static select_block *block_new(gos__worker *worker, gos_case *cases, size_t n, gos__task *self)
{
    return block_begin((select_block *)gos__alarm_new(worker, block_size(n), time_out), cases, n, self);
}

/* ---- ends ---- */

bool gos__select_win(gos__waiter *waiter)
{
    node *it = (node *)waiter;
    it->queued = 0;
    return gos__cas_acquire(&it->select->won, 0, 1);
}

/* Takes all waiters out but that of case `winner`, which is out already. */
static void take_out(select_block *select, uint32_t winner)
{
    for (uint32_t i = 0; i < select->n; i++) {
        gos_chan *chan = select->cases[i].chan;
        if (!chan || i == winner)
            continue;
        gos__chan_lock(chan);
        if (select->nodes[i].queued)
            gos__chan_remove(select->cases[i].op == GOS_SEND ? &chan->senders : &chan->receivers,
                             &select->nodes[i].waiter);
        gos__chan_unlock(chan);
    }
}

void gos__select_end(gos__waiter *waiter, int result)
{
    node *it = (node *)waiter;
    select_block *select = it->select;
    uint32_t index = (uint32_t)(it - select->nodes);
    take_out(select, index);
    select->cases[index].result = result;
    if (gos__unlikely(!select->task)) {
        gos__store_release(&select->futex, index + 1); /* pairs with the acquire in await_outside; the block may go */
        gos__futex_wake(&select->futex, 1);
        return;
    }
    select->task->result = (int32_t)index;
    gos__alarm_return(&select->alarm);
}

static void time_out(gos__worker *worker, gos__alarm *alarm)
{
    select_block *select = (select_block *)alarm;
    gos__task *task = select->task;
    if (!gos__cas_acquire(&select->won, 0, 1))
        return;
    take_out(select, MAX_CASES);
    gos__alarm_return(alarm);
    task->result = -ETIMEDOUT;
    gos__store_relaxed(&task->state, (uint8_t)GOS_READY);
    if (gos__is_traced(worker))
        gos__trace_ready(worker, task, GOS_BY_TIMER);
    gos__push_back(worker, task);
}

/* ---- orders ---- */

static void shuffle(gos__rng *rng, uint16_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = gos__rng_below(rng, i + 1);
        order[i] = order[j];
        order[j] = (uint16_t)i;
    }
}

static void sift(const gos_case *cases, uint16_t *order, uint32_t at, uint32_t n)
{
    uint16_t moved = order[at];
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && (uintptr_t)cases[order[child + 1]].chan > (uintptr_t)cases[order[child]].chan)
            child++;
        if ((uintptr_t)cases[order[child]].chan <= (uintptr_t)cases[moved].chan)
            break;
        order[at] = order[child];
    }
    order[at] = moved;
}

/* The cases with a channel, by its address. Heap sort: in place, and never quadratic. */
static uint32_t sort_by_channel(const gos_case *cases, uint16_t *order, uint32_t all)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < all; i++)
        if (cases[order[i]].chan)
            order[n++] = order[i];
    for (uint32_t i = n / 2; i-- > 0;)
        sift(cases, order, i, n);
    for (uint32_t last = n; last-- > 1;) {
        uint16_t largest = order[0];
        order[0] = order[last];
        order[last] = largest;
        sift(cases, order, 0, last);
    }
    return n;
}

/* ---- beginnings ---- */

static int try_case(gos_case *it, gos__waiter **met)
{
    return it->op == GOS_SEND ? gos__chan_put(it->chan, it->elem, met) : gos__chan_get(it->chan, it->elem, met);
}

/* Does a case if it is ready; false: it is not. */
static bool do_case(gos_case *it)
{
    gos__waiter *met = NULL;
    gos__chan_lock(it->chan);
    int result = try_case(it, &met);
    gos__chan_unlock(it->chan);
    if (result == -EAGAIN)
        return false;
    it->result = result;
    if (met)
        gos__chan_met(met, 0, true);
    return true;
}

/* Does the first case that is ready, in the order given, and returns its index; -EAGAIN: none is. */
static int poll_each(select_block *select)
{
    const uint16_t *order = order_of(select);
    for (uint32_t i = 0; i < select->n; i++)
        if (select->cases[order[i]].chan && do_case(&select->cases[order[i]]))
            return order[i];
    return -EAGAIN;
}

/* False: the case is not ready; true: it may be. Only of an own channel is that known without its lock. */
static inline bool may_be_ready(const gos_case *it)
{
    const gos_chan *chan = it->chan;
    if (!chan || !gos__chan_is_ours(chan))
        return chan != NULL;
    return it->op == GOS_SEND ? chan->receivers || chan->len < chan->capacity || chan->closed
                              : chan->senders || chan->len || chan->closed;
}

/* The same for a few cases. A choice is drawn only where there is one, since the processor would guess
 * it wrong half of the time. */
static int poll_few(gos__rng *rng, gos_case *cases, uint32_t n)
{
    uint16_t maybe[FEW_CASES];
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++)
        if (may_be_ready(&cases[i]))
            maybe[left++] = (uint16_t)i;
    while (left) {
        uint32_t at = left > 1 ? gos__rng_below(rng, left) : 0, i = maybe[at];
        if (do_case(&cases[i]))
            return (int)i;
        maybe[at] = maybe[--left];
    }
    return -EAGAIN;
}

/* The order is by channel: the same one twice stands together and is locked once. */
static bool is_first_of_its_channel(const select_block *select, const uint16_t *order, uint32_t i)
{
    return !i || select->cases[order[i - 1]].chan != select->cases[order[i]].chan;
}

/* Biases of other workers are taken away before anything is locked: to wait for a worker with a channel locked could be
 * to wait for one that waits for the channel. */
static void lock_all(select_block *select)
{
    const uint16_t *order = order_of(select);
    for (uint32_t i = 0; i < select->ordered; i++)
        gos__chan_revoke(select->cases[order[i]].chan);
    for (uint32_t i = 0; i < select->ordered; i++)
        if (is_first_of_its_channel(select, order, i))
            gos__chan_lock(select->cases[order[i]].chan);
}

/* Backwards: a winner cannot end the select without the lock that goes last, and that is the last look into it. */
static void unlock_all(select_block *select)
{
    const uint16_t *order = order_of(select);
    for (uint32_t i = select->ordered; i-- > 0;)
        if (is_first_of_its_channel(select, order, i))
            gos__chan_unlock(select->cases[order[i]].chan);
}

/* Once more with all locked: does one, or puts a waiter into each channel and returns -EAGAIN. */
static int poll_or_enqueue(select_block *select, gos__waiter **met)
{
    const uint16_t *order = order_of(select);
    for (uint32_t i = 0; i < select->ordered; i++) {
        gos_case *it = &select->cases[order[i]];
        int result = try_case(it, met);
        if (result != -EAGAIN) {
            it->result = result;
            return order[i];
        }
    }
    if (select->task) {
        gos__waits_for(select->task, GOS_WAIT_SELECT, NULL);
        gos__store_release(&select->task->state, (uint8_t)GOS_PARKED); /* pairs with C3 of sched/claim.h */
    }
    for (uint32_t i = 0; i < select->ordered; i++) {
        gos_case *it = &select->cases[order[i]];
        node *mine = &select->nodes[order[i]];
        *mine = (node){ .waiter = { .elem = it->elem, .task = select->task }, .select = select, .queued = 1 };
        gos__chan_append(it->op == GOS_SEND ? &it->chan->senders : &it->chan->receivers, &mine->waiter);
    }
    return -EAGAIN;
}

static gos__task *answer(gos__task *self, select_block *select, int result)
{
    gos__alarm_return(&select->alarm);
    self->result = result;
    return self;
}

static bool are_valid(const gos_case *cases, size_t n)
{
    for (size_t i = 0; i < n && n <= MAX_CASES; i++)
        gos__require(cases[i].op == GOS_SEND || cases[i].op == GOS_RECV,
                     "gos_select: case %zu has the operation %d, neither GOS_SEND nor GOS_RECV", i, cases[i].op);
    return n <= MAX_CASES;
}

int gos__select(gos_case *cases, size_t n, int64_t timeout)
{
    if (!are_valid(cases, n))
        return -EINVAL;
    if (n > FEW_CASES)
        return GOS_MUST_PARK;
    int chosen = poll_few(&gos__self.worker->rng, cases, (uint32_t)n);
    return chosen == -EAGAIN && timeout ? GOS_MUST_PARK : chosen;
}

gos__task *gos__select_parks(gos_case *cases, size_t n, int64_t timeout, gos__task *self)
{
    gos__worker *worker = gos__self.worker;
    select_block *select = block_new(worker, cases, n, self);
    self->result = -ENOMEM;
    if (!select)
        return self;
    shuffle(&worker->rng, order_of(select), select->n);
    int chosen = n > FEW_CASES ? poll_each(select) : -EAGAIN;
    if (chosen >= 0 || timeout == 0)
        return answer(self, select, chosen);
    /* Before the channels are unlocked, since the winner gives the block back. It cannot fire before we park. */
    if (timeout > 0 && !gos__alarm_set(worker, &select->alarm, gos__deadline(timeout)))
        return answer(self, select, -ENOMEM);
    select->ordered = sort_by_channel(cases, order_of(select), select->n);
    gos__waiter *met = NULL;
    lock_all(select);
    chosen = poll_or_enqueue(select, &met);
    unlock_all(select);
    if (chosen < 0)
        return gos__park(self);
    if (met)
        gos__chan_met(met, 0, true);
    return answer(self, select, chosen);
}

/* ---- from outside tasks ---- */

static int await_outside(select_block *select, int64_t deadline)
{
    uint32_t done;
    while (!(done = gos__load_acquire(&select->futex))) {
        gos__futex_wait(&select->futex, 0, deadline);
        if (deadline == INT64_MAX || gos__clock_ns() < deadline)
            continue;
        if (gos__cas_acquire(&select->won, 0, 1)) {
            take_out(select, MAX_CASES);
            return -ETIMEDOUT;
        }
        deadline = INT64_MAX; /* somebody is about to end it */
    }
    return (int)(done - 1);
}

static int select_outside(select_block *select, int64_t timeout)
{
    gos__rng rng = { .state = gos__ticks() };
    shuffle(&rng, order_of(select), select->n);
    int chosen = poll_each(select);
    if (chosen >= 0 || timeout == 0)
        return chosen;
    int64_t now = gos__clock_ns(), deadline = timeout < 0 || timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
    select->ordered = sort_by_channel(select->cases, order_of(select), select->n);
    gos__waiter *met = NULL;
    lock_all(select);
    chosen = poll_or_enqueue(select, &met);
    unlock_all(select);
    if (chosen < 0)
        return await_outside(select, deadline);
    if (met)
        gos__chan_met(met, 0, true);
    return chosen;
}

int gos__select_outside(gos_case *cases, size_t n, int64_t timeout)
{
    if (!are_valid(cases, n))
        return -EINVAL;
    _Alignas(select_block) char room[GOS_ALARM_BLOCK];
    bool fits = block_size(n) <= sizeof room;
    select_block *select = block_begin(fits ? (select_block *)room : malloc(block_size(n)), cases, n, NULL);
    if (!select)
        return -ENOMEM;
    int chosen = select_outside(select, timeout);
    if (!fits)
        free(select);
    return chosen;
}

/* ---- one channel ---- */

static int64_t timeout_of(const gos_case *one, int64_t deadline)
{
    gos__require(one->chan != NULL, "gos_chan_%s: the channel is NULL", one->op == GOS_SEND ? "send" : "recv");
    int64_t now = deadline == INT64_MAX ? 0 : gos__own_clock();
    return deadline == INT64_MAX ? -1 : deadline > now ? deadline - now : 0;
}

gos__task *gos__chan_until(gos_case *one, int64_t deadline, void *c, gos__task *self)
{
    (void)c;
    int64_t timeout = timeout_of(one, deadline);
    int chosen = gos__select(one, 1, timeout);
    if (chosen == GOS_MUST_PARK)
        return gos__select_parks(one, 1, timeout, self);
    self->result = chosen == -EAGAIN ? -ETIMEDOUT : chosen;
    return self;
}

int gos__chan_until_outside(gos_case *one, int64_t deadline)
{
    int chosen = gos__select_outside(one, 1, timeout_of(one, deadline));
    return chosen == -EAGAIN ? -ETIMEDOUT : chosen;
}
