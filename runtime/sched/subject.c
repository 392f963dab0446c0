#include "sched/subject.h"

#include "sched/lot.h"
#include "sched/netpoll.h"
#include "stack/stack.h"

void gos__subject_of(const gos__task *task, uint8_t why, gos__subject *subject)
{
    *subject = (gos__subject){ .descriptor = -1 };
    uintptr_t at = (uintptr_t)gos__load_relaxed(&task->sp) + GOS_TASK_SUBJECT;
    if (!gos__is_on_stack(task, at, sizeof at))
        return;
    uintptr_t noted = gos__load_relaxed((const uintptr_t *)at);
    if (!gos__is_on_stack(task, noted, sizeof(gos__lot_wait))) {
        subject->address = noted;
        return;
    }
    const gos__lot_wait *wait = (const gos__lot_wait *)noted;
    if (why != GOS_WAIT_FD)
        subject->address = gos__lot_object_of(wait->key);
    else if (!wait->wait.is_listed && wait->wait.n) {
        const gos__fd_record *record = gos__load_relaxed(&wait->wait.records); /* once: the task may begin to run */
        if (gos__is_on_stack(task, (uintptr_t)record, sizeof *record))
            subject->descriptor = record->fd;
    }
}
