#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/atomics.h"

/* The first `size - 1` bytes of a small file, as a string; false when it cannot be read. */
static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    return true;
}

static int64_t number_in(const char *path)
{
    char text[64];
    if (!read_file(path, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return INT64_MAX; /* "max", or no such controller */
    return strtoll(text, NULL, 10);
}

/* The path of this process' group in the hierarchy whose line in /proc/self/cgroup holds `controller` ("" for v2). */
static bool cgroup_of(const char *controller, char *path, size_t size)
{
    char text[4096];
    if (!read_file("/proc/self/cgroup", text, sizeof text))
        return false;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *group = names ? strchr(names + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        if (*controller ? strstr(names + 1, controller) != NULL : names[1] == 0)
            return snprintf(path, size, "%s", group) < (int)size;
    }
    return false;
}

/* The smallest limit on the way from this process' group up to the root of its hierarchy. */
static int64_t smallest_up(const char *root, char *group, const char *file)
{
    int64_t least = INT64_MAX;
    for (;;) {
        char path[4352];
        snprintf(path, sizeof path, "%s%s/%s", root, strcmp(group, "/") ? group : "", file);
        int64_t n = number_in(path);
        least = n < least ? n : least;
        char *slash = strrchr(group, '/');
        if (!slash || !group[1])
            return least;
        slash[slash == group] = 0;
    }
}

static int64_t cgroup_memory(void)
{
    char group[2048];
    int64_t least = INT64_MAX;
    if (cgroup_of("", group, sizeof group))
        least = smallest_up("/sys/fs/cgroup", group, "memory.max");
    if (cgroup_of("memory", group, sizeof group)) {
        int64_t n = smallest_up("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        least = n < least ? n : least;
    }
    return least;
}

int64_t gos__memory_limit(int percent)
{
    int64_t ram = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = cgroup_memory();
    return (group < ram ? group : ram) / 100 * percent;
}

int64_t gos__memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? INT64_MAX / 2 : (int64_t)usage.ru_maxrss * 1024;
}

int64_t gos__memory_resident(void)
{
    char text[128];
    if (!read_file("/proc/self/statm", text, sizeof text))
        return 0;
    char *resident = strchr(text, ' ');
    return resident ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

int64_t gos__address_space_left(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    char text[128];
    bool known = read_file("/proc/self/statm", text, sizeof text);
    int64_t used = known ? strtoll(text, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
    return (int64_t)limit.rlim_cur > used ? (int64_t)limit.rlim_cur - used : 0;
}
