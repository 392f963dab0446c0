#define _GNU_SOURCE
#include "os/os.h"

#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <hwloc/glibc-sched.h> /* after sched.h */
#include <hwloc/linux.h>

#include "base/check.h"

static hwloc_topology_t topology;
static hwloc_cpuset_t usable; /* NULL: hwloc could not tell */

static void load(void)
{
    if (hwloc_topology_init(&topology))
        return;
    /* Only cores and PUs matter here; reading less of /sys makes the start quicker. */
    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
    hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    if (hwloc_topology_load(topology))
        return;
    usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology));
    hwloc_cpuset_t affinity = hwloc_bitmap_alloc();
    if (usable && affinity && !hwloc_get_cpubind(topology, affinity, HWLOC_CPUBIND_PROCESS))
        hwloc_bitmap_and(usable, usable, affinity);
    hwloc_bitmap_free(affinity);
}

void gos__cpus_read(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
}

int gos__cpu_count(void)
{
    gos__cpus_read();
    int count = usable ? hwloc_bitmap_weight(usable) : 1;
    int64_t allowed = gos__cpu_quota("/sys/fs/cgroup", "/proc/self/cgroup");
    if (allowed < count)
        count = (int)allowed;
    return count > 0 ? count : 1;
}

/* NULL: there are fewer. */
static hwloc_obj_t unit_at(int index)
{
    gos__cpus_read();
    int count = usable ? hwloc_get_nbobjs_inside_cpuset_by_type(topology, usable, HWLOC_OBJ_PU) : 0;
    if (index < 0 || index >= count)
        return NULL;
    return hwloc_get_obj_inside_cpuset_by_type(topology, usable, HWLOC_OBJ_PU, (unsigned)index);
}

int gos__thread_create(pthread_t *thread, int index, void *(*fn)(void *), void *arg)
{
    hwloc_obj_t pu = unit_at(index);
    pthread_attr_t attr;
    if (pu && !pthread_attr_init(&attr)) {
        cpu_set_t set;
        int failed = hwloc_cpuset_to_glibc_sched_affinity(topology, pu->cpuset, &set, sizeof set) ||
                     pthread_attr_setaffinity_np(&attr, sizeof set, &set) || pthread_create(thread, &attr, fn, arg);
        pthread_attr_destroy(&attr);
        if (!failed)
            return 0;
    }
    return pthread_create(thread, NULL, fn, arg);
}

void gos__cpu_bind(int32_t tid, int index)
{
    hwloc_obj_t pu = unit_at(index);
    /* Binding is an optimisation: a kernel or sandbox that refuses it costs speed, not correctness. */
    if (pu)
        (void)hwloc_linux_set_tid_cpubind(topology, tid, pu->cpuset);
}
