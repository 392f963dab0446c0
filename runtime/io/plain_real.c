/* plain_real.c: finds the C library's own functions (real.h). */
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#include <dlfcn.h>
#include <stdio.h>

#include "base/check.h"
#include "base/config.h"
#include "io/real.h"

/* Weak: a static program has no dlsym unless it asks for it, and a dynamic one few internal names. */
#pragma weak dlsym
#pragma weak dlvsym
#define WEAK(type, name, parameters, internal, version) extern type internal parameters __attribute__((weak));
GOS_REAL_CALLS(WEAK)

static void *find(const char *name, void *internal, const char *version)
{
    void *found = NULL;
#if GOS_SAN
    /* What the sanitizer has of that name, before all else: it has to be told of handlers, or one that interrupts it in
     * its own locks waits for them. With clang it is part of the program, where RTLD_NEXT does not look. */
    char its[64];
    snprintf(its, sizeof its, "__interceptor_%s", name);
    found = dlsym(RTLD_DEFAULT, its);
    if (found)
        return found;
#endif
    if (internal)
        return internal;
    if (*version && dlvsym)
        found = dlvsym(RTLD_NEXT, name, version);
    if (!found && dlsym)
        found = dlsym(RTLD_NEXT, name);
    if (!found)
        gos__die("the C library has no %s: a static program needs pkg-config --static --libs gossamer", name);
    return found;
}

/* Early, while there is one thread; also by the first call, which may come from another library's constructor. */
__attribute__((constructor)) void gos__real_find(void)
{
#define FIND(type, name, parameters, internal, version)                                                                \
    gos__real_at_##name = (type(*) parameters)(uintptr_t)find(#name, (void *)(uintptr_t)internal, version);
    GOS_REAL_CALLS(FIND)
}
