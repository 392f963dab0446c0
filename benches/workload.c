/*
 * The units. They call no libc: the linker would move a function that does to a deep region, and the stack of a unit
 * is what is measured. stamp() is the one exception, and called outside the loops only.
 */
#include "workload.h"

#include "bench.h"

enum { WARM_UP_WORDS = 64, WARM_UP_YIELDS = 64 };

/* Words of a hand-over that say what comes next: nothing, or the line. */
static const uint64_t GAME_OVER = UINT64_MAX, LINE_NEXT = UINT64_MAX - 1;

static workload *work;   /* the one workload under way */

static __attribute__((noinline)) int64_t stamp(void) { return clock_ns(); }

/* The end of the timed part. */
static void stop_clock(workload *w)
{
    w->end = stamp();
    int64_t longer = w->end + (w->end - w->begin) * w->slow / 100;
    while (w->end < longer) w->end = stamp();
}

static void count(uint64_t *counter, uint64_t n) { __atomic_fetch_add(counter, n, __ATOMIC_RELAXED); }

/* ---- memory -------------------------------------------------------------------------------------------------- */

static void parked_unit(void *unused)
{
    (void)unused;
    workload *w = work;
    count(&w->ran, 1);
    w->who->latch_done(w->arrived);
    w->who->gate_wait(w->gate);
    w->who->latch_done(w->finished);
}

/* A unit could not be made, or the observer wants an end: everything that runs goes on. */
static void stop_spawning(workload *w, int error)
{
    w->stopped = true;
    w->error = error;
    observer_ask(OBSERVER_LIMITS, error);
}

static void spawn_parked(workload *w)
{
    while (w->spawned < w->asked && !w->stopped) {
        int error = observer_says_stop() ? 0 : w->who->spawn(parked_unit, NULL);
        if (error != 0 || observer_says_stop()) stop_spawning(w, -error);
        if (error == 0) w->spawned++;
    }
}

static void all_done(workload *w, void *latch, uint64_t missing)
{
    for (uint64_t i = 0; i < missing; i++) w->who->latch_done(latch);
    w->who->latch_wait(latch);
}

void memory_main(void *arg)
{
    workload *w = work = arg;
    w->gate = w->who->gate_new();
    w->arrived = w->who->latch_new((long)w->asked);
    w->finished = w->who->latch_new((long)w->asked);
    w->no_memory = w->gate == NULL || w->arrived == NULL || w->finished == NULL;
    if (w->no_memory) return;
    spawn_parked(w);
    all_done(w, w->arrived, w->asked - w->spawned);
    if (w->who->settle != NULL) w->unsettled = w->who->settle();
    observer_ask(OBSERVER_STOP, 0);
    w->who->gate_open(w->gate);
    all_done(w, w->finished, w->asked - w->spawned);
    observer_ask(OBSERVER_STOP, 0);
    w->who->latch_free(w->finished);
    w->who->latch_free(w->arrived);
    w->who->gate_free(w->gate);
}

/* ---- spawn --------------------------------------------------------------------------------------------------- */

static void marking_unit(void *mark)
{
    ++*(uint8_t *)mark;
    work->who->latch_done(work->finished);
}

static void spawn_round(workload *w)
{
    uint64_t made = 0;
    w->finished = w->who->latch_new((long)w->asked);
    w->no_memory = w->finished == NULL;
    if (w->no_memory) return;
    for (uint64_t i = 0; i < w->asked; i++) w->marks[i] = 0;
    w->begin = stamp();
    while (made < w->asked) {
        int error = observer_says_stop() ? 0 : w->who->spawn(marking_unit, &w->marks[made]);
        if (error != 0 || observer_says_stop()) {
            stop_spawning(w, -error);
            break;
        }
        made++;
    }
    all_done(w, w->finished, w->asked - made);
    stop_clock(w);
    w->who->latch_free(w->finished);
    for (uint64_t i = 0; i < w->asked; i++) w->ran += w->marks[i];
    w->spawned += made;
}

void spawn_main(void *arg)
{
    workload *w = work = arg;
    int64_t warm = stamp() + WARM_UP_NS;
    if (w->warm_up) do spawn_round(w);
    while (!w->stopped && stamp() < warm);
    if (!w->stopped) spawn_round(w);
}

/* ---- yield --------------------------------------------------------------------------------------------------- */

static uint64_t started, ended;   /* sides that have begun and finished their loop */
static void *last;                /* the side that ran last */

static void yielding_unit(void *side)
{
    workload *w = work;
    void (*yield)(void) = w->who->yield;
    uint64_t passed = 0;
    count(&w->ran, 1);
    for (int64_t warm = stamp() + WARM_UP_NS; stamp() < warm;)
        for (int i = 0; i < WARM_UP_YIELDS; i++) yield();
    count(&started, 1);
    while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) < 2) yield();
    if (w->begin == 0) w->begin = stamp();
    for (uint64_t i = 0; i < w->asked; i++) {
        if (__atomic_load_n(&last, __ATOMIC_RELAXED) != side) {
            __atomic_store_n(&last, side, __ATOMIC_RELAXED);
            passed++;
        }
        yield();
    }
    count(&w->ops, passed);
    if (__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL) == 1) stop_clock(w);
    w->who->latch_done(w->finished);
}

