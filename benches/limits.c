/* Which limit a contender ran into: every limit that can end the making of units, as used / limit. */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct limit {
    const char *name;
    uint64_t used, most;   /* most: UINT64_MAX or 0 means there is none */
    bool of_threads;       /* refused with EAGAIN, never with ENOMEM */
} limit;

/* Calls visit(folder, arg) for each cgroup folder of the controller that this process is in, up to the root. Version 1
 * has a line "4:memory:/path", version 2 one "0::/path". */
static void each_cgroup(const char *controller, void (*visit)(const char *folder, void *arg), void *arg)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL) return;
    char line[4096], folder[4200];
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':');
        char *path = names != NULL ? strchr(names + 1, ':') : NULL;
        if (path == NULL) continue;
        *path++ = '\0';
        names++;
        if (*names != '\0' && strcmp(names, controller) != 0) continue;
        for (;;) {
            snprintf(folder, sizeof folder, "/sys/fs/cgroup/%s%s", names, path);
            visit(folder, arg);
            char *slash = strrchr(path, '/');
            if (slash == NULL) break;
            *slash = '\0';
        }
    }
    fclose(f);
}

static uint64_t in_folder(const char *folder, const char *v2, const char *v1)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", folder, v2);
    uint64_t value = proc_number(path, NULL, UINT64_MAX);
    if (value != UINT64_MAX) return value;
    snprintf(path, sizeof path, "%s/%s", folder, v1);
    return proc_number(path, NULL, UINT64_MAX);
}

/* Keeps in *arg the limit with the least room. */
static void tighter(limit *least, uint64_t used, uint64_t most)
{
    if (most == UINT64_MAX || used == UINT64_MAX || most >= UINT64_C(1) << 62) return;
    if (least->most != UINT64_MAX && least->most - least->used <= most - used) return;
    least->used = used;
    least->most = most;
}

static void visit_memory(const char *folder, void *arg)
{
    tighter(arg, in_folder(folder, "memory.current", "memory.usage_in_bytes"),
            in_folder(folder, "memory.max", "memory.limit_in_bytes"));
}

static void visit_pids(const char *folder, void *arg)
{
    tighter(arg, in_folder(folder, "pids.current", "pids.current"), in_folder(folder, "pids.max", "pids.max"));
}

static limit cgroup_limit(const char *name, const char *controller, void (*visit)(const char *, void *))
{
    limit least = { name, 0, UINT64_MAX, visit == visit_pids };
    each_cgroup(controller, visit, &least);
    return least;
}

uint64_t memory_left(void)
{
    uint64_t left = proc_number("/proc/meminfo", "MemAvailable:", 0) << 10;
    limit cgroup = cgroup_limit("", "memory", visit_memory);
    if (cgroup.most == UINT64_MAX) return left;
    uint64_t room = cgroup.most > cgroup.used ? cgroup.most - cgroup.used : 0;
    return room < left ? room : left;
}

/* All threads of the machine: the number behind the slash in /proc/loadavg. */
static uint64_t system_threads(void)
{
    unsigned long long all = 0;
    FILE *f = fopen("/proc/loadavg", "re");
    if (f == NULL) return 0;
    if (fscanf(f, "%*s %*s %*s %*[0-9]/%llu", &all) != 1) all = 0;
    fclose(f);
    return all;
}

static limit rlimit_of(const char *name, int which, uint64_t used)
{
    struct rlimit r;
    limit l = { name, used, UINT64_MAX, which == RLIMIT_NPROC };
    if (getrlimit(which, &r) == 0 && r.rlim_cur != RLIM_INFINITY) l.most = r.rlim_cur;
    return l;
}

static double share(const limit *l)
{
    return l->most == UINT64_MAX || l->most == 0 ? 0 : (double)l->used / (double)l->most;
}

void limits_explain(int error, char *why, size_t size)
{
    uint64_t everyone = system_threads(), threads = proc_number("/proc/self/status", "Threads:", 1);
    uint64_t address_space = proc_number("/proc/self/status", "VmSize:", 0) << 10;
    uint64_t total = proc_number("/proc/meminfo", "MemTotal:", 0) << 10;
    limit all[] = {
        { "vm.max_map_count (mappings)", proc_lines("/proc/self/maps"),
          proc_number("/proc/sys/vm/max_map_count", NULL, UINT64_MAX), false },
        { "kernel.pid_max (threads of the machine; 300 more are reserved)", everyone,
          proc_number("/proc/sys/kernel/pid_max", NULL, UINT64_MAX), true },
        { "kernel.threads-max (threads of the machine)", everyone,
          proc_number("/proc/sys/kernel/threads-max", NULL, UINT64_MAX), true },
        rlimit_of("RLIMIT_NPROC (threads of the user)", RLIMIT_NPROC, geteuid() == 0 ? 0 : threads),
        cgroup_limit("pids.max of the cgroup", "pids", visit_pids),
        cgroup_limit("memory limit of the cgroup (bytes)", "memory", visit_memory),
        rlimit_of("RLIMIT_AS (bytes of address space)", RLIMIT_AS, address_space),
        { "memory of the machine (bytes)", total - memory_left(), total, false },
    };
    const limit *nearest = NULL;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (error == ENOMEM && all[i].of_threads) continue;
        if (nearest == NULL || share(&all[i]) > share(nearest)) nearest = &all[i];
    }
    int length = snprintf(why, size, "%s (%s)", strerrorname_np(error), strerrordesc_np(error));
    if (length < 0 || (size_t)length >= size) return;
    const char *verdict = share(nearest) >= 0.9
        ? "" : " no limit that shows is near, so one of the contender's own or one shared with others; nearest:";
    snprintf(why + length, size - (size_t)length, ":%s %llu of %llu of %s are used", verdict,
             (unsigned long long)nearest->used, (unsigned long long)nearest->most, nearest->name);
}
