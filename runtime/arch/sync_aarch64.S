/*
 * sync_aarch64.S: the doors of locks and the like, of contexts and what else tells by channel. What happens at most
 * calls stands here, outside the runtime. Exclusive loads and stores: every processor of this kind has them.
 */
#include "arch/doors_aarch64.h"

#include "arch/sync_names.inc"

/* The same for ever: only the deadline, in its register, is added. */
.macro FOR_EVER name, register
EXPORT(\name)
    mov \register, #GOS_NO_DEADLINE
    b \name\()_until
END(\name)
.endm
FOR_EVER gos_rwmutex_rlock, x1
FOR_EVER gos_rwmutex_lock, x1
FOR_EVER gos_cond_wait, x2
FOR_EVER gos_sem_acquire, x2

CALL gos__waitgroup_met, gos__waitgroup_turn

/*
 * void gos_waitgroup_add(gos_waitgroup *group, long n): x0, x1; and done, wait and wait_until. The runtime is entered
 * when somebody is to be woken, to wait, or is wrong (sync/waitgroup.c).
 */
.macro ADD_TO_GROUP
    cbz x0, 2f
1:  ldaxr x9, [x0]
    add x9, x9, x1
    stlxr w10, x9, [x0]
    cbnz w10, 1b
    mov x1, x9                  /* what it came to */
    tbnz x9, #63, 2f
    cmp x9, #GOS_GROUP_WAITED_FOR
    b.eq 2f
    ret
2:  b gos__waitgroup_met
.endm

EXPORT(gos_waitgroup_add)
    adds x1, x1, x1             /* by GOS_GROUP_ONE */
    b.vs 3f
    ADD_TO_GROUP
3:  mov x1, #-1
    b gos__waitgroup_met        /* it complains */
END(gos_waitgroup_add)

EXPORT(gos_waitgroup_done)
    mov x1, #-GOS_GROUP_ONE
    ADD_TO_GROUP
END(gos_waitgroup_done)

EXPORT(gos_waitgroup_wait)
    mov x1, #GOS_NO_DEADLINE
    b gos_waitgroup_wait_until
END(gos_waitgroup_wait)

EXPORT(gos_waitgroup_wait_until)
    cbz x0, 1f                  /* it complains */
    ldar x9, [x0]
    cbnz x9, 1f
    add x10, x0, #GOS_GROUP_SPIN
    ldar w9, [x10]
    cbnz w9, 1f
    mov w0, wzr
    ret
1:  b gos__waitgroup_park
END(gos_waitgroup_wait_until)

/*
 * void gos_mutex_lock(gos_mutex *mutex), int gos_mutex_lock_until(mutex, int64_t deadline), and unlock: x0, x1. The
 * runtime is entered when somebody waits, has to, or is wrong (sync/mutex.c). Spoils x9 to x17.
 */
.macro LOCK_AT_ONCE other
    cbz x0, \other
1:  ldaxr w9, [x0]
    tbnz w9, #0, 3f             /* GOS_MUTEX_LOCKED */
    orr w9, w9, #GOS_MUTEX_LOCKED
    stxr w10, w9, [x0]
    cbnz w10, 1b
    SELF x9
    ldr w10, [x9, #GOS_THREAD_PREEMPT]
    mov w0, wzr
    cmp w10, #GOS_PREEMPT_SEEDED
    b.ne 2f
    ldr x10, [x9, #GOS_THREAD_TASK]
    cbz x10, 2f
    b gos__mutex_locked         /* GOS_SEED: who has just locked it may be interrupted */
2:  ret
3:  clrex
.endm

FUNC(gos__mutex_locked_outside)
    mov w0, wzr
    ret
END(gos__mutex_locked_outside)

EXPORT(gos_mutex_lock)
    LOCK_AT_ONCE 4f
4:  mov x1, #GOS_NO_DEADLINE
    b gos__mutex_lock_slowly
END(gos_mutex_lock)

EXPORT(gos_mutex_lock_until)
    LOCK_AT_ONCE 4f
4:  b gos__mutex_lock_slowly
END(gos_mutex_lock_until)

EXPORT(gos_mutex_unlock)
    cbz x0, 3f
1:  ldxr w9, [x0]
    cmp w9, #GOS_MUTEX_LOCKED
    b.ne 2f
    stlxr w10, wzr, [x0]
    cbnz w10, 1b
    ret
2:  mov w10, #(GOS_MUTEX_LOCKED | GOS_MUTEX_WOKEN | GOS_MUTEX_STARVING)
    and w10, w9, w10            /* waited for, and somebody is awake to take it? */
    cmp w10, #(GOS_MUTEX_LOCKED | GOS_MUTEX_WOKEN)
    b.ne 3f
    sub w9, w9, #GOS_MUTEX_LOCKED
    stlxr w10, w9, [x0]
    cbnz w10, 1b
    ret
3:  clrex
    b gos__mutex_leave
END(gos_mutex_unlock)

/* intptr_t gos__call(a, b, c, fn): x3. */
FUNC(gos__call)
    br x3
END(gos__call)

/* With a gos__mutex_wait in its frame. */
FUNC(gos__mutex_lock_slowly)
    stp x29, x30, [sp, #-48]!
    .cfi_adjust_cfa_offset 48
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    mov x29, sp
    stp x1, xzr, [sp, #16]
    str x0, [sp, #32]
1:  ldr x0, [sp, #32]
    add x1, sp, #16
    bl gos__mutex_park
    cmp w0, #GOS_LOCK_AGAIN
    b.eq 1b
    ldp x29, x30, [sp], #48
    .cfi_adjust_cfa_offset -48
    .cfi_restore x29
    .cfi_restore x30
    ret
END(gos__mutex_lock_slowly)

/* void gos_once_do(gos_once *once, void (*fn)(void *), void *arg), int gos_once_do_until(..., int64_t deadline): x0,
 * x1, x2, x3. fn runs on the caller's stack. */
EXPORT(gos_once_do)
    mov x3, #GOS_NO_DEADLINE
    b gos_once_do_until
END(gos_once_do)

EXPORT(gos_once_do_until)
    cbz x0, 1f                  /* gos__once_enter complains */
    ldar w9, [x0]
    cmp w9, #GOS_ONCE_DONE
    b.ne 1f
    mov w0, wzr
    ret
1:  stp x29, x30, [sp, #-48]!
    .cfi_adjust_cfa_offset 48
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    mov x29, sp
    stp x0, x1, [sp, #16]
    str x2, [sp, #32]
    mov x2, x3
    bl gos__once_begin
    cmp w0, #0
    b.le 2f
    ldr x0, [sp, #32]
    ldr x9, [sp, #24]
    blr x9
    ldr x0, [sp, #16]
    bl gos__once_end
    mov w0, wzr
2:  ldp x29, x30, [sp], #48
    .cfi_adjust_cfa_offset -48
    .cfi_restore x29
    .cfi_restore x30
    ret
END(gos_once_do_until)

NO_EXECUTABLE_STACK
