/* What parked tasks cost in memory: read by the main task while they are parked, as totals of the process. */
#define _GNU_SOURCE
#include "gate.h"

#include "gossamer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static gos_chan *gate;
static gos_sem arrived;

static void parked_task(void *unused)
{
    (void)unused;
    gos_sem_release(&arrived, 1);
    gos_chan_recv(gate, NULL);
}

/* The number behind `key` in a file of /proc, in its own unit; lines of the file when there is no key. */
static uint64_t number_of(const char *path, const char *key)
{
    char line[512];
    uint64_t number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) gate_fail(path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (key == NULL) number++;
        else if (strncmp(line, key, strlen(key)) == 0) number = strtoull(line + strlen(key), NULL, 10);
    }
    fclose(file);
    return number;
}

void answer_parked(uint64_t n)
{
    struct rusage usage;
    gos_stats stats;
    gate = gos_chan_new(0, 0);
    if (gate == NULL) gate_fail("no memory for a channel");
    for (uint64_t i = 0; i < n; i++)
        if (gos_go(parked_task, NULL) != 0) gate_fail("cannot start a task");
    gos_sem_acquire(&arrived, (long)n);
    getrusage(RUSAGE_SELF, &usage);
    gos_stats_read(&stats);
    printf("pte_bytes=%llu pss_bytes=%llu mappings=%llu minor_faults=%ld stack_bytes=%lld\n",
           (unsigned long long)number_of("/proc/self/status", "VmPTE:") << 10,
           (unsigned long long)number_of("/proc/self/smaps_rollup", "Pss:") << 10,
           (unsigned long long)number_of("/proc/self/maps", NULL), usage.ru_minflt, (long long)stats.stack_bytes);
    fflush(stdout);
    gos_chan_close(gate);
}
