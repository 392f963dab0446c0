/* names.c: files and lines, from addr2line. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/symbols.h"
#include "debug/text.h"
#include "os/os.h"

enum { AT_ONCE = 1000, LINE = 512 };
#define MOST_NS 20000000000

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_once(uintptr_t *addresses, size_t n)
{
    qsort(addresses, n, sizeof *addresses, by_address);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || addresses[kept - 1] != addresses[i])
            addresses[kept++] = addresses[i];
    return kept;
}

static size_t index_of(const gos__names *names, uintptr_t address)
{
    const uintptr_t *it = bsearch(&address, names->addresses, names->n, sizeof address, by_address);
    return it ? (size_t)(it - names->addresses) : names->n;
}

const char *gos__name_of(const gos__names *names, uintptr_t address)
{
    size_t i = index_of(names, address);
    return i < names->n && names->lines && names->lines[i] ? names->lines[i] : "?";
}

/* What can be said without a helper. */
static void describe(const gos__symbol *symbol, uintptr_t address, char *line)
{
    const char *name = strncmp(symbol->file, "/proc/", 6) ? symbol->file : "program";
    const char *slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    if (*symbol->function)
        snprintf(line, LINE, "%.200s+%#lx", symbol->function, (unsigned long)symbol->offset);
    else if (*symbol->file)
        snprintf(line, LINE, "? (%.200s+%#lx)", name, (unsigned long)symbol->in_file);
    else
        snprintf(line, LINE, "? (%#lx)", (unsigned long)address);
}

/* The answer to one address: pairs of lines, a function and where in its source; further pairs are what it was inlined
 * into. The function as the symbol table has it is the last one. Where it knows no line, and we no function, its own is
 * the nearest one before, wherever that ends. */
static void use_answer(char *line, char *answer)
{
    char text[LINE] = "";
    size_t used = 0;
    bool is_sure = *line != '?';
    for (char *function = strtok_r(answer, "\n", &answer); function; function = strtok_r(NULL, "\n", &answer)) {
        char *where = strtok_r(NULL, "\n", &answer);
        if (!where || *function == '?')
            return;
        char *end = strstr(where, " (discriminator");
        if (end)
            *end = 0;
        bool is_known = *where != '?' && !strstr(where, ":?");
        is_sure |= is_known;
        int n = snprintf(text + used, sizeof text - used, "%s%s%s%s", used ? "\n" : "", function,
                         is_known ? " at " : "", is_known ? where : "");
        used += n < 0 ? 0 : (size_t)n < sizeof text - used ? (size_t)n : sizeof text - used - 1;
    }
    if (used && is_sure)
        memcpy(line, text, used + 1);
}

/* Asks about those of n addresses that are in the file of the first, and marks them as asked. */
static void ask_file(char (*lines)[LINE], gos__symbol *symbols, size_t n, gos__text *output, int64_t until,
                     void (*meanwhile)(void))
{
    static char options[] = "-afiC";
    char *argv[AT_ONCE + 5] = { "addr2line", options, "-e", symbols[0].file };
    size_t index[AT_ONCE], asked = 0;
    for (size_t i = 0; i < n && asked < AT_ONCE; i++) {
        if (!*symbols[i].file || strcmp(symbols[i].file, symbols[0].file))
            continue;
        /* Its own memory becomes the argument: of the function only the first word is needed from here on. */
        snprintf(symbols[i].function, sizeof symbols[i].function, "%#lx", (unsigned long)symbols[i].in_file);
        argv[4 + asked] = symbols[i].function;
        index[asked++] = i;
    }
    argv[4 + asked] = NULL;
    size_t got = gos__helper_run(argv, output->start, output->room - 1, until, meanwhile);
    output->start[got] = 0;
    char *answer = strncmp(output->start, "0x", 2) ? NULL : output->start;
    for (size_t k = 0; answer && k < asked; k++) {
        char *body = strchr(answer, '\n'), *next = body ? strstr(body, "\n0x") : NULL;
        if (next)
            *next++ = 0;
        if (body)
            use_answer(lines[index[k]], body + 1);
        answer = next;
    }
    for (size_t k = asked; k-- > 0;)
        symbols[index[k]].file[0] = 0;
}

static void ask(char (*lines)[LINE], gos__symbol *symbols, size_t n, void (*meanwhile)(void))
{
    gos__text output;
    int64_t until = gos__clock_ns() + MOST_NS; /* for all files */
    gos__text_open(&output, 1 << 22);
    for (size_t i = 0; output.start && i < n && gos__clock_ns() < until; i++)
        if (*symbols[i].file)
            ask_file(lines + i, symbols + i, n - i, &output, until, meanwhile);
    gos__text_close(&output);
}

void gos__names_find(gos__names *names, uintptr_t *addresses, size_t n, void (*meanwhile)(void))
{
    n = sort_once(addresses, n);
    size_t each = sizeof(char *) + LINE + sizeof(gos__symbol), page = gos__vm_page_size();
    *names = (gos__names){ .n = n, .addresses = addresses, .size = (n * each + page) / page * page };
    names->memory = gos__vm_new(names->size);
    if (!names->memory)
        return;
    gos__symbol *symbols = (gos__symbol *)names->memory;
    names->lines = (const char **)(symbols + n);
    char (*lines)[LINE] = (char (*)[LINE])(names->lines + n);
    for (size_t i = 0; i < n; i++) {
        gos__symbol_find(addresses[i], &symbols[i]);
        describe(&symbols[i], addresses[i], lines[i]);
        names->lines[i] = lines[i];
    }
    ask(lines, symbols, n, meanwhile);
}

void gos__names_free(gos__names *names)
{
    if (names->memory)
        gos__vm_release(names->memory, names->size);
    names->memory = NULL;
    names->lines = NULL;
}
