/*
 * Random programs: any bytes are a program of tasks that send, receive, select, close, lock, wait with deadlines, start
 * tasks, timers and contexts, pin themselves, go deep. It runs in the real runtime, on a drawn number of workers or by
 * a seed; what must hold in any order (tests/fuzz/world.h) is looked at by each call and at the end. When the tasks
 * have been stuck for a while, all that they could wait for is given to them: then all must end, for a task that does
 * not was lost, and the run would not end.
 */
// timeout: 180
// not-with: emulator (qemu 7 ends in a child process that starts threads)
#define _GNU_SOURCE 1 /* gettid */
#include "tests/fuzz/play.h"

/* ---- channels ---- */

static void op_send(actor *me)
{
    channel *chan = some_channel(me);
    element out;
    int64_t number = world_send_begins(chan, &out, me->index, &me->sends);
    if (number < 0)
        return;
    before then = world_before(chan);
    unsigned how = fuzz_below(&me->in, 4);
    int64_t deadline = gos_now() + (how == 2 ? soon(me) : 0);
    int result = how == 3 ? gos_chan_try_send(chan->chan, out.bytes)
               : how == 2 ? gos_chan_send_until(chan->chan, out.bytes, deadline)
               : gos_chan_send(chan->chan, out.bytes);
    late_enough(result, deadline);
    fuzz_require(how == 3 || result != -EAGAIN);
    fuzz_require(how == 2 || result != -ETIMEDOUT);
    world_send_ended(chan, then, number, result);
}

static void op_recv(actor *me)
{
    channel *chan = some_channel(me);
    element in;
    element_spoil(&in);
    before then = world_before(chan);
    unsigned how = fuzz_below(&me->in, 4);
    int64_t deadline = gos_now() + (how == 2 ? soon(me) : 0);
    int result = how == 3 ? gos_chan_try_recv(chan->chan, in.bytes)
               : how == 2 ? gos_chan_recv_until(chan->chan, in.bytes, deadline)
               : gos_chan_recv(chan->chan, in.bytes);
    late_enough(result, deadline);
    fuzz_require(how == 3 || result != -EAGAIN);
    fuzz_require(how == 2 || result != -ETIMEDOUT);
    world_recv_ended(chan, then, me->index, &in, result);
}

static void op_burst(actor *me)
{
    fuzz_bytes again = me->in;
    unsigned n = fuzz_below(&me->in, 8);
    again.at += again.at < again.end;
    for (unsigned i = 0; i < n; i++) {
        me->in = again;
        if (n % 2)
            op_send(me);
        else
            op_recv(me);
    }
}

static void op_close(actor *me)
{
    channel *chan = some_channel(me);
    if (fuzz_below(&me->in, 4) == 0)
        world_close(chan);
    fuzz_require(gos_chan_len(chan->chan) <= chan->cap);
}

enum { ARMS = 5 };

typedef struct arms {
    gos_case cases[ARMS];
    element bytes[ARMS];
    channel *chans[ARMS];
    before then[ARMS];
    int64_t numbers[ARMS];
    unsigned n;
    int ready; /* one of them is closed: there is an answer at once */
} arms;

static void draw_arms(actor *me, arms *it)
{
    it->n = fuzz_below(&me->in, ARMS + 1);
    it->ready = 0;
    for (unsigned i = 0; i < it->n; i++) {
        unsigned draw = fuzz_byte(&me->in);
        channel *chan = &world.chans[draw % world.chans_n];
        int op = draw / 16 & 1 ? GOS_RECV : GOS_SEND, none = draw / 32 % 8 == 7;
        it->chans[i] = chan;
        it->numbers[i] = -1;
        if (op == GOS_SEND && !none)
            it->numbers[i] = world_send_begins(chan, &it->bytes[i], me->index, &me->sends);
        if (op == GOS_SEND && it->numbers[i] < 0)
            none = 1;
        if (op == GOS_RECV)
            element_spoil(&it->bytes[i]);
        it->then[i] = world_before(chan);
        it->ready |= !none && it->then[i].closed;
        it->cases[i] = (gos_case){ .chan = none ? NULL : chan->chan, .op = op, .elem = it->bytes[i].bytes,
                                   .result = 99 };
    }
}

