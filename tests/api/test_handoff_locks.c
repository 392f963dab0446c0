/*
 * While the monitor makes a thread for a worker whose task blocks, it takes locks of the C library and of the program's
 * malloc. The task may hold one of these itself, come back and call the runtime before it lets go: here the making of
 * the thread waits until it has.
 */
// also: paged
// env: GOS_PROCS=1
// timeout: 30
#define _GNU_SOURCE 1
#include <gossamer.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "tests/test.h"

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* What a sanitizer puts in front of the C library's. */
create __interceptor_pthread_create __attribute__((weak));

static int fds[2], made, through;
static gos_waitgroup done;

static long get(const int *of)
{
    return __atomic_load_n(of, __ATOMIC_ACQUIRE);
}

static void set(int *of, int value)
{
    __atomic_store_n(of, value, __ATOMIC_RELEASE);
}

/* The second thread's, since the first was made by gos_run: ends the call that blocks and waits for that task. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    create *real = __interceptor_pthread_create;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (__atomic_fetch_add(&made, 1, __ATOMIC_ACQ_REL) == 1) {
        CHECK_EQ(syscall(SYS_write, fds[1], "x", 1), 1);
        while (!get(&through))
            sched_yield();
    }
    return real(thread, attr, fn, arg);
}

static void blocks(void *unused)
{
    char byte;
    (void)unused;
    CHECK_EQ(syscall(SYS_read, fds[0], &byte, 1), 1); /* nobody parks it: the monitor has to notice */
    gos_now();                                        /* a door: not while another thread holds this one's worker */
    set(&through, 1);
    gos_waitgroup_done(&done);
}

static int main_task(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&done, 1);
    CHECK_EQ(gos_go(blocks, NULL), 0);
    gos_waitgroup_wait(&done);
    return 0;
}

int main(void)
{
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(gos_run(main_task, NULL), 0);
    CHECK_EQ(get(&through), 1);
    return 0;
}
