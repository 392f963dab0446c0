/*
 * cold.c: the keeper: a thread that finds tasks parked for long, has their nurseries packed away, and puts back those
 * that are touched (stack/cold.h).
 *
 * It looks at all nurseries once in a period; a task that is parked and was so at the look before (claim.h) is cold.
 * What is cold decides how well this pays, not whether it is right, so nothing is claimed. A page is packed when cold
 * tasks are on it and else at most free stacks.
 *
 * The keeper touches no page that is away, no memory that others might hold a lock for while they wait for it, and runs
 * no signal handlers: nothing that it does may wait for itself.
 */
#include "sched/cold.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/env.h"
#include "sched/claim.h"
#include "sched/netpoll.h"
#include "sched/worker.h"
#include "stack/cold.h"

/* Of the pages of one chunk. */
typedef struct findings {
    uint64_t in_use[GOS_COLD_PAGES / 64], cold[GOS_COLD_PAGES / 64];
} findings;

/* ---- putting back ---- */

static void serve(gos__cold *cold)
{
    uintptr_t pages[16];
    int n;
    while ((n = gos__userfault_read(&cold->faults, pages, 16)) > 0)
        for (int i = 0; i < n; i++)
            gos__cold_put_back(cold, pages[i]);
}

/* ---- what is cold ---- */

enum verdict { FREE, IN_USE, COLD };

/* Tasks on deep regions are the monitor's to look at; it settles what it has done with. */
static enum verdict look_at(gos__task *task)
{
    uint8_t state = gos__load_relaxed(&task->state);
    if (!gos__is_parked(state))
        return state == GOS_FREE ? FREE : IN_USE;
    if (gos__load_relaxed(&task->region))
        return state == GOS_PARKED_SETTLED ? COLD : IN_USE;
    return gos__parked_since_last_look(task) ? COLD : IN_USE;
}

static void note(findings *found, uintptr_t first, uintptr_t last, enum verdict verdict)
{
    uint64_t *bits = verdict == COLD ? found->cold : found->in_use;
    for (uintptr_t page = first; page <= last && verdict != FREE; page++)
        bits[page / 64] |= (uint64_t)1 << page % 64;
}

/* A stack whose header is away is cold, and its page there may be so too. */
static void look_at_chunk(gos__cold *cold, uintptr_t start, findings *found)
{
    memset(found, 0, sizeof *found);
    uintptr_t end = start + GOS_COLD_CHUNK, stride = cold->slots.stride;
    uintptr_t slot = start - (start - cold->slots.base) % stride;
    for (; slot < end && slot + stride <= gos__nurseries_carved(); slot += stride) {
        uintptr_t header = slot + stride - GOS_TASK_SIZE;
        uintptr_t from = slot < start ? start : slot, to = slot + stride > end ? end : slot + stride;
        enum verdict verdict = gos__cold_is_away(cold, header) ? COLD : look_at((gos__task *)header);
        note(found, (from - start) / GOS_PACK_PAGE, (to - 1 - start) / GOS_PACK_PAGE, verdict);
    }
}

static bool is_to_be_packed(const gos__cold *cold, uintptr_t chunk, const findings *found, unsigned page)
{
    uint64_t bits = found->cold[page / 64] & ~found->in_use[page / 64] & ~cold->chunks[chunk].away[page / 64];
    return bits >> page % 64 & 1;
}

/* False: no more of it for now. */
static bool pack_chunk(gos__cold *cold, uintptr_t chunk, const findings *found)
{
    for (unsigned page = 0, n; page < GOS_COLD_PAGES; page += n + 1) {
        for (n = 0; page + n < GOS_COLD_PAGES && is_to_be_packed(cold, chunk, found, page + n);)
            n++;
        if (n && !gos__cold_take(cold, chunk, page, n))
            return false;
        serve(cold);
    }
    return true;
}

static bool is_all_away(const gos__cold *cold, uintptr_t chunk)
{
    return cold->chunks[chunk].pages == GOS_COLD_PAGES;
}