static void end_arm(actor *me, arms *it, unsigned i, int chosen)
{
    channel *chan = it->chans[i];
    int result = it->cases[i].result;
    fuzz_require(chosen ? result == 0 || result == -EPIPE : result == 99);
    if (it->cases[i].op == GOS_RECV) {
        if (chosen)
            world_recv_ended(chan, it->then[i], me->index, &it->bytes[i], result);
        else
            element_untouched(&it->bytes[i]);
    } else if (it->numbers[i] >= 0) {
        if (chosen)
            world_send_ended(chan, it->then[i], it->numbers[i], result);
        else
            put(&world.attempts[it->numbers[i] >> 16][it->numbers[i] & 0xffff].how, (uint8_t)NOT_SENT);
    }
}

static void op_select(actor *me)
{
    arms it;
    draw_arms(me, &it);
    unsigned how = fuzz_below(&me->in, 4);
    int64_t timeout = how == 0 ? 0 : how == 1 ? 1 + soon(me) : -1, start = gos_now();
    int any = 0;
    for (unsigned i = 0; i < it.n; i++)
        any |= it.cases[i].chan != NULL;
    if (!any && timeout < 0)
        timeout = NS; /* for ever indeed: nothing can save it */
    int chosen = gos_select(it.cases, it.n, timeout);
    fuzz_require(chosen >= 0 ? (unsigned)chosen < it.n && it.cases[chosen].chan != NULL
                 : chosen == -EAGAIN ? timeout == 0 : chosen == -ETIMEDOUT && timeout > 0);
    fuzz_require(chosen >= 0 || !it.ready);
    late_enough(chosen, start + timeout);
    for (unsigned i = 0; i < it.n; i++)
        end_arm(me, &it, i, (int)i == chosen);
}

/* ---- tasks ---- */

static void act(void *arg)
{
    actor *me = arg;
    while (me->in.at < me->in.end && !look(&play.rescuing) && !me->ends)
        step(me);
    if (me->also)
        gos_waitgroup_done(me->also);
    int ends = me->ends;
    gos_waitgroup_done(&play.all);
    if (ends)
        gos_exit();
}

static int start(fuzz_bytes in, gos_waitgroup *also)
{
    unsigned index = count(&play.actors_n, 1) - 1;
    if (index >= TASKS)
        return 0;
    actor *it = &play.actors[index];
    *it = (actor){ .in = in, .index = index, .also = also };
    if (also)
        gos_waitgroup_add(also, 1);
    gos_waitgroup_add(&play.all, 1);
    fuzz_require(gos_go(act, it) == 0);
    return 1;
}

/* What is left of its script is halved between itself and a child, or done by both. */
static void op_start(actor *me)
{
    unsigned draw = fuzz_byte(&me->in);
    fuzz_bytes half = me->in;
    half.at += (half.end - half.at) / 2;
    if (draw % 4 == 0 && me->depth < DEEPEST && !me->holds) { /* who holds a lock does not wait for who may want it */
        gos_waitgroup here = GOS_WAITGROUP_INIT; /* on this stack: gone when this returns */
        start(half, &here);
        start(half, &here);
        int64_t deadline = gos_now() + soon(me);
        late_enough(gos_waitgroup_wait_until(&here, deadline), deadline);
        gos_waitgroup_wait(&here);
    } else {
        start(draw % 2 ? me->in : half, NULL);
    }
    if (draw % 2 == 0)
        me->in.end = half.at;
}

static void op_end(actor *me)
{
    if (fuzz_byte(&me->in) % 4 == 0 && me->depth == 0)
        me->ends = 1;
}

static void op_yield(actor *me)
{
    (void)me;
    gos_yield();
}

static void op_sleep(actor *me)
{
    int64_t ns = soon(me), start = gos_now();
    gos_sleep(ns);
    fuzz_require(gos_now() - start >= ns);
}

static void op_pin(actor *me)
{
    gos_pin();
    pid_t thread = gettid();
    step(me);
    fuzz_require(gettid() == thread);
    gos_unpin();
}

static __attribute__((noinline)) int deep(actor *me, unsigned n)
{
    volatile char frame[700];
    memset((char *)frame, (int)n, sizeof frame);
    if (n > 0)
        fuzz_require(deep(me, n - 1) == (int)(n - 1) % 128);
    else
        step(me);
    fuzz_require(frame[0] == (char)n && frame[sizeof frame - 1] == (char)n);
    return (int)n % 128;
}

static void op_deep(actor *me)
{
    unsigned n = fuzz_byte(&me->in) % 64;
    deep(me, GOS_SAN ? n / 8 : n * (n % 8 == 7 ? 8 : 1)); /* sanitized stacks do not grow */
}

