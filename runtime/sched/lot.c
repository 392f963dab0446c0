/* lot.c: buckets of waiters by the address that they wait for. Protocol: lot.h. */
#include "sched/lot.h"

#include "base/check.h"
#include "base/spin.h"
#include "os/os.h"
#include "sched/worker.h"

enum { BUCKETS = 512, PATIENCE = 10000 };

typedef struct bucket {
    GOS_ALIGNED(GOS_FALSE_SHARING) gos__spin lock;
    gos__lot_wait *first, *last;
} bucket;

static bucket buckets[BUCKETS];
static uint32_t left_word; /* 1: the monitor wakes everybody */

uint32_t gos__lot_n;

static bucket *bucket_of(const void *key)
{
    return &buckets[(uintptr_t)key * 0x9e3779b97f4a7c15u >> 55];
}

/* ---- under the bucket's lock ---- */

static void link_in(bucket *bucket, gos__lot_wait *wait, bool first)
{
    wait->next = first ? bucket->first : NULL;
    wait->prev = first ? NULL : bucket->last;
    *(wait->prev ? &wait->prev->next : &bucket->first) = wait;
    *(wait->next ? &wait->next->prev : &bucket->last) = wait;
    wait->queued = 1;
}

static void unlink_from(bucket *bucket, gos__lot_wait *wait)
{
    *(wait->prev ? &wait->prev->next : &bucket->first) = wait->next;
    *(wait->next ? &wait->next->prev : &bucket->last) = wait->prev;
    wait->queued = 0;
    gos__add_relaxed(&gos__lot_n, -1u);
}

/* False: it had ended already. */
static bool end(gos__lot_wait *wait, gos__task **woken)
{
    if (wait->wait.task)
        return gos__fd_end(&wait->wait, GOS_FD_READY, woken);
    gos__store_release(&wait->futex, 1u);
    gos__futex_wake(&wait->futex, 1);
    return true;
}

/* key NULL: whatever they wait for. Whether there was one. */
static bool wake_in(bucket *bucket, const void *key, bool all, gos__task **woken)
{
    bool any = false;
    for (gos__lot_wait *wait = bucket->first, *next; wait; wait = next) {
        next = wait->next;
        if (key && wait->key != key)
            continue;
        unlink_from(bucket, wait);
        any |= end(wait, woken);
        if (any && !all)
            break;
    }
    return any;
}

/* ---- waiting ---- */

void gos__lot_enlist_c(gos__lot_wait *wait, const void *key, int first, int why)
{
    *wait = (gos__lot_wait){
        .wait = { .task = gos__self.task, .deadline = INT64_MAX, .is_listed = 1, .why = (uint8_t)why }, .key = key
    };
    bucket *bucket = bucket_of(key);
    gos__add_seq(&gos__lot_n, 1u); /* W1 before W2; partner: C1 before C2 */
    gos__spin_lock(&bucket->lock);
    link_in(bucket, wait, first);
    gos__spin_unlock(&bucket->lock);
}

int gos__lot_leave_c(gos__lot_wait *wait)
{
    if (wait->wait.deadline != INT64_MAX)
        gos__deadline_drop(&wait->wait);
    bucket *bucket = bucket_of(wait->key);
    gos__spin_lock(&bucket->lock); /* also when it is queued no more: who woke it may still be looking at it */
    bool was_queued = wait->queued;
    if (was_queued)
        unlink_from(bucket, wait);
    gos__spin_unlock(&bucket->lock);
    return !was_queued;
}

/* ---- waking ---- */

int gos__lot_wake_task(const void *key, int all)
{
    gos__task *woken = NULL;
    bucket *bucket = bucket_of(key);
    gos__spin_lock(&bucket->lock);
    bool any = wake_in(bucket, key, all, &woken);
    gos__spin_unlock(&bucket->lock);
    gos__fd_ready_all(woken, true);
    return any;
}

static int leave_word(void)
{
    gos__store_release(&left_word, 1u);
    gos__monitor_poke();
    return 1;
}

/* A handler may interrupt who holds the lock, and then would wait for itself. */
static bool lock_patiently(gos__spin *lock)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (gos__spin_trylock(lock))
            return true;
        gos__cpu_relax();
    }
    return false;
}

int gos__lot_wake_plain(const void *key, int all)
{
    int any;
    if (gos__self.in_runtime || !lock_patiently(&gos__rt_lock)) /* that lock: the run does not end meanwhile */
        return leave_word();
    bucket *bucket = bucket_of(key);
    if (lock_patiently(&bucket->lock)) {
        gos__task *woken = NULL;
        any = wake_in(bucket, key, all, &woken);
        gos__spin_unlock(&bucket->lock);
        gos__fd_ready_all(woken, false);
    } else {
        any = leave_word();
    }
    gos__spin_unlock(&gos__rt_lock);
    return any;
}

bool gos__lot_is_left(void)
{
    return gos__unlikely(gos__load_relaxed(&left_word));
}

void gos__lot_attend(void)
{
    if (!gos__lot_is_left())
        return;
    gos__exchange_seq(&left_word, 0u); /* seq: before the look */
    for (int i = 0; i < BUCKETS; i++) {
        gos__task *woken = NULL;
        gos__spin_lock(&buckets[i].lock);
        wake_in(&buckets[i], NULL, true, &woken);
        gos__spin_unlock(&buckets[i].lock);
        gos__fd_ready_all(woken, false);
    }
}

void gos__lot_close(void)
{
    for (int i = 0; i < BUCKETS; i++) {
        bucket *bucket = &buckets[i];
        gos__spin_lock(&bucket->lock);
        for (gos__lot_wait *wait = bucket->first, *next; wait; wait = next) {
            next = wait->next;
            if (wait->wait.task)
                unlink_from(bucket, wait);
        }
        gos__spin_unlock(&bucket->lock);
    }
}

void gos__lot_forked(void)
{
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = (bucket){ .lock = 0 };
    gos__lot_n = 0;
    left_word = 0;
}
