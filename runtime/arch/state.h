/*
 * state.h: the three structures that assembly and C share: the task's header, the deep region's header and what a
 * thread knows. Offsets are asserted below; sizes are part of the memory picture in stack/stack.h.
 */
#ifndef GOS_ARCH_STATE_H
#define GOS_ARCH_STATE_H

#define GOS_TASK_SP 0
#define GOS_TASK_REGION 8
#define GOS_TASK_WAITER 16
#define GOS_TASK_RESULT 48
#define GOS_TASK_STATE 52
#define GOS_TASK_KIND 54
#define GOS_TASK_PINNED 55
#define GOS_TASK_SIZE 64

#define GOS_WAITER_NEXT 0
#define GOS_WAITER_PREV 8
#define GOS_WAITER_ELEM 16
#define GOS_WAITER_TASK 24

#define GOS_TASK_SINCE 62

/* Below a parked task's saved context: what it waits on, for dumps. */
#define GOS_TASK_SUBJECT -8

/* From a task's header down to the limit of the smallest nursery, which nearly all have, GOS_SMALLEST by kind. */
#define GOS_TASK_TO_LIMIT (GOS_TASK_SIZE - GOS_NURSERY_SIZE + GOS_SLACK)
#define GOS_SMALLEST 0

#define GOS_REGION_LIMIT 0
#define GOS_REGION_UNCHECKED_LIMIT 8
#define GOS_REGION_PLAIN 24
#define GOS_REGION_BOTTOM 32
#define GOS_REGION_NEXT 40
#define GOS_REGION_OWNER 40

#define GOS_THREAD_TASK 0
#define GOS_THREAD_SYSTEM_SP 8
#define GOS_THREAD_SPARE 16
#define GOS_THREAD_IN_RUNTIME 24
#define GOS_THREAD_PREEMPT 28
#define GOS_THREAD_LOCKED 32
#define GOS_THREAD_OWNED 36
#define GOS_THREAD_MORE_SPARES 40
#define GOS_THREAD_ERRNO 48
#define GOS_THREAD_WORKER 56
#define GOS_THREAD_TAG 72
#define GOS_THREAD_HOT_TASK 88
#define GOS_THREAD_EDGE 96
#define GOS_THREAD_HOT_LEFT 104
#define GOS_THREAD_SPARES 108

/* Of a worker and a run (sched/worker.h). */
#define GOS_WORKER_FRONT 0
#define GOS_WORKER_BACK 4
#define GOS_WORKER_STREAK 20
#define GOS_WORKER_QUEUE 216
#define GOS_RUN_IDLE_N 40

/* Of a channel (sync/chan.h); GOS_CHAN_RING: its elements. */
#define GOS_CHAN_BIAS 16
#define GOS_CHAN_CLOSED 20
#define GOS_CHAN_ELEM_SIZE 24
#define GOS_CHAN_CAPACITY 32
#define GOS_CHAN_LEN 40
#define GOS_CHAN_SENDERS 48
#define GOS_CHAN_RECEIVERS 56
#define GOS_CHAN_LINE 64
#define GOS_CHAN_HEAD 64
#define GOS_CHAN_RING 72

/* glibc's tcbhead_t.__private_ss, reserved for split stacks: the word that every checked prologue compares with. */
#define GOS_LIMIT_WORD 0x70

/* Of gos__thread.owned: one lock, and what is looked at when there is one less: pinned, or there was none. */
#define GOS_OWNED_ONE 2
#define GOS_OWNED_CHANGES 0x80000001

/* Of a pthread_mutex_t (io/lock.h): its kind; robust, priority inheritance or protection. */
#define GOS_PTHREAD_KIND 16
#define GOS_PTHREAD_SPECIAL 0x70
#define GOS_EBUSY 16

/* What a call says that cannot end before its task has parked (doors_x86_64.h: MAY_PARK). */
#define GOS_MUST_PARK (-0x7fffffff)

/* GOS_RUNNING and GOS_READY, for assembly. */
#define GOS_STATE_RUNNING 1
#define GOS_STATE_READY 2

/* Of a gos_case. */
#define GOS_CASE_CHAN 0
#define GOS_CASE_OP 8
#define GOS_CASE_ELEM 16
#define GOS_CASE_RESULT 24
#define GOS_CASE_SEND 0
#define GOS_CASE_RECV 1

