/* sqlite.c: SQLite on a database in memory: inserts, indexed look-ups, joins, groups, updates, text functions. */
#include <sqlite3.h>
#include <stdio.h>

#include "program.h"

enum { ROWS = 240 };

static const char *const schema =
    "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, town INTEGER, age INTEGER);"
    "CREATE TABLE town(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE INDEX person_town ON person(town, age);"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 15)"
    " INSERT INTO town SELECT i, 'town ' || i FROM n;";

static const char *const queries[] = {
    "SELECT town.name, count(*), avg(age), max(person.name) FROM person JOIN town ON town.id = person.town"
    " GROUP BY town.id ORDER BY 2 DESC, 1",
    "SELECT a.id, b.id FROM person a JOIN person b ON a.town = b.town AND a.age = b.age AND a.id < b.id"
    " ORDER BY a.name LIMIT 20",
    "SELECT upper(substr(name, 2, 4)) || printf('%05d', age) FROM person WHERE name LIKE '%a1%' ORDER BY name",
    "WITH RECURSIVE f(a, b, n) AS (SELECT 0, 1, 0 UNION ALL SELECT b, (a + b) % 1000003, n + 1 FROM f WHERE n < 150)"
    " SELECT sum(a) FROM f",
    "UPDATE person SET age = (age * 7 + id) % 100 WHERE id % 3 = 0",
    "SELECT (SELECT count(*) FROM person p WHERE p.age > town.id * 5), hex(name) FROM town",
};

static void check(sqlite3 *db, int code)
{
    if (code != SQLITE_OK)
        program_fail("sqlite", sqlite3_errmsg(db));
}

static uint64_t query(sqlite3 *db, const char *text, uint64_t sum)
{
    sqlite3_stmt *statement;
    int code;
    check(db, sqlite3_prepare_v2(db, text, -1, &statement, NULL));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const unsigned char *cell = sqlite3_column_text(statement, i);
            sum = program_fold_bytes(sum, cell, sqlite3_column_bytes(statement, i));
        }
    if (code != SQLITE_DONE)
        program_fail("sqlite", sqlite3_errmsg(db));
    check(db, sqlite3_finalize(statement));
    return sum;
}

static void fill(sqlite3 *db, uint64_t *seed)
{
    sqlite3_stmt *insert;
    check(db, sqlite3_exec(db, "BEGIN; DELETE FROM person", NULL, NULL, NULL));
    check(db, sqlite3_prepare_v2(db, "INSERT INTO person VALUES(?, ?, ?, ?)", -1, &insert, NULL));
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        uint64_t draw = program_random(seed);
        int length = snprintf(name, sizeof name, "%c%x person", (char)('a' + draw % 26), (unsigned)(draw >> 40));
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_text(insert, 2, name, length, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 3, (int)(draw >> 8) & 15);
        sqlite3_bind_int(insert, 4, (int)(draw >> 16) % 100 & 127);
        if (sqlite3_step(insert) != SQLITE_DONE)
            program_fail("sqlite", sqlite3_errmsg(db));
        check(db, sqlite3_reset(insert));
    }
    check(db, sqlite3_finalize(insert));
    check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
}

uint64_t program_run(int rounds)
{
    sqlite3 *db;
    uint64_t sum = PROGRAM_SUM, seed = 1;
    check(NULL, sqlite3_open(":memory:", &db));
    check(db, sqlite3_exec(db, schema, NULL, NULL, NULL));
    while (rounds-- > 0) {
        fill(db, &seed);
        for (unsigned i = 0; i < sizeof queries / sizeof *queries; i++)
            sum = query(db, queries[i], sum);
    }
    sqlite3_close(db);
    return sum;
}
