/* What the kernel says about this process; the clock; the CPU it runs on. */
#define _GNU_SOURCE
#include "bench.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char text[64 << 10];

/* Reads the start of a file into `text`; "" when there is none. */
static const char *slurp(const char *path)
{
    ssize_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got;
        while ((got = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) length += got;
        close(fd);
    }
    text[length] = '\0';
    return text;
}

/* The number behind a key at the start of a line. */
static uint64_t number_after(const char *where, const char *key, uint64_t fallback)
{
    size_t length = key != NULL ? strlen(key) : 0;
    while (length != 0 && strncmp(where, key, length) != 0) {
        where = strchr(where, '\n');
        if (where == NULL) return fallback;
        where++;
    }
    where += length;
    where += strspn(where, " \t");
    if (strncmp(where, "max", 3) == 0) return UINT64_MAX;
    return isdigit((unsigned char)*where) ? strtoull(where, NULL, 10) : fallback;
}

uint64_t proc_number(const char *path, const char *key, uint64_t fallback)
{
    return number_after(slurp(path), key, fallback);
}

uint64_t proc_lines(const char *path)
{
    uint64_t lines = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got;
    while ((got = read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < got; i++) lines += text[i] == '\n';
    close(fd);
    return lines;
}

void stop_for_reading(void)
{
    puts("stop");
    fflush(stdout);
    for (int c = getchar(); c != '\n' && c != EOF; c = getchar()) {}
}

int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The CPUs that the process could use at first: read before anything is bound. */
static cpu_set_t allowed;

__attribute__((constructor)) static void read_allowed(void)
{
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
}

static void bind_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

void pin_to_one_cpu(void)
{
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        bind_to(cpu);
        return;
    }
}

void pin_to_other_cpu(void)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        bind_to(cpu);
        return;
    }
}

bool has_two_cpus(void) { return CPU_COUNT(&allowed) > 1; }