/* A limit that every stack pointer is below: the next checked prologue calls __morestack. */
#define GOS_POISON -1

/* gos__thread.preempt under GOS_SEED (sched/seed.h): the limit word stays poisoned, and gos__resume asks gos__seed_turn
 * who goes on. */
#define GOS_PREEMPT_SEEDED 2

/* gos_once when its function has returned. */
#define GOS_ONCE_DONE 2

/* In the count of a gos_waitgroup (sync/waitgroup.c). */
#define GOS_GROUP_WAITED_FOR 1
#define GOS_GROUP_ONE 2
#define GOS_GROUP_SPIN 8

/* In the word of a gos_mutex (sync/mutex.c), and what its C side gives to be called again. */
#define GOS_MUTEX_LOCKED_BIT 0
#define GOS_MUTEX_LOCKED (1 << GOS_MUTEX_LOCKED_BIT)
#define GOS_MUTEX_WOKEN 4
#define GOS_MUTEX_STARVING 8
#define GOS_LOCK_AGAIN 1

/* INT64_MAX: the deadline of who has none. */
#define GOS_NO_DEADLINE 0x7fffffffffffffff

/* What a variadic thunk asks to be copied: as much as there is, of a nursery, and of a region so much. */
#define GOS_THUNK_ARGUMENTS 16384

/* Added to the width of the vector registers where the processor cannot tell whether they are in use. */
#define GOS_VECTORS_ALWAYS 256

/* A thread keeps so many plain regions at hand; more go to its worker's stock. */
#define GOS_SPARES 16

/* After so many crossings without a park the limit of a nursery is raised by a step, as far as the frames may reach of
 * whoever made the call that crossed. */
#define GOS_HOT_CROSSINGS 64
#define GOS_HOT_STEP 64
#define GOS_HOT_REACH 256

/* Largest frame that __morestack places on a fresh region without asking C. */
#define GOS_FAST_FRAME 7680

/*
 * What may be pushed on a task's stack below the deepest frame that a check let pass, all told (GOS_BELOW_FRAME):
 * a runtime entry: its return address, the saved registers and GOS_TASK_SUBJECT; __morestack: the return addresses of
 * the function whose prologue failed and into that prologue, rbp, and three words of scratch.
 * gos_once_do and gos_mutex_lock: their return address and three words, and below them a runtime entry.
 */
#define GOS_ENTRY_BYTES 72
#define GOS_ONCE_BYTES (32 + GOS_ENTRY_BYTES)
#define GOS_MORESTACK_BYTES 48

#include "base/config.h"

/* Between the stack of a paged task and the region header above it: for what sanitizers know of it (san.h). */
#if GOS_SAN
#define GOS_SAN_BYTES 64
#else
#define GOS_SAN_BYTES 0
#endif

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include "base/atomics.h"
#include "base/probe.h"

typedef struct gos__task gos__task;
typedef struct gos__waiter gos__waiter;
typedef struct gos__region gos__region;
typedef struct gos__thread gos__thread;
struct gos__worker;

/* What a task is doing, which is to say who may touch its stack. */
enum gos__state {
    GOS_FREE,     /* nobody's: on a free list */
    GOS_RUNNING,  /* the thread whose `task` it is */
    GOS_READY,    /* in exactly one run queue; its registers are saved */
    GOS_DUE,      /* the same, and timers put it in front (sched/timer.c) */
    GOS_PARKED,   /* in a wait list, or about to be under that list's lock; whoever takes it out makes it ready */
    GOS_PARKED_SEEN,    /* the same, and so it was when the monitor last looked (sched/claim.h) */
    GOS_PARKED_SETTLED, /* and the monitor has done with it what there was to be done */
};

/* Why a task is parked, for dumps. */
enum gos__wait { GOS_WAIT_NONE, GOS_WAIT_SEND, GOS_WAIT_RECV, GOS_WAIT_SLEEP, GOS_WAIT_MUTEX, GOS_WAIT_GROUP,
                GOS_WAIT_SELECT, GOS_WAIT_RWMUTEX, GOS_WAIT_COND, GOS_WAIT_SEM, GOS_WAIT_ONCE, GOS_WAIT_FD };