static void op_procs(actor *me)
{
    if (fuzz_byte(&me->in) % 16 == 0)
        fuzz_require(gos_procs(1 + (int)fuzz_below(&me->in, 3)) > 0);
    fuzz_require(gos_ntasks() > 0);
}

static void (*const ops[])(actor *) = {
    op_send, op_send, op_send, op_recv, op_recv, op_recv, op_select, op_select, op_select, op_select, op_burst,
    op_close, op_mutex, op_mutex, op_cond, op_read_lock, op_write_lock, op_sem, op_once, op_start, op_start, op_end,
    op_yield, op_sleep, op_pin, op_deep, op_procs, op_timer, op_context, op_ticker, op_pipe,
};

/* ---- a run ---- */

/* Everything that a task may wait for. */
static void rescue(void)
{
    put(&play.rescuing, 1);
    int mine = gos_context_cancel(play.root, -ECANCELED) == 0;
    fuzz_require(!mine || count(&play.cause, -ECANCELED) == -ECANCELED);
    for (unsigned i = 0; i < world.chans_n; i++)
        world_close(&world.chans[i]);
    count(&play.given, GIVEN);
    gos_sem_release(&play.sem, GIVEN);
    for (int i = 0; i < TASKS && play.fds[0] >= 0; i++) {
        count(&play.written, 1);
        fuzz_require(write(play.fds[1], "", 1) == 1);
    }
    do
        gos_cond_broadcast(&play.cond);
    while (gos_waitgroup_wait_until(&play.all, gos_now() + 200 * NS));
}

static int play_out(void *arg)
{
    fuzz_bytes in = *(fuzz_bytes *)arg;
    unsigned n = 1 + fuzz_below(&in, 8);
    play.root = gos_context_new(NULL, INT64_MAX);
    gos_sem_release(&play.sem, UNITS);
    put(&play.given, UNITS);
    size_t each = (size_t)(in.end - in.at) / n + 1;
    for (unsigned i = 0; i < n && in.at < in.end; i++) {
        size_t size = each < (size_t)(in.end - in.at) ? each : (size_t)(in.end - in.at);
        start((fuzz_bytes){ in.at, in.at + size }, NULL);
        in.at += size;
    }
    if (play.early) {
        gos_sleep((int64_t)play.leaves_at * NS);
        return 7;
    }
    gos_waitgroup_wait_until(&play.all, gos_now() + 500 * NS);
    rescue();
    while (gos_ntasks() > 1)
        gos_sleep(NS);
    fuzz_require(play.owner == 0 && play.writer == 0 && play.readers == 0 && play.used == 0);
    fuzz_require(play.once_ran == play.once_done && play.fired + play.stopped == play.armed);
    fuzz_require(gos_context_cause(play.root) == play.cause);
    gos_sem_acquire(&play.sem, UNITS + GIVEN);
    fuzz_require(gos_sem_tryacquire(&play.sem, 1) == -EAGAIN);
    fuzz_require(gos_mutex_trylock(&play.mutex) == 0 && gos_rwmutex_trylock(&play.rwmutex) == 0);
    for (; play.read < play.written && play.fds[0] >= 0; play.read++)
        fuzz_require(read(play.fds[0], &(char){ 0 }, 1) == 1);
    gos_context_free(play.root);
    world_balance();
    return 7;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int workers[] = { 1, 2, 2, 3 };
    fuzz_bytes in = { data, data + size };
    unsigned how = fuzz_byte(&in);
    count(&plays, 1);
    play = (struct play){ .ops = ops, .ops_n = sizeof ops / sizeof *ops };
    play.seeded = how & 1;
    play.early = how / 8 % 8 == 7;
    play.leaves_at = fuzz_byte(&in);
    play.fds[0] = play.fds[1] = -1;
    if (how / 64 == 3)
        fuzz_require(pipe(play.fds) == 0);
    fuzz_seed(play.seeded, how + 256ull * fuzz_byte(&in));
    gos_procs(workers[how / 2 % 4]);
    world_make(&in);
    fuzz_require(gos_run(play_out, &in) == 7);
    fuzz_require(gos_ntasks() == 0);
    world_free();
    if (play.fds[0] >= 0)
        fuzz_require(close(play.fds[0]) == 0 && close(play.fds[1]) == 0);
    if (play.early)
        gos_context_free(play.root);
    return 0;
}

FUZZ_MAIN(1500)
