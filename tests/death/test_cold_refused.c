/* GOS_DEBUG=cold where the kernel refuses a part of what it takes: the program is well without it, and says so; or it
 * ends with one line when a packed stack cannot be put back. */
// timeout: 120
// not-with: paged (no nurseries)
#include <gossamer.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "os/os.h"
#include "tests/death/death.h"

enum { TASKS = 6000 };
#define MOVE 0xc028aa05u /* UFFDIO_MOVE, Linux 6.8 */

typedef struct refusal {
    uint32_t request; /* of ioctl */
    int error;
    bool packs; /* all the same */
} refusal;

static gos_waitgroup all;
static gos_chan *chan;

static void parks(void *number)
{
    uint64_t words[4] = { (uintptr_t)number, 1, 2, 3 }, got;
    __asm__ volatile("" : : "r"(words) : "memory");
    CHECK_EQ(gos_chan_recv(chan, &got), 0);
    CHECK_EQ(words[0] + words[3], (uintptr_t)number + 3);
    gos_waitgroup_done(&all);
}

static void refuse(const refusal *what)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what->request, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)what->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static int main_task(void *arg)
{
    const refusal *what = arg;
    gos_stats stats;
    uint64_t one = 1;
    chan = gos_chan_new(sizeof one, 0);
    gos_waitgroup_add(&all, TASKS);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_EQ(gos_go(parks, (void *)i), 0);
    do {
        gos_sleep(20000000);
        CHECK_EQ(gos_stats_read(&stats), 0);
    } while (what->packs && stats.cold_pages < 500);
    CHECK(what->packs || !stats.cold_packed);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(gos_chan_send(chan, &one), 0);
    gos_waitgroup_wait(&all);
    return 0;
}

static void run_refused(void *arg)
{
    setenv("GOS_DEBUG", "cold=1", 1);
    refuse(arg);
    CHECK_EQ(gos_run(main_task, arg), 0);
}

static bool is_allowed(void)
{
    gos__userfault faults;
    bool is_open = !gos__userfault_open(&faults);
    if (is_open)
        gos__userfault_close(&faults);
    return is_open;
}

int main(void)
{
    static refusal api = { UFFDIO_API, EINVAL, false };
    static refusal watch = { UFFDIO_REGISTER, ENOMEM, false };
    static refusal move = { MOVE, EBUSY, false };
    static refusal put = { UFFDIO_COPY, ENOMEM, true };
    if (!is_allowed())
        SKIP("no userfaultfd for system calls here");
    static const char stay[] = "gossamer: GOS_DEBUG=cold: parked tasks stay as they are: *";
    expect_death("old kernel", run_refused, &api, 0, 0,
                 (const char *[]){ "gossamer: GOS_DEBUG=cold: parked tasks stay as they are: the kernel has no *6.8*",
                                   NULL });
    expect_death("no memory for it", run_refused, &watch, 0, 0, (const char *[]){ stay, NULL });
    expect_death("pages in use by the kernel", run_refused, &move, 0, 0, (const char *[]){ NULL });
    expect_death("no memory to put back", run_refused, &put, 0, 2,
                 (const char *[]){ "gossamer: fatal error: no memory to put a packed task stack back: *", NULL });
    return 0;
}