/* Another thread's say over this one's worker. */
enum gos__lock {
    GOS_UNLOCKED,
    GOS_LOCKED,    /* held for a moment: wait */
    GOS_LOST,      /* its worker went to another thread */
    GOS_AWAITS,    /* the same, and it is in a list from which it will be granted one */
    GOS_FORKED,    /* it is the only thread of a new process, which has no run yet */
    GOS_ABANDONED, /* the run is over and did without this thread: never again */
};

/* Parts of gos__thread.owned: a lock of the C library that knows its owner by the thread, held by the running task; and
 * that the task is pinned for such, which it becomes when it comes in by a door that may park (sched/pin.h). The doors
 * look at it and at `locked` together. */
enum { GOS_OWNED_PINNED = 1, GOS_OWNED = GOS_OWNED_ONE };

/* Parts of gos__task.pinned: how often gos_pin was called, which is the task's own business; that the time is known
 * since when it is ready (sched/trace.h); and what the monitor and who readies the task settle between them. Where it
 * is not claimed, nobody can want it, and that bit says that it was found to block (sched/handoff.c). */
enum { GOS_PIN_DEPTH = 31, GOS_TIMED = 32, GOS_WANTED = 64, GOS_BLOCKS = GOS_WANTED, GOS_CLAIMED = 128 };

/* Kinds of stack a task starts on: nurseries by size, smallest first, then paged stacks. */
enum gos__kind { GOS_NURSERY, GOS_NURSERY_1280, GOS_NURSERY_1984, GOS_NURSERY_4032, GOS_PAGED, GOS_KINDS };

/* An entry of a wait list. Every task has one; a select over several channels takes one for each (sync/select.c). */
struct gos__waiter {
    gos__waiter *next, *prev;
    void *elem;      /* the element to copy from or to */
    gos__task *task; /* who waits */
};

/* At the top of the task's first stack, which grows down from here. */
struct gos__task {
    void *sp;              /* saved context (arch/ctx.h) while not running */
    gos__region *region;   /* innermost deep region; NULL: on the nursery */
    union {
        gos__task *next;   /* link of the shared queue or of a free list */
        gos__waiter waiter;
        struct {
            gos__waiter *in_list;
            uint64_t ready_since;  /* of a ready task with GOS_TIMED, which waits in no list (sched/trace.h) */
        };
    };
    int32_t result;        /* what the call that parked returns */
    uint8_t state;         /* enum gos__state */
    uint8_t why;           /* enum gos__wait */
    uint8_t kind;          /* enum gos__kind */
    uint8_t pinned;        /* depth of gos_pin, GOS_TIMED, and claims of the monitor: GOS_PIN_DEPTH, sched/claim.h */
    union {
        void (*entry)(void *); /* the function it was started with, and more: gos__entry_of */
        struct {
            uint16_t address[3];   /* with GOS_OWES */
            uint16_t since;    /* gos__half_seconds when it last came in by a door that may park */
        };
    };
};

/* At the top of a region, whose stack grows down from here. */
struct gos__region {
    uintptr_t limit;           /* the limit word while on this region; stays as low as it got until its pages go */
    uintptr_t unchecked_limit; /* at or above it, unchecked code has room */
    gos__region *prev;         /* the region its borrower was on; NULL: the nursery */
    uint32_t plain;            /* 1: prev is NULL and it is not large: it may go straight to the spare ones */
    uint32_t is_large;         /* of GOS_MAXSTACK rather than GOS_REGION_SIZE */
    uintptr_t bottom;          /* lowest usable address, above the guard */
    union {
        gos__region *next;     /* link of a free list */
        gos__task *owner;      /* whose it is: a hint, as a region that has come back is not wiped */
    };
    uint32_t owned;            /* 1: part of a paged task's stack: never given back on its own */
    uint32_t creator;          /* then: gos__creator_at */
    void *allocas;             /* of a paged task's own region: see stack/alloca.c */
};

