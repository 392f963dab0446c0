/*
 * Random environment variables: whatever they hold, reading them ends with every setting within its limits, or with one
 * line that names the variable. The reader (runtime/base/env.c) is built into this program, so that it may be asked
 * again and again, and its way to give up leads back here.
 */
// build: plain
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include "tests/fuzz/fuzz.h"

#include "base/env.c"

static const char *const names[] = {
    "GOS_PROCS", "GOS_MAXSTACK", "GOS_MAXMEM", "GOS_MAXTHREADS", "GOS_SEED", "GOS_DEBUG",
};
enum { NAMES = sizeof names / sizeof *names, LONGEST = 400 };

/* What valid ones are made of. */
static const char *const words[] = {
    "1", "2", "256", "257", "0", "65536", "1g", "64k", "9223372036854775807", "9223372036854775808", "-1", "k", "cold",
    "cold=", "trim=", "schedtrace=", "contention=", "contention=f", "paged", "nobind", "stats", ",", ",,",
    "clear", "trace=", "trace=f", "flight", "flight=", "flight=f", "noflight",
    "=", " ", "0x10", "1.5", "86400000", "86400001", "e9", "%s%n", "\n", "\xff",
};
enum { WORDS = sizeof words / sizeof *words };

static jmp_buf back;
static char said[600];
static int lines;

void gos__warn(const char *format, ...)
{
    (void)format;
    lines++;
}

_Noreturn void gos__fatal(const char *format, ...)
{
    (void)format;
    abort();
}

_Noreturn void gos__die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    lines++;
    longjmp(back, 1);
}

static void draw_value(fuzz_bytes *in, char *to)
{
    size_t n = 0;
    unsigned parts = fuzz_below(in, 6);
    for (unsigned i = 0; i < parts; i++) {
        unsigned draw = fuzz_byte(in);
        const char *word = words[draw % WORDS];
        size_t length = draw < 200 ? strlen(word) : fuzz_below(in, 40);
        for (size_t k = 0; k < length && n < LONGEST; k++) {
            char byte = draw < 200 ? word[k] : (char)fuzz_byte(in);
            to[n++] = byte ? byte : 'x';
        }
    }
    to[n] = 0;
}

/* Within what the interface promises, whichever way it was written. */
static void look(const char *const *values)
{
    fuzz_require(env.procs >= 0 && env.procs <= GOS_MAX_PROCS);
    fuzz_require(env.maxstack >= GOS_MAXSTACK_MIN && env.maxstack <= GOS_MAXSTACK_MAX);
    fuzz_require(env.maxmem == 0 || env.maxmem >= 1 << 20);
    fuzz_require(env.maxthreads >= 1 && env.maxthreads <= 1000000);
    fuzz_require(env.cold_ms >= 0 && env.cold_ms <= GOS_COLD_MS_MAX);
    fuzz_require(env.trim_ms >= 0 && env.trim_ms <= GOS_TRIM_MS_MAX);
    fuzz_require(env.schedtrace_ms >= 0 && env.schedtrace_ms <= GOS_SCHEDTRACE_MS_MAX);
    fuzz_require(!env.contention || *env.contention);
    fuzz_require(env.seeded == (values[4] != NULL) && !(env.seeded && env.cold_ms));
    for (int i = 0; i < 2; i++) /* digits alone mean what they say */
        if (values[i] && strspn(values[i], "0123456789") == strlen(values[i]))
            fuzz_require(strtoll(values[i], NULL, 10) == (i ? env.maxstack : env.procs));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes in = { data, data + size };
    static char value[NAMES][LONGEST + 1];
    const char *values[NAMES] = { NULL };
    unsigned which = fuzz_byte(&in);
    for (int i = 0; i < NAMES; i++) {
        unsetenv(names[i]);
        if (!(which >> i & 1))
            continue;
        draw_value(&in, value[i]);
        setenv(names[i], value[i], 1);
        values[i] = value[i];
    }
    free((char *)(uintptr_t)env.contention);
    free((char *)(uintptr_t)env.trace);
    free((char *)(uintptr_t)env.flight_file);
    env = (gos__env){ 0 };
    lines = 0;
    if (setjmp(back)) {
        int names_one = 0;
        for (int i = 0; i < NAMES; i++)
            names_one |= !strncmp(said, names[i], strlen(names[i])) && values[i];
        fuzz_require(names_one && lines == 1 && strlen(said) < 400);
        return 0;
    }
    parse();
    fuzz_require(lines == 0);
    look(values);
    return 0;
}

FUZZ_MAIN(100000)
