/*
 * Three stages, each a task, joined by buffered channels: words go in, their letters are counted, counts come out in
 * the same order. Every stage closes its output when its input has ended, and so the end travels through.
 */
#include <ctype.h>
#include <gossamer.h>
#include <stdio.h>
#include <string.h>

typedef struct word {
    char text[16];
    int vowels;
} word;

static gos_chan *raw, *upper, *counted;

static void read_words(void *text)
{
    word w = { .vowels = 0 };
    for (const char *at = text; sscanf(at, "%15s", w.text) == 1; at += strlen(w.text)) {
        at += strspn(at, " ");
        gos_chan_send(raw, &w); /* copies it: w may be changed at once */
    }
    gos_chan_close(raw);
}

static void make_upper(void *unused)
{
    (void)unused;
    for (word w; gos_chan_recv(raw, &w) == 0;) {
        for (char *c = w.text; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        gos_chan_send(upper, &w);
    }
    gos_chan_close(upper);
}

static void count_vowels(void *unused)
{
    (void)unused;
    for (word w; gos_chan_recv(upper, &w) == 0;) {
        for (const char *c = w.text; *c; c++)
            w.vowels += strchr("AEIOU", *c) != NULL;
        gos_chan_send(counted, &w);
    }
    gos_chan_close(counted);
}

static int run(void *unused)
{
    (void)unused;
    static char text[] = "small stacks make many tasks";
    raw = gos_chan_new(sizeof(word), 2); /* a stage may be two words ahead of the next */
    upper = gos_chan_new(sizeof(word), 2);
    counted = gos_chan_new(sizeof(word), 2);
    if (raw == NULL || upper == NULL || counted == NULL)
        return 1;
    if (gos_go(read_words, text) != 0 || gos_go(make_upper, NULL) != 0 || gos_go(count_vowels, NULL) != 0)
        return 1;
    for (word w; gos_chan_recv(counted, &w) == 0;)
        printf("%s %d\n", w.text, w.vowels);
    // expect: SMALL 1
    // expect: STACKS 1
    // expect: MAKE 2
    // expect: MANY 1
    // expect: TASKS 1
    return 0;
}

int main(void)
{
    return gos_run(run, NULL);
}