/* One per thread, in thread-local storage. What every switch uses is in the first line. */
struct __attribute__((aligned(64))) gos__thread {
    gos__task *task;           /* the task running on this thread; NULL: not one of ours, or none yet */
    void *system_sp;           /* where runtime code called from a task continues on this thread's own stack */
    gos__region *spare;        /* a plain region ready to be borrowed */
    uint32_t in_runtime;       /* 1: this thread may be touching its worker */
    uint32_t preempt;          /* 1: the running task's slice is over; GOS_PREEMPT_SEEDED: see there */
    uint32_t locked;           /* enum gos__lock: may it touch its worker? */
    uint32_t owned;            /* GOS_OWNED, as often as its task holds locks in its name, and GOS_OWNED_PINNED */
    gos__region *more_spares;  /* for when the one is in use, linked by next */
    int *error;                /* where errno is */
    struct gos__worker *worker;
    struct gos__stack_cache *cache;  /* the worker's stock of stacks, for __morestack */
    uint32_t tag;              /* the worker's, while `locked` is GOS_UNLOCKED */
    uint32_t futex;            /* 1: woken, or granted a worker */
    uintptr_t *limit_word;     /* the address of this thread's limit word, for poisoning it from outside */
    gos__task *hot_task;       /* who has crossed from a nursery here and not parked since, */
    uintptr_t edge;            /* its limit there, raised by crossings (arch/morestack_x86_64.S), */
    uint32_t hot_left;         /* and how many until it is raised again */
    uint32_t spares;           /* so many are in more_spares */
    int32_t tid;
    uint64_t blocking;         /* since gos_block_begin: sched/handoff.h; 0: not */
    gos__thread *next;         /* link there */
    gos__task *pinned_task;    /* gos_pin */
    gos__task *listed;         /* its last pinned task, while it is in the list of the threads with pinned tasks */
    const struct gos__pin_slot *pin_slot; /* by which others find that one, if there was room */
    gos__thread *pinned_next;  /* link there */
    uintptr_t turn;            /* sched/pin.c: GOS_SPINS, a task to go on with, or 0 */
    int64_t wake_late;         /* how late the kernel ended its sleeps of late, ns */
    uint32_t awaits_turn;      /* 1: asleep until its pinned task may run */
    uint32_t keeps_worker;     /* 1: it has left the runtime in the midst of using its worker */
    uint32_t has_spun;         /* 1: its pinned task's patience ended before it parked: sync/watch.c */
    uint32_t must_end;         /* 1: its pinned task has ended */
    uint64_t usual_mask;       /* signals blocked on every thread of the run */
    uint32_t masked;           /* 1: its task has a mask of its own, and is pinned for it */
    int32_t status_fd;         /* the monitor's view of it (os.h: gos__thread_blocked); -1: none */
    struct gos__ring *ring;    /* what is recorded of its worker (os/ring.h) */
    uint32_t bound;            /* 1 + index of the worker whose CPU this thread is bound to; 0: none */
    int64_t slept;             /* so often when its worker went; -1, INT64_MAX: it has since, or it does not matter */
    uint32_t losses;           /* how often its worker went */
    uint32_t is_lax;           /* 1: gos__thread_lax */
    gos__region *uncleared;    /* a free region that still holds what its last task left: stack/clear.c */
#if !defined(__x86_64__)
    uintptr_t limit;           /* the limit word: nothing compares with it here */
#endif
};

/* From a task's header down to the limit of its nursery, by kind (stack/pool.c). */
extern const int64_t gos__task_to_limit[GOS_KINDS] __attribute__((visibility("hidden")));

/* Half seconds since the run began, modulo 2^16, as the monitor last saw the clock: for the ages of waits. */
extern uint16_t gos__half_seconds __attribute__((visibility("hidden")));

#if defined(__x86_64__)
#define GOS_SELF gos__self
extern _Thread_local gos__thread gos__self __attribute__((visibility("hidden"), tls_model("initial-exec")));
#else
/* Found anew each time: a compiler keeps the thread's pointer in a register, also when the task has gone to another. */
#define GOS_SELF gos__self_variable
extern _Thread_local gos__thread gos__self_variable __asm__("gos__self")
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
static inline gos__thread *gos__self_now(void)
{
    gos__thread *self;
    uintptr_t offset;
    __asm__ volatile("mrs %0, tpidr_el0\n\t"
                     "adrp %1, :gottprel:gos__self\n\t"
                     "ldr %1, [%1, #:gottprel_lo12:gos__self]\n\t"
                     "add %0, %0, %1"
                     : "=&r"(self), "=&r"(offset));
    return self;
}
#define gos__self (*gos__self_now())
#endif

