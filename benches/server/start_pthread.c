/* start_pthread.c: a thread for each connection, with a stack of 64 KiB: enough for the parser, and for 10,000. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "start.h"

typedef struct call {
    void (*fn)(void *);
    void *arg;
} call;

int start_main(int (*fn)(void *), void *arg)
{
    return fn(arg);
}

static void *run(void *made)
{
    call *call = made, copy = *call;
    free(call);
    copy.fn(copy.arg);
    return NULL;
}

int start(void (*fn)(void *), void *arg)
{
    pthread_attr_t attributes;
    pthread_t thread;
    call *made = malloc(sizeof *made);
    if (!made)
        return -1;
    *made = (call){ fn, arg };
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run, made);
    pthread_attr_destroy(&attributes);
    if (error)
        free(made);
    return -error;
}
