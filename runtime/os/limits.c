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

/* ---- control groups: the limit of each group on the way from this process' up to the root counts ---- */

static bool read_in(const char *folder, const char *file, char *text, size_t size)
{
    char path[4352];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return read_file(path, text, size);
}

static int64_t number_in(const char *folder, const char *file)
{
    char text[64];
    if (!read_in(folder, file, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return INT64_MAX; /* "max", -1, or no such controller */
    return strtoll(text, NULL, 10);
}

static bool has_word(const char *list, const char *word)
{
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (n == strlen(word) && !strncmp(list, word, n))
            return true;
    }
    return false;
}

/* The path of this process' group in the hierarchy whose line in `membership` names `controller` ("" for v2). */
static bool cgroup_of(const char *membership, const char *controller, char *path, size_t size)
{
    char text[4096];
    if (!read_file(membership, text, sizeof text))
        return false;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *group = names ? strchr(names + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        if (*controller ? has_word(names + 1, controller) : names[1] == 0)
            return snprintf(path, size, "%s", group) < (int)size;
    }
    return false;
}

static int64_t smallest_up(const char *root, char *group, int64_t (*limit_in)(const char *folder))
{
    int64_t least = INT64_MAX;
    for (;;) {
        char folder[4096];
        snprintf(folder, sizeof folder, "%s%s", root, strcmp(group, "/") ? group : "");
        int64_t n = limit_in(folder);
        least = n < least ? n : least;
        char *slash = strrchr(group, '/');
        if (!slash || !group[1])
            return least;
        slash[slash == group] = 0;
    }
}

/* Of version 2, whose folder is `cgroups`, and of the hierarchy of version 1 that is mounted there for `controller`. */
static int64_t cgroup_limit(const char *cgroups, const char *membership, const char *controller,
                            int64_t (*limit_in_2)(const char *folder), int64_t (*limit_in_1)(const char *folder))
{
    char group[2048], root[256];
    int64_t least = INT64_MAX;
    if (cgroup_of(membership, "", group, sizeof group))
        least = smallest_up(cgroups, group, limit_in_2);
    if (cgroup_of(membership, controller, group, sizeof group)) {
        snprintf(root, sizeof root, "%s/%s", cgroups, controller);
        int64_t n = smallest_up(root, group, limit_in_1);
        least = n < least ? n : least;
    }
    return least;
}

static int64_t memory_in_2(const char *folder)
{
    return number_in(folder, "memory.max");
}

static int64_t memory_in_1(const char *folder)
{
    return number_in(folder, "memory.limit_in_bytes");
}

/* Microseconds of CPU time in each period of as many. */
static int64_t whole_cpus(int64_t quota, int64_t period)
{
    return quota > 0 && quota < INT32_MAX && period > 0 ? (quota - 1) / period + 1 : INT64_MAX;
}

static int64_t cpus_in_2(const char *folder)
{
    char text[64];
    long long quota, period;
    bool is_set = read_in(folder, "cpu.max", text, sizeof text) && sscanf(text, "%lld %lld", &quota, &period) == 2;
    return is_set ? whole_cpus(quota, period) : INT64_MAX;
}

static int64_t cpus_in_1(const char *folder)
{
    return whole_cpus(number_in(folder, "cpu.cfs_quota_us"), number_in(folder, "cpu.cfs_period_us"));
}

int64_t gos__cpu_quota(const char *cgroups, const char *membership)
{
    return cgroup_limit(cgroups, membership, "cpu", cpus_in_2, cpus_in_1);
}

int64_t gos__memory_limit(int percent)
{
    int64_t ram = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = cgroup_limit("/sys/fs/cgroup", "/proc/self/cgroup", "memory", memory_in_2, memory_in_1);
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
