/*
 * request.c: dumps that somebody asks for, by gos_dump or SIGQUIT. The monitor makes them, since it alone may claim
 * tasks (sched/claim.h), and looks after the workers meanwhile; who asked writes the text (lib/dump.c), however slow
 * its reader is.
 *
 * SIGQUIT is answered where the program leaves the signal at its default action. The monitor writes that text as its
 * reader takes it, a little at each look. A second one while a dump is made, or within a second, has the default
 * action: the process ends with a core file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"
#include "debug/inspect.h"
#include "io/real.h"
#include "os/os.h"

#define WITHDRAW_NS 20000000
#define AGAIN_NS 1000000000

/* The monitor lets the reader of an answer to SIGQUIT keep it for so long at a look, and waits for so long in all. */
#define REPLY_MS 1
#define PATIENCE_NS 10000000000

enum progress { ASKED, TAKEN, DONE };

typedef struct request {
    gos__text text;
    const gos__task *caller; /* NULL: not a task */
    gos__backtrace backtrace;
    uint32_t progress; /* futex */
    struct request *next;
} request;

uint32_t gos__inspect_due;

/* debug/gdb.S comes with this file. */
extern const int gos__gdb GOS_HIDDEN;
__attribute__((used)) static const int *const script = &gos__gdb;

static gos__spin lock;
static request *requests;
static uint32_t quits;   /* SIGQUITs not yet answered */
static int64_t quit_at;  /* when the last one was */
static gos__text reply;  /* to them, the monitor's; start is NULL: none is being written */
static int64_t reply_moved; /* when some of it was written */
static bool is_installed;

/* ---- making one ---- */

static gos__groups *look(const request *asked, bool may_claim)
{
    gos__groups *groups = gos__groups_open(may_claim, false, may_claim ? gos__monitor_look : NULL);
    if (groups && asked && asked->caller) {
        gos__groups_except(groups, asked->caller);
        gos__groups_add_running(groups, asked->caller, &asked->backtrace);
    }
    if (groups)
        gos__groups_add_all(groups);
    return groups;
}

static void tell(gos__text *text, gos__groups *groups, void (*meanwhile)(void))
{
    if (!groups) {
        gos__text_add(text, "gossamer: no memory for a dump\n");
        return;
    }
    gos__dump_add(text, groups, meanwhile);
    gos__groups_close(groups);
}

static void answer_quit(void)
{
    if (gos__dump_open(&reply)) {
        gos__text_add(&reply, "gossamer: SIGQUIT (again within a second: the process ends)\n");
        tell(&reply, look(NULL, true), gos__monitor_look);
    } else {
        gos__warn("SIGQUIT: no memory for a dump");
    }
    reply_moved = gos__clock_ns();
}

/* As much as its reader takes; false: there is more. Who has taken nothing for long does not get the rest. */
static bool write_reply(void)
{
    size_t before = reply.written;
    bool all = gos__text_write_some(&reply, STDERR_FILENO, REPLY_MS);
    int64_t now = gos__clock_ns();
    if (reply.written != before)
        reply_moved = now;
    if (!all && now - reply_moved < PATIENCE_NS)
        return false;
    gos__text_close(&reply);
    gos__store_relaxed(&quit_at, now);
    gos__store_release(&quits, 0u);
    return true;
}

static request *take(void)
{
    gos__spin_lock(&lock);
    request *it = requests;
    if (it) {
        requests = it->next;
        gos__store_relaxed(&it->progress, (uint32_t)TAKEN); /* who asked looks without the lock */
    }
    gos__spin_unlock(&lock);
    return it;
}

void gos__inspect_attend(void)
{
    gos__exchange_seq(&gos__inspect_due, 0u); /* seq: before the look */
    for (request *it; (it = take());) {
        tell(&it->text, look(it, true), gos__monitor_look);
        gos__store_release(&it->progress, (uint32_t)DONE);
        gos__futex_wake(&it->progress, 1);
    }
    if (!gos__load_acquire(&quits))
        return;
    if (!reply.start)
        answer_quit();
    if (!write_reply())
        gos__exchange_seq(&gos__inspect_due, 1u); /* seq: as who asks */
}

