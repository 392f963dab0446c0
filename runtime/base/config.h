/* config.h: every size and limit, with the relations between them. Bytes unless said. */
#ifndef GOS_BASE_CONFIG_H
#define GOS_BASE_CONFIG_H

/* Set by the Makefile for SAN=address and SAN=thread: sanitizers that are told of tasks (arch/san.h). */
#ifndef GOS_ASAN
#define GOS_ASAN 0
#endif
#ifndef GOS_TSAN
#define GOS_TSAN 0
#endif
#define GOS_SAN (GOS_ASAN || GOS_TSAN)

/* Task code has no stack checks: every task has a paged stack. */
#if GOS_SAN || !defined(__x86_64__)
#define GOS_PAGED_ONLY 1
#else
#define GOS_PAGED_ONLY 0
#endif

/*
 * A small checked frame is compared with the stack pointer alone, so it must be usable below the limit: at most 248
 * bytes, and the return address of what it calls. Below that: a leaf's red zone (128; clang's leaves have no check), or
 * what a runtime entry, a thunk or __morestack pushes, as .ci/budget.py proves at each build. Lowest of all, the words
 * at a nursery's end: the canary and the list of allocas.
 */
#define GOS_SMALL_FRAME 256
#define GOS_BELOW_FRAME 128
#define GOS_NURSERY_WORDS 16
#define GOS_SLACK (GOS_SMALL_FRAME + GOS_BELOW_FRAME + GOS_NURSERY_WORDS)

/* The first stack of a task, its header and canary included; and the largest that a function's tasks start on when
 * earlier ones parked deeper than that (stack/sizing.c). */
#define GOS_NURSERY_SIZE 768
#define GOS_NURSERY_MAX 4032

/* What unchecked code finds at least on a deep region before its guard. glibc's printf family takes up to 3 KiB.
 * A caller whose own frame is 256 bytes or more is only sure of the 16 KiB that lld adds to its check. */
#define GOS_UNCHECKED_ROOM (32 * 1024)

/* Deep regions: the first one that a task borrows, and the stride of paged stacks. Beyond it: one of GOS_MAXSTACK. */
#if GOS_PAGED_ONLY
#define GOS_REGION_SIZE (256 * 1024) /* it is all that a task has; sanitizers' frames and reports are large */
#else
#define GOS_REGION_SIZE (128 * 1024)
#endif

/* A page, which guards a stack: where its size is the processor's, that; else the largest, and the system is asked. */
#if defined(__x86_64__)
#define GOS_GUARD_SIZE 4096
#else
#define GOS_GUARD_SIZE 65536
#endif

/* On a deep region the limit starts this far below the top and is lowered in doubling steps as calls go deeper, so
 * that the depth reached is known when the region comes back. */
#define GOS_FIRST_STEP (12 * 1024)

/* Memory of stacks that was not needed for so long goes back to the kernel, within twice that: regions that came back,
 * and what lies below the stack pointer of a parked task. GOS_DEBUG=trim=... overrides. */
#define GOS_TRIM_MS 100
#define GOS_TRIM_MS_MAX 1000000

#define GOS_MAXSTACK_DEFAULT (64l << 20)
#define GOS_MAXSTACK_MIN (64l << 10)
#define GOS_MAXSTACK_MAX (1l << 30)

/* The most address space for stacks. Thread sanitizer leaves a program little more than 1 TiB. */
#define GOS_SPACE (GOS_SAN ? 1ul << 39 : 1ul << 46)

#define GOS_MAX_PROCS 256

/* Threads, blocked ones included, beyond which the program ends (Go's limit as well). */
#define GOS_MAXTHREADS_DEFAULT 10000

/* The runtime's own descriptors have numbers from here on, if RLIMIT_NOFILE (often 1024) has room for them: programs
 * count on getting the lowest free number. */
#define GOS_HIGH_FD 900

/* Of the smaller of RAM and cgroup limit, the share beyond which no new task is started (GOS_MAXMEM overrides). */
#define GOS_MAXMEM_PERCENT 90

#define GOS_SCHEDTRACE_MS_MAX 86400000

/* Parked for so many milliseconds, a task counts as cold (GOS_DEBUG=cold). */
#define GOS_COLD_MS 10000
#define GOS_COLD_MS_MAX 86400000

/* A worker's run queue; when it is full, half of it goes to the shared queue. */
#define GOS_QUEUE_SIZE 256

/* Every so many switches a worker looks at the shared queue and the timers first (Go uses 61 as well: a prime, so
 * that it does not fall in step with a program's own period). */
#define GOS_SHARED_PERIOD 61

/* After so many uses of channels that another worker was the last to use, a worker looks how long that took
 * (sched/gather.c). */
#define GOS_CROSSINGS 32

/* Front-of-queue hand-overs in a row before one goes to the back, so that a pair cannot starve the others. */
#define GOS_FRONT_STREAK 64

/* A task that has waited so long for a mutex is handed it in its turn. */
#define GOS_STARVED_NS 1000000

/* Freed nurseries move between workers and the shared pool in magazines of this many. */
#define GOS_MAGAZINE 64

#ifndef __ASSEMBLER__
_Static_assert((GOS_QUEUE_SIZE & (GOS_QUEUE_SIZE - 1)) == 0, "queue size is a power of two");
_Static_assert(GOS_NURSERY_SIZE % 64 == 0, "nurseries keep headers on cache lines");
_Static_assert(GOS_FIRST_STEP + GOS_GUARD_SIZE + GOS_SLACK < GOS_REGION_SIZE, "the first step fits");
_Static_assert(GOS_UNCHECKED_ROOM + GOS_GUARD_SIZE + 16384 <= GOS_REGION_SIZE, "unchecked code fits a region");
#endif

#endif
