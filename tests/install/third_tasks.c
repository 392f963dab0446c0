/*
 * third_tasks.c: tasks on nurseries call a library without checks in every way there is. The callee's frame has to lie
 * elsewhere and the caller's near the top of its nursery; canaries are looked at after each call. Built and run by
 * test_cc.sh.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gossamer.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "third.h"

enum { TASKS = 200, NEAR = 1024 };
static gos_waitgroup all;
static int failed;
static const struct ops *volatile ops;
static long (*volatile add_by_name)(long, long, const char **);
static long (*volatile add_opened)(long, long, const char **); /* of a library that only dlopen has brought */
static long (*volatile plug)(long, const char **);
static long (*volatile add_by_address)(long, long, const char **) = third_add;

/* A call's own frame is far from its caller's, which is still near where its task began. */
#define APART(what, top, wanted, got)                                                                                  \
    do {                                                                                                               \
        char here;                                                                                                     \
        if ((wanted) != (got) || (size_t)((top) - &here) > NEAR || (size_t)(&here - where) < 8192) {                   \
            fprintf(stderr, "%s: %g for %g; frame %zd from the top, callee's %zd\n", what, (double)(got),              \
                    (double)(wanted), (top) - &here, &here - where);                                                   \
            failed = 1;                                                                                                \
        }                                                                                                              \
        gos_yield(); /* looks at the canary */                                                                         \
    } while (0)

#define NOINLINE __attribute__((noinline))

static NOINLINE void adds(const char *top)
{
    const char *where = NULL;
    long (*f)(long, long, const char **) = ops->add;
    APART("direct", top, 5, third_add(2, 3, &where));
    APART("table", top, 9, f(4, 5, &where));
    if (add_by_name)
        APART("dlsym", top, 9, add_by_name(4, 5, &where));
    if (add_opened)
        APART("dlopen", top, 11, add_opened(5, 6, &where));
    APART("address", top, 9, add_by_address(4, 5, &where));
}

static NOINLINE long tail(const char **where)
{
    return ops->add(20, 22, where);
}

static NOINLINE void tails(const char *top)
{
    const char *where = NULL;
    APART("tail call", top, 42, tail(&where));
}

static NOINLINE void variadic(const char *top)
{
    const char *where = NULL;
    APART("variadic", top, 78, third_sum(&where, 12, 1., 2l, 3., 4l, 5., 6l, 7., 8l, 9., 10l, 11., 12l));
    APART("variadic by pointer", top, 10, ops->sum(&where, 4, 1., 2l, 3., 4l));
}

static NOINLINE void manies(const char *top)
{
    const char *where = NULL;
    APART("many", top, 253, third_many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, &where));
}

static NOINLINE void manies_by_pointer(const char *top)
{
    const char *where = NULL;
    APART("many by pointer", top, 253,
          ops->many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, &where));
}

static NOINLINE long by_struct(int pointer, const char **where)
{
    struct wide w = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 } };
    w = pointer ? ops->widen(w, 100, where) : third_widen(w, 100, where);
    long sum = 0;
    for (int i = 0; i < 12; i++)
        sum += w.v[i];
    return sum;
}

static NOINLINE void structs(void)
{
    const char *where;
    if (by_struct(0, &where) != 1266 || by_struct(1, &where) != 1266) {
        fputs("a struct by value\n", stderr);
        failed = 1;
    }
    gos_yield();
}

static long half(long x)
{
    gos_yield();
    return x / 2;
}

static NOINLINE void backs(const char *top)
{
    const char *where = NULL;
    APART("callback", top, 22, third_back(half, 42, &where));
    APART("callback by pointer", top, 22, ops->back(half, 42, &where));
}

static NOINLINE void plugs(const char *top)
{
    const char *where = top;
    if (plug && (plug(6, &where) != 7 || (size_t)(top - where) > NEAR)) {
        fprintf(stderr, "checked code by dlsym: %zd from the top\n", top - where);
        failed = 1;
    }
}

/* On a region, near the end of what unchecked code is promised. */
static NOINLINE long deep(long depth)
{
    volatile char frame[500];
    const char *where;
    frame[0] = 1;
    if (depth == 0)
        return third_add(1, 2, &where) + ops->add(3, 4, &where);
    return deep(depth - 1) + frame[0] - 1;
}

static void task(void *unused)
{
    char top;
    (void)unused;
    for (int i = 0; i < 3; i++) {
        adds(&top);
        tails(&top);
        variadic(&top);
        manies(&top);
        manies_by_pointer(&top);
        structs();
        backs(&top);
        plugs(&top);
        for (long depth = 1; depth < 150; depth += 7)
            if (deep(depth) != 10)
                failed = 1;
    }
    gos_waitgroup_done(&all);
}

static int run(void *unused)
{
    (void)unused;
    ops = third_ops();
    void *self = dlopen(NULL, RTLD_NOW), *library = getenv("PLUG") ? dlopen(getenv("PLUG"), RTLD_NOW) : NULL;
    *(void **)&add_by_name = dlsym(self, "third_add");
    void *third = getenv("THIRD") ? dlopen(getenv("THIRD"), RTLD_NOW | RTLD_LOCAL) : NULL;
    *(void **)&add_opened = third ? dlsym(third, "third_add") : NULL;
    *(void **)&plug = library ? dlsym(library, "plug") : NULL;
    if ((getenv("PLUG") && (!add_by_name || !plug)) || (getenv("THIRD") && !add_opened)) {
        fprintf(stderr, "dlopen: %s\n", dlerror());
        return 2;
    }
    for (int i = 0; i < TASKS; i++) {
        gos_waitgroup_add(&all, 1);
        if (gos_go(task, NULL))
            return 3;
    }
    gos_waitgroup_wait(&all);
    return failed;
}

int main(void)
{
    return gos_run(run, NULL);
}
