/*
 * Libraries such as OpenGL want all calls from one thread, often the one that made the context. Here that is a task
 * pinned to its thread; the others send it what they want done by channel and wait for the answer.
 */
#include <gossamer.h>
#include <stdio.h>

enum { PAINTERS = 100 };

/* The library that insists: it knows its thread by a thread-local variable, as such libraries do. */
static _Thread_local int context;
static int on_wrong_thread, pixels_drawn;

__attribute__((noinline)) static void make_context(void)
{
    context = 1;
}

__attribute__((noinline)) static int draw(int pixels)
{
    if (!context)
        on_wrong_thread++;
    pixels_drawn += pixels;
    return pixels_drawn;
}

/* A call for the pinned task to make. */
typedef struct call {
    int (*fn)(int);
    int argument;
    gos_chan *answer;
} call;

static gos_chan *calls;

static void serve_calls(void *arg)
{
    call it;
    gos_waitgroup *ready = arg;
    gos_pin(); /* for good: its thread ends with it, and with it the context */
    make_context();
    gos_waitgroup_done(ready);
    while (gos_chan_recv(calls, &it) == 0) {
        int result = it.fn(it.argument);
        gos_chan_send(it.answer, &result);
    }
}

static int on_main_thread(int (*fn)(int), int argument)
{
    int result;
    call it = { fn, argument, gos_chan_new(sizeof(int), 1) };
    gos_chan_send(calls, &it);
    gos_chan_recv(it.answer, &result);
    gos_chan_free(it.answer);
    return result;
}

static void paint(void *done)
{
    gos_yield(); /* on whatever thread */
    on_main_thread(draw, 10);
    gos_waitgroup_done(done);
}

static int run(void *arg)
{
    (void)arg;
    static gos_waitgroup ready, done;
    calls = gos_chan_new(sizeof(call), 0);
    gos_waitgroup_add(&ready, 1);
    gos_go(serve_calls, &ready);
    gos_waitgroup_wait(&ready);
    gos_waitgroup_add(&done, PAINTERS);
    for (int i = 0; i < PAINTERS; i++)
        gos_go(paint, &done);
    gos_waitgroup_wait(&done);
    int wrong = on_main_thread(draw, 0) - 10 * PAINTERS;
    gos_chan_close(calls);
    printf("%d pixels too many or too few\n", wrong);        // expect: 0 pixels too many or too few
    printf("%d calls on a wrong thread\n", on_wrong_thread); // expect: 0 calls on a wrong thread
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
