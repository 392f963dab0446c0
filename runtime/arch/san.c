/* san.c: see san.h. Compiled without instrumentation: these functions begin as one task and end as another. */
#include "arch/san.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "arch/syscall.h"
#include "base/spin.h"
#include "os/os.h"

#if GOS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if GOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* What the compilers call for an access of many bytes; in no header. */
void __asan_loadN(const void *at, size_t size);
void __asan_storeN(void *at, size_t size);
void __tsan_read_range(const void *at, size_t size);
void __tsan_write_range(void *at, size_t size);

#if GOS_SAN

/* Kept for a task, or a thread, while its stack is not the current one. */
typedef struct picture {
    void *fiber;      /* thread sanitizer's */
    void *fake;       /* address sanitizer's stack for use-after-return */
    const void *bottom;
    size_t size;
    int is_poisoned;  /* a task's: it has ended */
    int is_away;      /* a thread's: a task's picture is the current one */
    int is_amid;      /* a task's: it ends within its calls */
} picture;

_Static_assert(sizeof(picture) <= GOS_SAN_BYTES, "picture: fits above the stack");

static _Thread_local picture own;

/* Every task of these builds has a paged stack, whose region's header lies right below its own. */
static picture *of(gos__task *task)
{
    return (picture *)((uintptr_t)((gos__region *)task - 1) - GOS_SAN_BYTES);
}

static void change(picture *from, picture *to)
{
    gos__run_handlers(); /* that were put off: as `from`, which may not be the current one again */
#if GOS_ASAN
    __sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
    __sanitizer_finish_switch_fiber(to->fake, &from->bottom, &from->size);
#endif
#if GOS_TSAN
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

void gos__san_enter(void)
{
    change(of(gos__self.task), &own);
    own.is_away = 0;
}

void gos__san_leave(void)
{
    if (own.is_away)
        gos__san_enter();
}

void gos__san_holds(void)
{
#if GOS_TSAN
    __tsan_acquire(&gos__self.locked); /* O3, pairs with T6 */
#endif
}

void gos__san_resume(gos__task *task)
{
#if GOS_TSAN
    __tsan_release(&gos__self.in_runtime); /* O5, pairs with T4 */
#endif
    change(&own, of(task));
    own.is_away = 1;
}

#if GOS_TSAN
/* A fiber has 800 KB, which take longer to make and to clear than most tasks run. One whose task has returned, and left
 * no call on it, serves another; in reports that is then of the same thread, made where the first one was. */
enum { FIBERS = 64 };
static gos__spin fibers_lock;
static void *fibers[FIBERS];
static int fibers_n;

static void *fiber_new(void)
{
    gos__spin_lock(&fibers_lock);
    void *fiber = fibers_n ? fibers[--fibers_n] : NULL;
    gos__spin_unlock(&fibers_lock);
    return fiber ? fiber : __tsan_create_fiber(0);
}

static void fiber_free(void *fiber, bool is_amid)
{
    gos__spin_lock(&fibers_lock);
    bool kept = fiber && !is_amid && fibers_n < FIBERS;
    if (kept)
        fibers[fibers_n++] = fiber;
    gos__spin_unlock(&fibers_lock);
    if (fiber && !kept)
        __tsan_destroy_fiber(fiber);
}
#endif

void gos__san_begin(gos__task *task)
{
    picture *it = of(task);
    const gos__region *region = (gos__region *)task - 1;
#if GOS_ASAN
    if (it->is_poisoned)
        __asan_unpoison_memory_region((void *)region->bottom, (uintptr_t)it - region->bottom);
#endif
    *it = (picture){ .bottom = (void *)region->bottom, .size = (uintptr_t)it - region->bottom };
#if GOS_ASAN
    __lsan_register_root_region(it->bottom, it->size);
#endif
#if GOS_TSAN
    it->fiber = fiber_new();
#endif
}

void gos__san_amid(gos__task *task)
{
    of(task)->is_amid = 1;
}

void gos__san_end(gos__task *task)
{
    picture *it = of(task);
#if GOS_ASAN
    if (it->fake) { /* only who has it as the current one can free it */
        change(&own, it);
        __sanitizer_start_switch_fiber(NULL, own.bottom, own.size);
        __sanitizer_finish_switch_fiber(own.fake, NULL, NULL);
    }
    it->is_poisoned = 1;
    __asan_poison_memory_region(it->bottom, it->size);
    __lsan_unregister_root_region(it->bottom, it->size);
#endif
#if GOS_TSAN
    fiber_free(it->fiber, it->is_amid);
    it->fiber = NULL;
#endif
}

void gos__san_forget(uintptr_t start, uintptr_t end)
{
    (void)start, (void)end;
#if GOS_ASAN
    __asan_unpoison_memory_region((void *)start, end - start);
#endif
}

/* ---- system calls ---- */

/* What the kernel reads or writes for a call. */
static void sees(long bytes, void *at, bool writes)
{
    if (bytes <= 0)
        return;
#if GOS_ASAN
    if (writes)
        __asan_storeN(at, (size_t)bytes);
    else
        __asan_loadN(at, (size_t)bytes);
#endif
#if GOS_TSAN
    if (writes)
        __tsan_write_range(at, (size_t)bytes);
    else
        __tsan_read_range(at, (size_t)bytes);
#endif
}

#if GOS_TSAN
/* Its own close: what it knows of the number ends with it. */
int __interceptor_close(int fd);

static long its_close(int fd)
{
    return __interceptor_close(fd) ? -errno : 0;
}

/* Where the kernel lets who reads, or waits, see that somebody wrote, or came. One for all, since which descriptors
 * are two ends of one thing is not known here; libtsan has one for all sockets as well. */
static char kernel;

/* What others may see the effect of. */
static bool gives(long number)
{
    switch (number) {
    case SYS_write: case SYS_writev: case SYS_sendto: case SYS_sendmsg: case SYS_close: case SYS_connect:
    case SYS_flock: case SYS_fcntl: case SYS_msgsnd: case SYS_semop: case SYS_semtimedop:
        return true;
    }
    return false;
}

/* What may see it. */
static bool takes(long number)
{
    switch (number) {
    case SYS_read: case SYS_readv: case SYS_recvfrom: case SYS_recvmsg: case SYS_recvmmsg:
    case SYS_accept: case SYS_accept4:
    case SYS_poll: case SYS_ppoll: case SYS_select: case SYS_pselect6: case SYS_epoll_wait: case SYS_epoll_pwait:
    case SYS_epoll_pwait2: case SYS_flock: case SYS_fcntl: case SYS_msgrcv: case SYS_semop: case SYS_semtimedop:
        return true;
    }
    return false;
}
#endif

long gos__san_syscall(long number, long a, long b, long c, long d, long e, long f)
{
#if GOS_TSAN
    if (gives(number))
        __tsan_release(&kernel);
#endif
    if (number == SYS_write || number == SYS_sendto)
        sees(c, (void *)b, false);
#if GOS_TSAN
    long result = number == SYS_close ? its_close((int)a) : gos__bare_syscall(number, a, b, c, d, e, f);
#else
    long result = gos__bare_syscall(number, a, b, c, d, e, f);
#endif
    gos__run_handlers(); /* one that has ended the call comes before its result */
    if (number == SYS_read || number == SYS_recvfrom)
        sees(result, (void *)b, true);
#if GOS_TSAN
    if (takes(number))
        __tsan_acquire(&kernel);
#endif
    return result;
}

#endif
