/*
 * main.c: runs a real program's driver, in one of the builds that are compared (programs.mk).
 *
 *   NAME-BUILD --once ROUNDS     does them and prints the checksum: for callgrind
 *   NAME-BUILD --serve           for each line ROUNDS of standard input: does them, answers "nanoseconds checksum", so
 *                                that one process of each build waits while another is timed
 *
 * With -DTASKS the work is done by a task, which starts on a nursery; otherwise by a thread with a large stack, where
 * every check passes. Both are beside a first thread that waits, since malloc and the like are quicker in a process
 * of one thread. Time is the processor time of the thread that does the work: what other processes and the runtime's
 * monitor take meanwhile is not the check's.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

#ifdef TASKS
#include <gossamer.h>
#endif

_Noreturn void program_fail(const char *what, const char *why)
{
    fprintf(stderr, "program: %s: %s\n", what, why);
    exit(1);
}

static int64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Reads requests with read alone, for which a task parks; fgets would block its thread. */
static void serve(void)
{
    char line[64];
    ssize_t length;
    while ((length = read(0, line, sizeof line - 1)) > 0) {
        line[length] = 0;
        int64_t begin = cpu_now();
        uint64_t sum = program_run(atoi(line));
        int64_t ns = cpu_now() - begin;
        length = snprintf(line, sizeof line, "%lld %016llx\n", (long long)ns, (unsigned long long)sum);
        if (write(1, line, (size_t)length) != length)
            program_fail("serve", "nobody reads the answers");
    }
}

static int work(void *arg)
{
    int rounds = *(int *)arg;
    if (rounds > 0)
        printf("%016llx\n", (unsigned long long)program_run(rounds));
    else
        serve();
    return 0;
}

#ifdef TASKS
static int run(int rounds)
{
    return gos_run(work, &rounds);
}
#else
static void *work_thread(void *arg)
{
    work(arg);
    return NULL;
}

static int run(int rounds)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, 64ul << 20) != 0 ||
        pthread_create(&thread, &attributes, work_thread, &rounds) != 0)
        program_fail("pthread_create", "did not run the thread");
    return pthread_join(thread, NULL);
}
#endif

int main(int argc, char **argv)
{
    int rounds = argc == 3 && !strcmp(argv[1], "--once") ? atoi(argv[2]) : 0;
    if (rounds <= 0 && !(argc == 2 && !strcmp(argv[1], "--serve"))) {
        fprintf(stderr, "usage: %s --once ROUNDS | --serve\n", argv[0]);
        return 2;
    }
    return run(rounds) ? 1 : 0;
}