static void look_at_all(gos__cold *cold)
{
    bool go_on = true;
    for (uintptr_t chunk = 0, start = cold->slots.base; start + GOS_COLD_CHUNK <= cold->end;
         chunk++, start += GOS_COLD_CHUNK) {
        if (start + GOS_COLD_CHUNK > gos__nurseries_carved() || gos__load_relaxed(&cold->only_puts_back))
            return;
        gos__cold_tidy(cold, chunk);
        if (!is_all_away(cold, chunk)) {
            findings found;
            look_at_chunk(cold, start, &found);
            go_on = go_on && pack_chunk(cold, chunk, &found);
        }
        serve(cold);
    }
}

static void *keeper_main(void *arg)
{
    gos__cold *cold = arg;
    gos__timer_slack(1);
    int64_t period = gos__env_get()->cold_ms * 1000000, next = gos__clock_ns() + period;
    for (;;) {
        bool only_puts_back = gos__load_relaxed(&cold->only_puts_back);
        if (gos__userfault_wait(&cold->faults, only_puts_back ? INT64_MAX : next))
            return NULL;
        serve(cold);
        if (!only_puts_back && gos__clock_ns() >= next) {
            look_at_all(cold);
            next = gos__clock_ns() + period;
        }
    }
}

/* ---- beginning and end ---- */

static void own_descriptors(const gos__cold *cold, bool is_own)
{
    gos__fd_own(cold->faults.fd, is_own);
    gos__fd_own(cold->faults.bell, is_own);
}

bool gos__cold_uses(int fd)
{
    const gos__cold *cold = gos__cold_now;
    return cold && (fd == cold->faults.fd || fd == cold->faults.bell);
}

static int start_keeper(gos__cold *cold)
{
    uint64_t mask = gos__signals_block();
    int failed = gos__thread_create(&cold->keeper, -1, keeper_main, cold);
    gos__signals_restore(mask);
    own_descriptors(cold, !failed);
    return failed;
}

void gos__cold_start(void)
{
    if (!gos__env_get()->cold_ms || GOS_PAGED_ONLY)
        return;
    int why;
    gos__cold *cold = gos__cold_new(&why);
    if (cold && (why = -start_keeper(cold))) {
        gos__cold_free(cold);
        cold = NULL;
    }
    gos__cold_now = cold;
    if (!cold)
        gos__warn("GOS_DEBUG=cold: parked tasks stay as they are: %s",
                  why == -EPERM ? "userfaultfd(2) is not allowed: set vm.unprivileged_userfaultfd=1, or let this user "
                                  "open /dev/userfaultfd"
                  : why == -ENOSYS || why == -EOPNOTSUPP ? "the kernel has no UFFDIO_MOVE (Linux 6.8)"
                                                         : "no memory, address space, descriptor or thread for it");
}

void gos__cold_end(bool abandoned)
{
    gos__spin_lock(&gos__rt_lock); /* no fork is under way, and nobody looks */
    gos__cold *cold = gos__cold_now;
    gos__cold_now = NULL;
    gos__spin_unlock(&gos__rt_lock);
    if (!cold)
        return;
    gos__store_relaxed(&cold->only_puts_back, 1u);
    if (gos__env_get()->stats)
        gos__warn("stats: pages of cold tasks packed %lld, put back %lld, away %lld, in %lld bytes",
                  (long long)gos__load_relaxed(&cold->taken), (long long)gos__load_relaxed(&cold->put_back),
                  (long long)gos__load_relaxed(&cold->pages_away), (long long)gos__load_relaxed(&cold->bytes));
    if (abandoned)
        return;
    gos__userfault_ring(&cold->faults);
    pthread_join(cold->keeper, NULL);
    own_descriptors(cold, false);
    gos__cold_free(cold);
}

/* ---- forks; under gos__rt_lock ---- */

void gos__cold_before_fork(void)
{
    if (gos__cold_now)
        gos__cold_hold(gos__cold_now);
}

void gos__cold_after_fork(void)
{
    if (gos__cold_now)
        gos__cold_release(gos__cold_now);
}

void gos__cold_in_child(void)
{
    gos__cold *cold = gos__cold_now;
    if (!cold)
        return;
    own_descriptors(cold, false);
    cold->only_puts_back = 1;
    gos__cold_release(cold);
    if (!gos__cold_forked(cold)) {
        gos__cold_now = NULL;
        return;
    }
    int failed = start_keeper(cold);
    if (failed)
        gos__die("fatal error: fork: the child gets no thread that puts packed task stacks back (error %d)", failed);
}
