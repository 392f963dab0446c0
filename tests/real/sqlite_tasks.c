/*
 * sqlite_tasks.c: N tasks, each with a database of its own in memory, that is used between yields. SQLite calls libc
 * through its table of system calls and its tables of methods, from wherever it is, so that one call which no linker
 * saw would overrun a nursery: the canary of each is looked at whenever its task parks.
 * Built by test_sqlite_tasks.sh as a user's program is.
 */
#include <gossamer.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gos_waitgroup group;
static int failed, done;

static int add(void *sum, int columns, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < columns; i++)
        *(long *)sum += values[i] ? atol(values[i]) : 0;
    gos_yield(); /* in a callback, with SQLite's frames above */
    return 0;
}

static int run(sqlite3 *db, const char *text, long *sum)
{
    char *why = NULL;
    int code = sqlite3_exec(db, text, add, sum, &why);
    if (code != SQLITE_OK)
        fprintf(stderr, "sqlite: %s: %s\n", text, why ? why : "no words");
    sqlite3_free(why);
    return code;
}

static void work(void *arg)
{
    long id = (long)arg, sum = 0;
    char text[160];
    sqlite3 *db = NULL;
    int code = sqlite3_open(":memory:", &db);
    gos_yield();
    code |= run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b)", &sum);
    gos_yield();
    for (int i = 1; i <= 4 && !code; i++) {
        sqlite3_snprintf(sizeof text, text, "INSERT INTO t VALUES(%d, %ld)", i, id + i);
        code |= run(db, text, &sum);
        gos_yield();
    }
    code |= run(db, "SELECT a, upper(b) FROM t WHERE b > '' ORDER BY b DESC", &sum);
    code |= run(db, "SELECT sum(a * b), random() * 0 FROM t", &sum);
    /* 1+2+3+4 + 4 id + 10 + 1(id+1) + 2(id+2) + 3(id+3) + 4(id+4) */
    if (code || sum != 10 + 4 * id + 10 + 10 * id + 30 || sqlite3_close(db) != SQLITE_OK)
        __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
    gos_waitgroup_done(&group);
}

static int start(void *arg)
{
    long tasks = *(long *)arg;
    for (long id = 0; id < tasks; id++) {
        gos_waitgroup_add(&group, 1);
        if (gos_go(work, (void *)id) != 0)
            return 2;
    }
    gos_waitgroup_wait(&group);
    printf("%d done, %d failed\n", done, failed);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    long tasks = argc > 1 ? atol(argv[1]) : 10000;
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* 48 KiB for each database otherwise */
    return gos_run(start, &tasks);
}
