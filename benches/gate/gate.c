/*
 * gate: epochs of one row on request, for scripts/perf_check.py. By hand:
 *
 *   gate --rows                          what there is: name, kind and meaning, separated by tabs
 *   printf '20000 0\n' | gate yield      one epoch of 20000 operations: nanoseconds and operations
 *   printf '1000\n' | gate parked        what 1000 parked tasks cost
 */
#include "gate.h"

#include "gossamer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void gate_fail(const char *what)
{
    fprintf(stderr, "gate: %s\n", what);
    exit(1);
}

static const gate_row *row;   /* NULL: `parked` */

/* The next line of the input without its end, NULL at the end of the input. By read(2): in a task that parks, while
 * stdio's would block the thread and set the runtime looking for a remedy. */
static const char *next_line(void)
{
    static char buffer[4096];
    static size_t used, length;   /* the line given last, and what has been read */
    memmove(buffer, buffer + used, length -= used);
    for (;;) {
        char *end = memchr(buffer, '\n', length);
        if (end != NULL) {
            *end = '\0';
            used = (size_t)(end - buffer) + 1;
            return buffer;
        }
        ssize_t got = length < sizeof buffer ? read(STDIN_FILENO, buffer + length, sizeof buffer - length) : -1;
        if (got < 0) gate_fail("cannot read a request");
        if (got == 0) return NULL;
        length += (size_t)got;
    }
}

static void answer(int64_t ns, uint64_t ops)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%" PRId64 " %" PRIu64 "\n", ns, ops);
    if (write(STDOUT_FILENO, text, (size_t)length) != length) gate_fail("cannot write an answer");
}

/* A line of "OPS BURN" for each epoch, until the end of the input. */
static int serve(void *unused)
{
    (void)unused;
    const char *line;
    if (row != NULL && row->prepare != NULL) row->prepare();
    while ((line = next_line()) != NULL) {
        uint64_t ops, rounds = 0;
        if (sscanf(line, "%" SCNu64 " %" SCNu64, &ops, &rounds) < 1 || ops == 0)
            gate_fail("a request is a line of a number of operations, then optionally of rounds to burn");
        if (row == NULL) {
            answer_parked(ops);
        } else {
            int64_t begin = gos_now();
            uint64_t done = row->run(ops);
            if (rounds != 0) burn(rounds);
            answer(gos_now() - begin, done);
        }
    }
    return 0;
}

static const gate_row *named(const gate_row *rows, const char *name)
{
    while (rows->name != NULL && strcmp(rows->name, name) != 0) rows++;
    return rows->name != NULL ? rows : NULL;
}

static void list(const gate_row *rows)
{
    for (; rows->name != NULL; rows++) printf("%s\t%s\t%s\n", rows->name, rows->kind, rows->meaning);
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    if (strcmp(name, "--rows") == 0) {
        list(task_rows);
        puts("parked\tparked\tmemory of parked tasks");
        list(anchor_rows);
        return 0;
    }
    row = named(anchor_rows, name);
    if (row != NULL) return serve(NULL);
    row = named(task_rows, name);
    if (row == NULL && strcmp(name, "parked") != 0) {
        fprintf(stderr, "usage: gate --rows | gate ROW, and lines of OPS BURN on standard input; no row '%s'\n", name);
        return 2;
    }
    gos_procs(row != NULL && strcmp(row->kind, "multi") == 0 ? 2 : 1);
    return gos_run(serve, NULL);
}
