/*
 * Quicksort that gives the left half of each large part to a new task and waits for it at the end. gos_go costs so
 * little that the parts may be small; idle workers take waiting tasks from busy ones by themselves.
 */
#include <gossamer.h>
#include <stdint.h>
#include <stdio.h>

enum { NUMBERS = 1000000, SMALL = 2000 };

typedef struct part {
    int *first, *last; /* one past the end */
    gos_waitgroup done;
} part;

static void swap(int *a, int *b)
{
    int t = *a;
    *a = *b;
    *b = t;
}

/* Puts one number where it belongs, smaller ones before it and the others behind. Returns its place. */
static int *split(int *first, int *last)
{
    int *place = first;
    swap(first + (last - first) / 2, last - 1);
    for (int *p = first; p < last - 1; p++)
        if (*p < last[-1])
            swap(p, place++);
    swap(place, last - 1);
    return place;
}

static void sort(int *first, int *last);

static void sort_part(void *arg)
{
    part *p = arg;
    sort(p->first, p->last);
    gos_waitgroup_done(&p->done); /* p is on our parent's stack, and gone from here on */
}

static void sort(int *first, int *last)
{
    if (last - first < 2)
        return;
    int *place = split(first, last);
    part left = { first, place, GOS_WAITGROUP_INIT };
    gos_waitgroup_add(&left.done, 1);
    if (place - first < SMALL || gos_go(sort_part, &left) != 0)
        sort_part(&left); /* not worth a task, or no memory for one: do it ourselves */
    sort(place + 1, last);
    gos_waitgroup_wait(&left.done);
}

static int numbers[NUMBERS];

static int run(void *unused)
{
    (void)unused;
    uint32_t random = 1;
    long sum = 0;
    for (int i = 0; i < NUMBERS; i++) {
        random = random * 1664525u + 1013904223u;
        numbers[i] = (int)(random >> 8);
        sum += numbers[i];
    }
    sort(numbers, numbers + NUMBERS);
    int unsorted = 0;
    for (int i = 0; i < NUMBERS; i++) {
        sum -= numbers[i];
        unsorted += i > 0 && numbers[i - 1] > numbers[i];
    }
    printf("%d in the wrong place, %ld lost\n", unsorted, sum); // expect: 0 in the wrong place, 0 lost
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