_Static_assert(offsetof(gos__task, sp) == GOS_TASK_SP, "task: sp");
_Static_assert(offsetof(gos__task, region) == GOS_TASK_REGION, "task: region");
_Static_assert(offsetof(gos__task, waiter) == GOS_TASK_WAITER, "task: waiter");
_Static_assert(offsetof(gos__task, result) == GOS_TASK_RESULT, "task: result");
_Static_assert(offsetof(gos__task, state) == GOS_TASK_STATE, "task: state");
_Static_assert(offsetof(gos__task, pinned) == GOS_TASK_PINNED, "task: pinned");
_Static_assert(offsetof(gos__waiter, next) == GOS_WAITER_NEXT, "waiter: next");
_Static_assert(offsetof(gos__waiter, prev) == GOS_WAITER_PREV, "waiter: prev");
_Static_assert(offsetof(gos__waiter, elem) == GOS_WAITER_ELEM, "waiter: elem");
_Static_assert(offsetof(gos__waiter, task) == GOS_WAITER_TASK, "waiter: task");
_Static_assert(GOS_READY == GOS_STATE_READY, "task: ready");
_Static_assert(GOS_NURSERY == GOS_SMALLEST, "task: kind");
_Static_assert(GOS_RUNNING == GOS_STATE_RUNNING, "task: running");
_Static_assert(offsetof(gos__task, since) == GOS_TASK_SINCE, "task: since is the entry's upper two bytes");
_Static_assert(sizeof(gos__task) == GOS_TASK_SIZE, "task: one cache line");
_Static_assert(offsetof(gos__region, limit) == GOS_REGION_LIMIT, "region: limit");
_Static_assert(offsetof(gos__region, unchecked_limit) == GOS_REGION_UNCHECKED_LIMIT, "region: unchecked_limit");
_Static_assert(offsetof(gos__region, plain) == GOS_REGION_PLAIN, "region: plain");
_Static_assert(sizeof(gos__region) == 64, "region: keeps the stack below it aligned");
_Static_assert(offsetof(gos__thread, task) == GOS_THREAD_TASK, "thread: task");
_Static_assert(offsetof(gos__thread, system_sp) == GOS_THREAD_SYSTEM_SP, "thread: system_sp");
_Static_assert(offsetof(gos__thread, spare) == GOS_THREAD_SPARE, "thread: spare");
_Static_assert(offsetof(gos__thread, more_spares) == GOS_THREAD_MORE_SPARES, "thread: more_spares");
_Static_assert(offsetof(gos__thread, spares) == GOS_THREAD_SPARES, "thread: spares");
_Static_assert(offsetof(gos__thread, worker) == GOS_THREAD_WORKER, "thread: worker");
_Static_assert(offsetof(gos__thread, tag) == GOS_THREAD_TAG, "thread: tag");
_Static_assert(offsetof(gos__thread, error) == GOS_THREAD_ERRNO, "thread: error");
_Static_assert(offsetof(gos__task, kind) == GOS_TASK_KIND, "task: kind");
_Static_assert(offsetof(gos__region, bottom) == GOS_REGION_BOTTOM, "region: bottom");
_Static_assert(offsetof(gos__region, next) == GOS_REGION_NEXT, "region: next");
_Static_assert(offsetof(gos__region, owner) == GOS_REGION_OWNER, "region: owner");
_Static_assert(offsetof(gos__thread, in_runtime) == GOS_THREAD_IN_RUNTIME, "thread: in_runtime");
_Static_assert(offsetof(gos__thread, locked) == GOS_THREAD_LOCKED, "thread: locked");
_Static_assert(offsetof(gos__thread, preempt) == GOS_THREAD_PREEMPT, "thread: preempt");
_Static_assert(offsetof(gos__thread, owned) == GOS_THREAD_OWNED && GOS_THREAD_OWNED == GOS_THREAD_LOCKED + 4 &&
                   GOS_THREAD_LOCKED % 8 == 0,
               "thread: what doors that may park look at is one word");
