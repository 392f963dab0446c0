/*
 * errno.h: the C library's, but errno is found anew each time. To the compiler the function that finds it is constant,
 * so that it keeps the address across calls; but a task may go on on another thread after any of them. gossamer.pc's
 * flags put this folder before the system's.
 */
#include_next <errno.h>

#ifndef GOSSAMER_ERRNO_H
#define GOSSAMER_ERRNO_H
#ifdef __cplusplus
extern "C"
#endif
int *gos_errno(void);
#endif

#ifdef errno
#undef errno
#define errno (*gos_errno())
#endif
