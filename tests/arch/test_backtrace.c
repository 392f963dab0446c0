/* A backtrace taken on a deep region crosses back to the task's first stack, names every caller once and ends. */
// also: paged
#include <gossamer.h>
#include <unwind.h>

#include "tests/test.h"

/* The compiler may not make do with fewer bytes than were declared. */
#define REAL(frame) __asm__ volatile("" : : "r"(frame) : "memory")

#define NOINLINE __attribute__((noinline))

enum { MOST = 64 };

typedef struct trace {
    void *functions[MOST];
    int n;
} trace;

static NOINLINE int after(int x) /* keeps calls before it from being tail calls */
{
    __asm__ volatile("");
    return x;
}

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
    trace *t = arg;
    void *function = _Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(context) - 1));
    if (t->n == MOST)
        return _URC_END_OF_STACK;
    if (function && (t->n == 0 || t->functions[t->n - 1] != function))
        t->functions[t->n++] = function;
    return _URC_NO_REASON;
}

static int find(const trace *t, void *function)
{
    for (int i = 0; i < t->n; i++)
        if (t->functions[i] == function)
            return i;
    return -1;
}

static NOINLINE int innermost(trace *t)
{
    volatile char frame[100000]; /* leaves the first region, too */
    REAL(frame);
    frame[0] = 1;
    gos_yield();
    _Unwind_Backtrace(note, t);
    return after(frame[0]);
}

static NOINLINE int middle(trace *t)
{
    volatile char frame[900]; /* leaves the nursery */
    REAL(frame);
    frame[0] = 1;
    gos_yield();
    return after(innermost(t) + frame[0] - 1);
}

static NOINLINE int outer(trace *t)
{
    return after(middle(t));
}

static gos_waitgroup all;

static NOINLINE void task(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        trace t = { .n = 0 };
        CHECK_EQ(outer(&t), 1);
        int at[] = { find(&t, (void *)innermost), find(&t, (void *)middle), find(&t, (void *)outer),
                     find(&t, (void *)task) };
        for (int k = 0; k < 4; k++)
            CHECK(at[k] >= 0 && (k == 0 || at[k] > at[k - 1]));
        CHECK(t.n < 20);           /* it ended by itself ... */
        CHECK(at[3] >= t.n - 3);   /* ... behind the task: the change of stacks and the first code of all tasks */
        t.n = 0;
        _Unwind_Backtrace(note, &t); /* back up here, too */
        CHECK(find(&t, (void *)task) >= 0);
        CHECK(find(&t, (void *)middle) < 0);
    }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 10);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(gos_go(task, NULL), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
