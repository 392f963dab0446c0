/*
 * guard.c: threads that a task ends: pthread_exit, pthread_cancel, thrd_exit. The thread's worker and the tasks in its
 * queue would be lost with it, and the program hang; so it ends with a line. A destructor of thread-specific data comes
 * whichever way a thread ends.
 */
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/check.h"
#include "sched/worker.h"

static pthread_key_t guard;
static _Thread_local bool is_guarded; /* its value stays: to take that back can be refused */

static void ended_by_a_task(void *unused)
{
    (void)unused;
    if (!is_guarded)
        return;
    gos__self.task = NULL; /* what is left runs on the thread's own stack */
    gos__store_relaxed(&gos__self.in_runtime, 1u);
    gos__store_relaxed(gos__self.limit_word, (uintptr_t)0);
    gos__fatal("a task has ended the thread that it ran on, by pthread_exit or pthread_cancel: gos_exit ends a task");
}

static void make_guard(void)
{
    if (pthread_key_create(&guard, ended_by_a_task))
        guard = PTHREAD_KEYS_MAX; /* which pthread_setspecific refuses: threads go unguarded */
}

void gos__thread_guard(bool on)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_guard);
    is_guarded = on;
    if (on)
        (void)pthread_setspecific(guard, &guard); /* refused: this thread goes unguarded */
}
