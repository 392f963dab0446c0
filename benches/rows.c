/* Rows: one JSON object a line, the raw samples of the suite. */
#include "bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *rows_path;
static FILE *rows_file;

void rows_to(const char *path) { rows_path = path; }

static FILE *file(void)
{
    if (rows_file != NULL) return rows_file;
    rows_file = rows_path != NULL ? fopen(rows_path, "a") : stdout;
    if (rows_file == NULL) usage_error("cannot write rows to '%s': %m", rows_path);
    return rows_file;
}

static void put_string(FILE *f, bool first, const char *key, const char *value)
{
    fprintf(f, "%s\"%s\": \"", first ? "" : ", ", key);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') fprintf(f, "\\%c", c);
        else if (c < 0x20) fprintf(f, "\\u%04x", c);
        else putc(c, f);
    }
    putc('"', f);
}

static void put_row(const sheet *s, int rep, const char *metric, double value, const int64_t *samples, size_t n)
{
    FILE *f = file();
    putc('{', f);
    put_string(f, true, "case", s->case_name);
    put_string(f, false, "contender", s->contender);
    put_string(f, false, "variant", s->variant);
    fprintf(f, ", \"n\": %llu, \"threads\": %d, \"launch\": %d, \"rep\": %d", (unsigned long long)s->n, s->threads,
            s->launch, rep);
    put_string(f, false, "metric", metric);
    if (isnan(value)) fputs(", \"value\": null", f);
    else fprintf(f, ", \"value\": %.12g", value);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%lld", i == 0 ? ", \"samples\": [" : ", ", (long long)samples[i]);
    if (n > 0) putc(']', f);
    fprintf(f, ", \"units_asked\": %llu, \"units_made\": %llu", (unsigned long long)s->units_asked,
            (unsigned long long)s->units_made);
    if (s->ops != 0) fprintf(f, ", \"ops\": %llu", (unsigned long long)s->ops);
    if (s->extra[0] != '\0') fprintf(f, ", %s", s->extra);
    put_string(f, false, "status", s->status);
    put_string(f, false, "why", s->why);
    fputs("}\n", f);
    if (fflush(f) != 0 || ferror(f))   /* a row that is not there must not look like one that was not asked for */
        usage_error("cannot write rows to '%s': %m", rows_path != NULL ? rows_path : "standard output");
}

void row_write(const sheet *s, int rep, const char *metric, double value) { put_row(s, rep, metric, value, NULL, 0); }

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void row_write_samples(const sheet *s, int rep, const char *metric, const int64_t *samples, size_t n)
{
    int64_t *sorted = malloc(n * sizeof *sorted);
    if (sorted == NULL || n == 0) exit(1);
    memcpy(sorted, samples, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    double median = ((double)sorted[(n - 1) / 2] + (double)sorted[n / 2]) / 2;
    free(sorted);
    put_row(s, rep, metric, median, samples, n);
}

bool sheet_fail(sheet *s, const char *format, ...)
{
    if (strcmp(s->status, "failed") == 0) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    s->status = "failed";
    fprintf(stderr, "gosbench: FAILED: %s of %s: %s\n", s->case_name, s->contender, s->why);
    return false;
}

sheet sheet_new(const options *opt, const char *variant)
{
    sheet s = {
        .case_name = opt->case_name,
        .contender = opt->who != NULL ? opt->who->name : "raw",
        .variant = variant,
        .n = opt->n,
        .threads = opt->threads,
        .launch = opt->launch,
        .status = "ok",
    };
    return s;
}

bool sheet_offers(sheet *s, const options *opt, bool offered, const char *metric)
{
    const contender *who = opt->who;
    if (offered && (who->max_threads == 0 || opt->threads <= who->max_threads)) return true;
    s->status = "not-run";
    if (!offered) snprintf(s->why, sizeof s->why, "%s", who->lacks != NULL ? who->lacks : "not offered");
    else snprintf(s->why, sizeof s->why, "runs on at most %d thread(s)", who->max_threads);
    row_write(s, 0, metric, NAN);
    return false;
}

bool sheet_has_two_cpus(sheet *s, const char *metric)
{
    if (has_two_cpus()) return true;
    s->status = "not-run";
    snprintf(s->why, sizeof s->why, "needs two CPUs, the process may use one");
    row_write(s, 0, metric, NAN);
    return false;
}