_Static_assert(offsetof(gos__thread, hot_task) == GOS_THREAD_HOT_TASK, "thread: hot_task");
_Static_assert(offsetof(gos__thread, edge) == GOS_THREAD_EDGE, "thread: edge");
_Static_assert(offsetof(gos__thread, hot_left) == GOS_THREAD_HOT_LEFT, "thread: hot_left");
_Static_assert(offsetof(gos__thread, worker) + sizeof(void *) <= 64, "thread: what a switch uses is in one line");
#if defined(__x86_64__)
_Static_assert(GOS_ENTRY_BYTES <= GOS_BELOW_FRAME, "a runtime entry fits below the deepest frame");
_Static_assert(GOS_ONCE_BYTES <= GOS_BELOW_FRAME, "gos_once_do fits below the deepest frame");
_Static_assert(GOS_MORESTACK_BYTES <= GOS_BELOW_FRAME, "__morestack fits below the deepest frame");
_Static_assert(GOS_FAST_FRAME + GOS_NURSERY_MAX <= GOS_FIRST_STEP - GOS_SLACK,
               "a fast frame below a nursery's worth of arguments fits the first step");
#endif

/* Runs `task` on the calling thread, whose stack becomes the system stack, until runtime code returns NULL. */
void gos__enter(gos__task *task);

/* Leaves the gos__enter of the calling thread at once, from anywhere on its system stack. */
_Noreturn void gos__leave_run(void);

/* Where a new task's saved context continues: rbx holds the function, r12 its argument. */
void gos__task_start(void);
void gos__main_start(void);

/* gos_go in the name of who called the caller: `by` is a return address, or 0. */
int gos__go_by(void (*fn)(void *), void *arg, uintptr_t by);

/* fn(a, b, c) of the program, which may be unchecked code, from code that runs on tasks' stacks. */
intptr_t gos__call(intptr_t a, intptr_t b, intptr_t c, void *fn);

static inline int gos__is_parked(uint8_t state)
{
    return state >= GOS_PARKED;
}

/* Notes why the running task, whose context is saved, is about to park, and for what; NULL: that is no object. */
__attribute__((always_inline)) /* a call of its own costs the caller registers */
static inline void gos__waits_for(gos__task *self, enum gos__wait why, const void *subject)
{
    GOS_PROBE3(park, self, why, subject);
    gos__store_relaxed((const void **)((char *)self->sp + GOS_TASK_SUBJECT), subject);
    gos__store_relaxed(&self->why, (uint8_t)why);
}

typedef void gos__entry(void *);

/* In gos__task.address, a bit that is 0 in addresses of code: others wait for the function that the task is in, so that
 * it may not end by gos_exit. */
#if defined(__x86_64__)
enum { GOS_OWES = 0x8000, GOS_OWES_AT = 2 };
#else /* of which there are 48, and instructions have 4 bytes */
enum { GOS_OWES = 1, GOS_OWES_AT = 0 };
#endif

static inline gos__entry *gos__entry_of(const gos__task *task)
{
    const uintptr_t owes = (uintptr_t)GOS_OWES << (16 * GOS_OWES_AT);
    return (gos__entry *)((uintptr_t)gos__load_relaxed(&task->entry) & (((uintptr_t)1 << 48) - 1) & ~owes);
}

static inline bool gos__owes(const gos__task *self)
{
    return self->address[GOS_OWES_AT] & GOS_OWES;
}

static inline void gos__set_owes(gos__task *self, bool owes)
{
    uint16_t *word = &self->address[GOS_OWES_AT];
    gos__store_relaxed(word, (uint16_t)((*word & ~GOS_OWES) | (owes ? GOS_OWES : 0)));
}

static inline void gos__set_limit_word(uintptr_t limit)
{
#if defined(__x86_64__)
    __asm__ volatile("movq %0, %%fs:%c1" : : "r"(limit), "i"(GOS_LIMIT_WORD) : "memory");
#else
    gos__store_relaxed(&gos__self.limit, limit);
#endif
}

static inline uintptr_t *gos__limit_word(void)
{
#if defined(__x86_64__)
    char *self;
    __asm__("movq %%fs:0, %0" : "=r"(self));
    return (uintptr_t *)(self + GOS_LIMIT_WORD);
#else
    return &gos__self.limit;
#endif
}

#endif
#endif
