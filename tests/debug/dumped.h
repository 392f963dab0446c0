/* dumped.h: what gos_dump writes, as text. */
#ifndef TEST_DUMPED_H
#define TEST_DUMPED_H

#include <gossamer.h>
#include <stdlib.h>

#include "tests/test.h"

/* The caller frees it. */
TEST_HELPER char *dumped(void)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    gos_dump(fileno(file));
    CHECK_EQ(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    char *text = calloc(1, (size_t)length + 1);
    CHECK(text != NULL);
    rewind(file);
    CHECK_EQ(fread(text, 1, (size_t)length, file), length);
    fclose(file);
    fputs(text, stderr); /* shown on failure */
    return text;
}

/* The line with this in it, ended where it ends; moves *at behind it. */
TEST_HELPER char *line_with(char **at, const char *what)
{
    char *found = strstr(*at, what);
    if (!found)
        fprintf(stderr, "no line has: %s\n", what);
    CHECK(found != NULL);
    while (found > *at && found[-1] != '\n')
        found--;
    char *end = strchr(found, '\n');
    CHECK(end != NULL);
    *end = 0;
    *at = end + 1;
    return found;
}

#endif
