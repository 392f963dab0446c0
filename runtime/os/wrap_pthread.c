/*
 * wrap_pthread.c: the gcc driver adds --wrap=pthread_create when it links with -fsplit-stack, for libgcc's split-stack
 * runtime. Ours needs nothing done in new threads (their limit word is 0: every check passes), but the symbol must
 * exist, or libgcc's runtime comes in and clashes. Alone in its file, so that only such links take it.
 */
#include <pthread.h>

int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return __real_pthread_create(thread, attr, fn, arg);
}
