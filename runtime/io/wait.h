/* wait.h: waiting in the lot (sched/lot.h), for this folder. */
#ifndef GOS_IO_WAIT_H
#define GOS_IO_WAIT_H

#include "base/spin.h"
#include "io/io.h"
#include "sched/lot.h"

/* A time of that clock as one of gos_now, never negative; -EINVAL: it is no time, or no such clock. */
int64_t gos__io_deadline_on(clockid_t clock, const struct timespec *until);

/* Parks until try(object) gives other than EBUSY, which is the result; ETIMEDOUT; -1: it cannot park here. */
int gos__io_lot_wait(const void *key, int why, int64_t deadline, int (*try)(void *), void *object,
                     const gos__io_signals *signals);

#endif
