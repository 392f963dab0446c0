#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"

/* Linux 6.13; not yet in Debian 12's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define NO_ADVICE 0x7fffffff

size_t gos__vm_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *gos__vm_reserve(size_t size)
{
    void *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

void gos__vm_release(void *start, size_t size)
{
    if (!munmap(start, size))
        return;
    /* At vm.max_map_count a mapping cannot be split: at least its memory goes back. */
    (void)madvise(start, size, MADV_DONTNEED);
}

int gos__vm_commit(void *start, size_t size)
{
    if (mprotect(start, size, PROT_READ | PROT_WRITE))
        return -errno;
    /* A huge page under a sparse stack would cost 2 MiB for a few KiB. EINVAL: a kernel without huge pages. */
    (void)madvise(start, size, MADV_NOHUGEPAGE);
    return 0;
}

void *gos__vm_new(size_t size)
{
    void *start = gos__vm_reserve(size);
    if (!start || !gos__vm_commit(start, size))
        return start;
    gos__vm_release(start, size);
    return NULL;
}

int gos__vm_discard(void *start, size_t size)
{
    return madvise(start, size, MADV_DONTNEED) ? -errno : 0;
}

const void *gos__vm_map_file(const char *path, size_t *size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct stat found = { .st_size = 0 };
    void *start = MAP_FAILED;
    if (!fstat(fd, &found) && found.st_size > 0)
        start = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    gos__fd_close(fd);
    *size = (size_t)found.st_size;
    return start == MAP_FAILED ? NULL : start;
}

void gos__vm_unmap_file(const void *start, size_t size)
{
    munmap((void *)(uintptr_t)start, size);
}

static uint32_t no_guard_install; /* a hint: set once the kernel said EINVAL */

/* An emulator may call advice that it does not know a success (qemu-user does), and then guards nothing. */
static bool advice_is_believed(void *page, size_t size)
{
    static uint32_t believed; /* 0: not yet asked, 1: no, 2: yes */
    if (!gos__load_relaxed(&believed))
        gos__store_relaxed(&believed, madvise(page, size, NO_ADVICE) ? 2u : 1u);
    return gos__load_relaxed(&believed) == 2;
}

bool gos__vm_guard_is_mapping(void)
{
    return gos__load_relaxed(&no_guard_install);
}

int gos__vm_unguard(void *page)
{
    return mprotect(page, gos__vm_page_size(), PROT_READ | PROT_WRITE) ? -errno : 0;
}

int gos__vm_guard(void *page)
{
    size_t size = gos__vm_page_size();
    if (!gos__load_relaxed(&no_guard_install)) {
        bool believed = advice_is_believed(page, size);
        if (believed && !madvise(page, size, MADV_GUARD_INSTALL))
            return 0;
        if (believed && errno != EINVAL)
            return -errno;
        gos__store_relaxed(&no_guard_install, 1u);
    }
    return mprotect(page, size, PROT_NONE) ? -errno : 0;
}