/* Starts a unit for each side and waits for both. */
static void two_sides(workload *w, void (*one)(void *), void (*other)(void *))
{
    static char side[2];
    w->finished = w->who->latch_new(2);
    w->no_memory = w->finished == NULL;
    if (w->no_memory) return;
    if (w->who->spawn(one, &side[0]) != 0) return;
    w->spawned = 1;
    if (w->who->spawn(other, &side[1]) == 0) w->spawned++;
    else other(&side[1]);   /* so that the first side can end; the count shows it */
    w->who->latch_wait(w->finished);
    w->who->latch_free(w->finished);
}

void yield_main(void *arg)
{
    workload *w = work = arg;
    started = ended = 0;
    last = NULL;
    two_sides(w, yielding_unit, yielding_unit);
}

/* ---- handover ------------------------------------------------------------------------------------------------ */

/* Sends `words` words, each of which must come back one higher. */
static void ping(workload *w, uint64_t words)
{
    uint64_t errors = 0;
    for (uint64_t i = 0; i < words; i++) {
        uint64_t word = i;
        w->who->chan_send(w->there, &word);
        w->who->chan_recv(w->back, &word);
        errors += word != i + 1;
    }
    w->errors += errors;
}

/* Two sides that cannot be brought together. */
static void go_apart(const workload *w, void (*bind)(void))
{
    if (!w->apart) return;
    w->who->pin();
    bind();
}

/* Whose turn it is. Sides apart pass this line to each other as well as words. */
static _Alignas(128) struct { uint32_t side; } line;

static void pass_line(uint32_t side, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        while (__atomic_load_n(&line.side, __ATOMIC_ACQUIRE) != side) bench_relax();
        __atomic_store_n(&line.side, !side, __ATOMIC_RELEASE);
    }
}

/* Words and passes of the line take turns, so that what disturbs the one disturbs the other. The clock shows the words
 * alone in the end. */
static void ping_and_line(workload *w)
{
    int64_t begin, words_ns = 0;
    for (uint64_t i = 0; i < LINE_BATCHES; i++) {
        w->batch = w->asked * (i + 1) / LINE_BATCHES - w->asked * i / LINE_BATCHES;
        ping(w, 1);   /* until the other side is back from the line */
        w->warm_words++;
        begin = stamp();
        ping(w, w->batch);
        int64_t ns = stamp() - begin;
        w->who->chan_send(w->there, &LINE_NEXT);
        pass_line(0, 1);   /* until the other side is there */
        begin = stamp();
        pass_line(0, w->batch);
        int64_t line_ns = stamp() - begin;
        w->line_ns[i] = (double)line_ns / (double)(2 * w->batch);
        w->over_line[i] = (double)ns / (double)line_ns;
        words_ns += ns;
    }
    w->begin = stamp() - words_ns;
}

static void ping_unit(void *unused)
{
    (void)unused;
    workload *w = work;
    go_apart(w, pin_to_one_cpu);
    count(&w->ran, 1);
    for (int64_t warm = stamp() + WARM_UP_NS; stamp() < warm;) {
        ping(w, WARM_UP_WORDS);
        w->warm_words += WARM_UP_WORDS;
    }
    w->begin = stamp();
    if (w->apart) ping_and_line(w);
    else ping(w, w->asked);
    stop_clock(w);
    w->who->chan_send(w->there, &GAME_OVER);
    count(&w->ops, w->asked);
    w->who->latch_done(w->finished);
}

static void pong_unit(void *unused)
{
    (void)unused;
    workload *w = work;
    go_apart(w, pin_to_other_cpu);
    count(&w->ran, 1);
    uint64_t word, words = 0;
    for (w->who->chan_recv(w->there, &word); word != GAME_OVER; w->who->chan_recv(w->there, &word)) {
        if (word == LINE_NEXT) {
            pass_line(1, w->batch + 1);
            continue;
        }
        word++;
        w->who->chan_send(w->back, &word);
        words++;
    }
    count(&w->ops, words - w->warm_words);
    w->who->latch_done(w->finished);
}

void handover_main(void *arg)
{
    workload *w = work = arg;
    w->there = w->who->chan_new(0);
    w->back = w->who->chan_new(0);
    w->no_memory = w->there == NULL || w->back == NULL;
    line.side = 0;
    if (w->no_memory) return;
    two_sides(w, ping_unit, pong_unit);
    w->who->chan_free(w->there);
    w->who->chan_free(w->back);
}
