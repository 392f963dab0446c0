/* blocked.h: waiting until a thread sleeps in a system call, which its task's state does not tell. */
#ifndef GOS_TESTS_BLOCKED_H
#define GOS_TESTS_BLOCKED_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* As the kernel has it: a signal that comes before it sleeps there ends nothing. */
static inline bool blocks_in(pid_t thread, int number)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool is_read = fgets(text, sizeof text, file);
    fclose(file);
    return is_read && isdigit((unsigned char)text[0]) && atoi(text) == number; /* else: "running" */
}

#endif
