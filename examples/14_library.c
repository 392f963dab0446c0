/*
 * Tasks inside a library, in a program that is not built around them. The library starts its runtime on a thread of its
 * own at the first call; callers are plain threads, which send what they want done and wait for the answer.
 */
#include <gossamer.h>
#include <pthread.h>
#include <stdio.h>

/* ---- the library: lib_sum_of_squares may be called from any thread ---- */

enum { PARTS = 8 };

typedef struct job {
    long to, sum;
    gos_waitgroup parts, done;
} job;

typedef struct part {
    job *of;
    long first;
} part;

static gos_chan *jobs;
static pthread_t runtime;

static void add_part(void *arg)
{
    part *it = arg;
    long sum = 0;
    for (long n = it->first; n <= it->of->to; n += PARTS)
        sum += n * n;
    __atomic_fetch_add(&it->of->sum, sum, __ATOMIC_RELAXED);
    gos_waitgroup_done(&it->of->parts);
}

static void work(void *arg)
{
    job *it = arg;
    part parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        parts[i] = (part){ it, i + 1 };
        if (gos_go(add_part, &parts[i]) != 0)
            add_part(&parts[i]);
    }
    gos_waitgroup_wait(&it->parts);
    gos_waitgroup_done(&it->done); /* it is on the caller's stack, and gone from here on */
}

static int serve(void *unused)
{
    (void)unused;
    for (job *it; gos_chan_recv(jobs, &it) == 0;)
        if (gos_go(work, it) != 0)
            return 1;
    return 0;
}

static void *run_tasks(void *unused)
{
    gos_run(serve, unused);
    return NULL;
}

static void start(void *unused)
{
    jobs = gos_chan_new(sizeof(job *), 0);
    pthread_create(&runtime, NULL, run_tasks, unused);
}

long lib_sum_of_squares(long to);
void lib_close(void);

long lib_sum_of_squares(long to)
{
    static gos_once started = GOS_ONCE_INIT;
    job it = { .to = to }, *sent = &it;
    gos_once_do(&started, start, NULL);
    gos_waitgroup_add(&it.parts, PARTS);
    gos_waitgroup_add(&it.done, 1);
    gos_chan_send(jobs, &sent);
    gos_waitgroup_wait(&it.done);
    return it.sum;
}

void lib_close(void)
{
    gos_chan_close(jobs);
    pthread_join(runtime, NULL);
    gos_chan_free(jobs);
}

/* ---- the program, which knows nothing of tasks ---- */

static void *user(void *sum)
{
    *(long *)sum = lib_sum_of_squares(1000);
    return NULL;
}

int main(void)
{
    pthread_t users[4];
    long sums[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&users[i], NULL, user, &sums[i]);
    printf("%ld\n", lib_sum_of_squares(10)); // expect: 385
    for (int i = 0; i < 4; i++) {
        pthread_join(users[i], NULL);
        printf("%ld\n", sums[i]);
    }
    // expect: 333833500
    // expect: 333833500
    // expect: 333833500
    // expect: 333833500
    lib_close();
    return 0;
}
