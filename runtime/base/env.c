#include "base/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/config.h"

int64_t gos__parse_size(const char *text)
{
    if (*text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    int shift = 0;
    switch (*end) {
    case 'k': case 'K': shift = 10; end++; break;
    case 'm': case 'M': shift = 20; end++; break;
    case 'g': case 'G': shift = 30; end++; break;
    default: break;
    }
    if (errno || *end || n > (INT64_MAX >> shift))
        return -1;
    return (int64_t)n << shift;
}

/* The size in variable `name`, within [low, high]; `fallback` when it is not set. */
static int64_t size_from(const char *name, int64_t low, int64_t high, int64_t fallback)
{
    const char *text = getenv(name);
    if (!text)
        return fallback;
    int64_t n = gos__parse_size(text);
    if (n < low || n > high)
        gos__die("%s=%.40s: expected a number from %lld to %lld (k, m and g are understood)", name, text,
                 (long long)low, (long long)high);
    return n;
}

static bool *debug_flag(gos__env *env, const char *word, size_t len)
{
    const struct { const char *name; bool *flag; } flags[] = {
        { "paged", &env->paged },
        { "nobind", &env->nobind },
        { "stats", &env->stats },
        { "clear", &env->clear },
        { "flight", &env->flight },
        { "noflight", &env->noflight },
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i].name) == len && !strncmp(flags[i].name, word, len))
            return flags[i].flag;
    return NULL;
}

/* name=ms, from `low` to `high`; `hint`: what the lowest means. */
static bool parse_ms(int64_t *to, const char *name, const char *word, size_t len, int low, int high, const char *hint)
{
    char text[24] = "";
    size_t prefix = strlen(name);
    if (len < prefix || strncmp(word, name, prefix) || len - prefix >= sizeof text)
        return false;
    memcpy(text, word + prefix, len - prefix);
    int64_t ms = gos__parse_size(text);
    if (ms < low || ms > high)
        gos__die("GOS_DEBUG: %s%.20s: expected a number of milliseconds from %d%s to %d", name, text, low, hint, high);
    *to = ms;
    return true;
}

/* cold or cold=ms. */
static bool parse_cold(gos__env *env, const char *word, size_t len)
{
    if (len != 4 || strncmp(word, "cold", 4))
        return parse_ms(&env->cold_ms, "cold=", word, len, 1, GOS_COLD_MS_MAX, "");
    env->cold_ms = GOS_COLD_MS;
    return true;
}

/* name=FILE; kept for the life of the program. */
static bool parse_file(const char **file, const char *name, const char *word, size_t len)
{
    size_t prefix = strlen(name);
    if (len < prefix || strncmp(word, name, prefix))
        return false;
    if (len == prefix)
        gos__die("GOS_DEBUG: %s: expected the name of a file", name);
    free((char *)(uintptr_t)*file); /* named before: the last one counts */
    *file = strndup(word + prefix, len - prefix);
    if (!*file)
        gos__die("GOS_DEBUG: %s: no memory for the name of a file", name);
    return true;
}

static void parse_debug(gos__env *env)
{
    const char *word = getenv("GOS_DEBUG");
    while (word && *word) {
        size_t len = strcspn(word, ",");
        bool *flag = debug_flag(env, word, len);
        if (!flag && !parse_cold(env, word, len) &&
            !parse_ms(&env->trim_ms, "trim=", word, len, 0, GOS_TRIM_MS_MAX, " (never)") &&
            !parse_ms(&env->schedtrace_ms, "schedtrace=", word, len, 1, GOS_SCHEDTRACE_MS_MAX, "") &&
            !parse_file(&env->contention, "contention=", word, len) &&
            !parse_file(&env->trace, "trace=", word, len) && !parse_file(&env->flight_file, "flight=", word, len))
            gos__die("GOS_DEBUG: unknown word \"%.*s\": expected a comma list of paged, nobind, stats, cold=ms, "
                     "trim=ms, clear, schedtrace=ms, contention=FILE, trace=FILE, flight, flight=FILE, "
                     "noflight", len < 40 ? (int)len : 40, word);
        if (flag)
            *flag = true;
        word += len + (word[len] == ',');
    }
}

/* Other threads than the only worker's would decide as well. */
static void parse_seed(gos__env *env)
{
    env->seeded = getenv("GOS_SEED") != NULL;
    env->seed = (uint64_t)size_from("GOS_SEED", 0, INT64_MAX, 0);
    if (env->seeded && env->cold_ms)
        gos__die("GOS_SEED and GOS_DEBUG=cold exclude each other: unset one of them");
    if (env->seeded)
        env->trim_ms = 0;
}

static gos__env env;

static void parse(void)
{
    env.procs = (int)size_from("GOS_PROCS", 1, GOS_MAX_PROCS, 0);
    env.maxstack = size_from("GOS_MAXSTACK", GOS_MAXSTACK_MIN, GOS_MAXSTACK_MAX, GOS_MAXSTACK_DEFAULT);
    env.maxmem = size_from("GOS_MAXMEM", 1 << 20, INT64_MAX, 0);
    env.maxthreads = size_from("GOS_MAXTHREADS", 1, 1000000, GOS_MAXTHREADS_DEFAULT);
    env.trim_ms = GOS_TRIM_MS;
    parse_debug(&env);
    parse_seed(&env);
}

const gos__env *gos__env_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, parse);
    return &env;
}