/* ---- gos_dump ---- */

static void ask(request *it)
{
    gos__spin_lock(&lock);
    it->next = requests;
    requests = it;
    gos__spin_unlock(&lock);
    gos__exchange_seq(&gos__inspect_due, 1u); /* seq: after the request */
    gos__monitor_poke();
}

/* False: the monitor is at it. */
static bool withdraw(request *it)
{
    gos__spin_lock(&lock);
    bool found = gos__load_relaxed(&it->progress) == ASKED;
    for (request **at = &requests; found && *at; at = &(*at)->next)
        if (*at == it) {
            *at = it->next;
            break;
        }
    gos__spin_unlock(&lock);
    return found;
}

static bool is_over(const gos__runtime *rt)
{
    return !rt || gos__load_acquire(&rt->done);
}

/* Of a thread without a worker: the run may end, and the stacks go, while nobody holds the lock. */
static void dump_foreign(request *it)
{
    for (;;) {
        gos__spin_lock(&gos__rt_lock);
        bool over = is_over(gos__rt) && withdraw(it), none = !gos__rt;
        gos__groups *groups = over && !none ? look(NULL, false) : NULL;
        gos__spin_unlock(&gos__rt_lock);
        if (over && none)
            gos__text_add(&it->text, "gossamer: 0 tasks\n");
        else if (over)
            tell(&it->text, groups, NULL);
        if (over || gos__load_acquire(&it->progress) == DONE)
            return;
        gos__futex_wait(&it->progress, gos__load_relaxed(&it->progress), gos__clock_ns() + WITHDRAW_NS);
    }
}

static void dump_in_run(request *it)
{
    uint32_t progress;
    while ((progress = gos__load_acquire(&it->progress)) != DONE) {
        if (is_over(gos__rt) && withdraw(it)) {
            tell(&it->text, look(it, false), NULL);
            return;
        }
        gos__futex_wait(&it->progress, progress, gos__clock_ns() + WITHDRAW_NS);
    }
}

char *gos__dump(size_t *used, size_t *room)
{
    request it = { .caller = gos__self.task, .progress = ASKED };
    if (!gos__dump_open(&it.text))
        return NULL;
    if (it.caller && !GOS_SAN)
        gos__backtrace_here(&it.backtrace, 3); /* this, the door and gos_dump */
    ask(&it);
    if (gos__self.worker)
        dump_in_run(&it);
    else
        dump_foreign(&it);
    *used = it.text.used;
    *room = it.text.room;
    return it.text.start;
}

void gos__dump_end(char *start, size_t room)
{
    gos__text_close(&(gos__text){ .start = start, .room = room });
}

/* ---- SIGQUIT ---- */

static void on_quit(int number)
{
    int error = errno;
    bool again = gos__add_seq(&quits, 1u) ||
                 (gos__load_relaxed(&quit_at) && gos__clock_ns() - gos__load_relaxed(&quit_at) < AGAIN_NS);
    if (again || is_over(gos__load_acquire(&gos__rt))) {
        GOS_REAL(sigaction)(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        raise(number);
    }
    gos__exchange_seq(&gos__inspect_due, 1u); /* seq: after `quits` */
    gos__monitor_poke();
    errno = error;
}

void gos__inspect_begin(void)
{
    struct sigaction former, ours = { .sa_handler = on_quit, .sa_flags = SA_RESTART | SA_ONSTACK };
    quits = 0;
    quit_at = 0;
    is_installed = !GOS_REAL(sigaction)(SIGQUIT, NULL, &former) && former.sa_handler == SIG_DFL &&
                   !GOS_REAL(sigaction)(SIGQUIT, &ours, NULL);
}

void gos__inspect_end(void)
{
    struct sigaction now;
    while (reply.start && !write_reply())
        continue;
    if (is_installed && !GOS_REAL(sigaction)(SIGQUIT, NULL, &now) && now.sa_handler == on_quit)
        GOS_REAL(sigaction)(SIGQUIT, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    is_installed = false;
}
